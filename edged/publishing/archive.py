"""What a group was sent before: its versions and blobs, kept for comparison and for a way back.

Everything here is sealed for the doors and for the publisher's own reading key.
"""

from collections.abc import Collection, Iterable
from pathlib import Path

import msgspec

from edged.errors import FleetError, NotFoundError, StoreCorruptError, StoreError
from edged.fleet.gallery_format import Keys, Manifest, PersonRecord, decode, encode
from edged.fleet.gallery_seal import unwrap
from edged.membership.blobs import BlobFolder
from edged.membership.opener import Member, Opener
from edged.publishing.content import Previous
from edged.publishing.keyring import Keyring
from edged.storage.files import make_private_directory, replace_private_file

# The publisher reads as if it were a door; no door's name may start like this.
PUBLISHER_DOOR = "@publisher"
# A bad import is noticed within days; each version costs the shards that changed.
KEPT_VERSIONS = 10


class Archive:
    """The folder of one group. Raises ``StoreError``."""

    def __init__(self, directory: Path, site: str, group: str, keyring: Keyring) -> None:
        self._directory = directory
        self._site = site
        self._group = group
        self._keyring = keyring
        self.blobs = BlobFolder(directory / "blobs")

    def manifest(self, version: int) -> Manifest:
        """Return a version's manifest. Raises ``NotFoundError`` where it is not kept."""
        path = self._path(version)
        try:
            return decode(path.read_bytes(), Manifest)
        except FileNotFoundError as exc:
            kept = ", ".join(map(str, self.versions())) or "none"
            raise NotFoundError(f"version {version} is not kept; kept: {kept}") from exc
        except OSError as exc:
            raise StoreError(f"{path}: cannot be read: {exc.strerror}") from exc

    def versions(self) -> list[int]:
        """Return the numbers of the versions that are kept, in order."""
        return sorted(int(path.stem) for path in self._directory.glob("versions/*.manifest"))

    def keys(self) -> Keys | None:
        """Return the group's wrapped secrets; None before the first version."""
        path = self._directory / "keys"
        if not path.exists():
            return None
        return decode(path.read_bytes(), Keys)

    def secret(self, epoch: int) -> bytes:
        """Return the group's secret of an epoch. Raises ``FleetError``."""
        keys = self.keys()
        wrapped = None if keys is None else keys.wrapped.get(str(epoch), {}).get(PUBLISHER_DOOR)
        if wrapped is None:
            raise FleetError(f"the group's secret of epoch {epoch} is not kept")
        return unwrap(wrapped, self._keyring.reading(), group=self._group, epoch=epoch, door=PUBLISHER_DOOR)

    def keep_keys(self, keys: Keys) -> bytes:
        """Keep the wrapped secrets; return their bytes."""
        make_private_directory(self._directory)
        data = encode(keys)
        replace_private_file(self._directory / "keys", data)
        return data

    def keep(self, manifest: Manifest, blobs: dict[str, bytes], spare: Collection[int] = ()) -> None:
        """Keep a version and its blobs, and let go of the oldest but for ``spare``."""
        make_private_directory(self._directory / "versions")
        self.blobs.put_all(blobs.items())
        replace_private_file(self._path(manifest.version), encode(manifest))
        for version in self.versions()[:-KEPT_VERSIONS]:
            if version not in spare:
                self._path(version).unlink()
        self.sweep()

    def sweep(self, spare: frozenset[str] = frozenset()) -> None:
        """Erase the blobs that no version names, but for ``spare``."""
        wanted = {entry.sha256 for version in self.versions() for entry in self.manifest(version).entries}
        self.blobs.keep_only(wanted | spare)

    def erase_shard(self, number: int, but: Collection[int]) -> None:
        """Erase what other versions than ``but`` hold of a shard: somebody in it is to be forgotten."""
        newest = {entry.sha256 for version in but for entry in self.manifest(version).entries}
        old = {
            entry.sha256
            for version in self.versions()
            for entry in self.manifest(version).entries
            if entry.number == number and entry.sha256 not in newest
        }
        for version in self.versions():
            manifest = self.manifest(version)
            entries = [entry for entry in manifest.entries if entry.sha256 not in old]
            replace_private_file(
                self._path(version), encode(msgspec.structs.replace(manifest, entries=entries))
            )
        self.sweep()

    def previous(self, version: int) -> Previous:
        """Return a version opened; an empty one for 0. Raises ``StoreCorruptError``."""
        keys = self.keys()
        if version == 0 or keys is None:
            return Previous({}, {})
        member = Member(self._site, PUBLISHER_DOOR, self._group, self._keyring.reading())
        manifest = self.manifest(version)
        try:
            opener = Opener(member, keys)
            shards = {
                entry.number: opener.shard(self.blobs.get(entry.sha256), entry, manifest.space)
                for entry in manifest.entries
            }
        except FleetError as exc:
            raise StoreCorruptError(f"version {version} of group {self._group}: {exc}") from exc
        return Previous({entry.number: entry for entry in manifest.entries}, shards)

    def strangers(self, people: Iterable[str]) -> set[str]:
        """Return those of ``people`` who are in no version that is kept. Raises ``StoreCorruptError``."""
        strange = set(people)
        for version in reversed(self.versions()):
            if not strange:
                break
            strange -= people_in(self.previous(version)).keys()
        return strange

    def _path(self, version: int) -> Path:
        return self._directory / "versions" / f"{version}.manifest"


def people_in(shards: Previous) -> dict[str, PersonRecord]:
    """Return everybody of a version by id."""
    return {record.id: record for shard in shards.shards.values() for record in shard.people}
