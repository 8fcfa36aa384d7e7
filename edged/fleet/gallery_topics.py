"""Where the gallery of a group of doors lies: ``<prefix>/<site>/gallery/<group>/...``, all of it retained.

Metadata has the names that TUF gives it; everything else is named by its SHA-256 and cut into pieces, so
that no broker's limit on a packet stands in the way.
"""

import re
from dataclasses import dataclass

from edged.errors import FleetError

# With its topic and properties a piece stays below 64 KiB, which small brokers set as their limit.
PIECE_BYTES = 60_000
# A door's name may not be this, or its topics would be a gallery's.
RESERVED = "gallery"
GROUP = r"^[a-z0-9][a-z0-9_-]{0,31}$"
_METADATA = re.compile(r"(?:[1-9][0-9]{0,8}\.)?[a-z]{1,32}")
_PIECE = re.compile(r"(?P<sha256>[0-9a-f]{64})/(?P<number>0|[1-9][0-9]{0,5})", re.ASCII)
_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class GalleryTopics:
    """The topics of one group of doors. Raises ``FleetError`` on a group that cannot stand in one."""

    prefix: str
    site: str
    group: str

    def __post_init__(self) -> None:
        if re.fullmatch(GROUP, self.group) is None:
            raise FleetError(
                f"group {self.group[:60]!r}: expected up to 32 of a-z, 0-9, '-' and '_', not first"
            )

    @property
    def root(self) -> str:
        """The part that all of them share, without a slash at its end."""
        return f"{self.prefix}/{self.site}/{RESERVED}/{self.group}"

    @property
    def all_metadata(self) -> str:
        """The filter of every signed file."""
        return f"{self.root}/meta/+"

    def metadata(self, name: str) -> str:
        """Return the topic of one signed file, such as ``3.snapshot``. Raises ``FleetError``."""
        if _METADATA.fullmatch(name) is None:
            raise FleetError(f"{name[:60]!r} is no name of a metadata file")
        return f"{self.root}/meta/{name}"

    def pieces(self, sha256: str) -> str:
        """Return the filter of all pieces of one blob. Raises ``FleetError``."""
        return f"{self._blob(sha256)}/+"

    def piece(self, sha256: str, number: int) -> str:
        """Return the topic of one piece, counted from 0. Raises ``FleetError``."""
        return f"{self._blob(sha256)}/{number}"

    def metadata_name(self, topic: str) -> str | None:
        """Return what ``metadata`` was given to make ``topic``, or None."""
        name = topic.removeprefix(f"{self.root}/meta/")
        return name if name != topic and _METADATA.fullmatch(name) else None

    def piece_of(self, topic: str) -> tuple[str, int] | None:
        """Return of which blob ``topic`` holds a piece, and which; or None."""
        found = _PIECE.fullmatch(topic.removeprefix(f"{self.root}/blob/"))
        return None if found is None else (found["sha256"], int(found["number"]))

    def _blob(self, sha256: str) -> str:
        if _DIGEST.fullmatch(sha256) is None:
            raise FleetError(f"{sha256[:80]!r} is no SHA-256 in hexadecimal")
        return f"{self.root}/blob/{sha256}"


def piece_count(length: int) -> int:
    """Return how many pieces ``length`` bytes are cut into; one for none."""
    return max(1, -(-length // PIECE_BYTES))
