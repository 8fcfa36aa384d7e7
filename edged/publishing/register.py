"""The fleet as its publisher knows it, in one readable file: groups, doors and their keys, the forgotten."""

from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from edged.config.sections import MqttConfig
from edged.domain.shards import DEFAULT_SHARDS, MOST_SHARDS
from edged.errors import NotFoundError, StoreError
from edged.fleet.gallery_format import AccessRecord, CommandKey, Seconds
from edged.fleet.gallery_topics import GROUP
from edged.fleet.joining import DoorCard, Segment
from edged.storage.files import make_private_directory, replace_private_file

GroupName = Annotated[str, Meta(pattern=GROUP)]
Whole = Annotated[int, Meta(ge=0)]


class GroupEntry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A gallery and the doors that have it. ``people_groups`` empty: everybody of the people's store.

    ``version`` is the newest published (0: none), ``epoch`` of the secret in use, ``denied_version`` of the
    deny list; ``denied_epoch`` of that list's own secret while doors that left may hold a gallery (0: it has
    none). ``valid_days`` is how long a door relies on a gallery without a newer one. While ``canary`` doors
    try ``version``, the others are to have ``held`` (0: whatever they have); once the last of those doors has
    left the fleet nobody tries it any more, and it is nobody else's yet.
    """

    shards: Annotated[int, Meta(ge=1, le=MOST_SHARDS)] = DEFAULT_SHARDS
    space: str | None = None
    dimension: Whole = 0
    people_groups: list[str] = []
    access: AccessRecord | None = None
    valid_days: Annotated[float, Meta(gt=0, le=3650)] = 30.0
    version: Whole = 0
    epoch: Annotated[int, Meta(ge=1)] = 1
    denied_version: Whole = 0
    denied_epoch: Whole = 0
    denied: list[str] = []
    canary: list[str] = []
    held: Whole = 0
    roles_version: Whole = 0
    commanders: list[CommandKey] = []

    @property
    def offered(self) -> tuple[int, ...]:
        """The versions that doors of the group may have in force now, the newest last."""
        return tuple(version for version in (self.held, self.version) if version)


class DoorEntry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A door, its group and its public keys.

    ``left``: other groups whose gallery it may still hold, until it confirms version ``since`` of its own.
    """

    card: DoorCard
    group: GroupName
    added_at: Seconds
    left: list[GroupName] = []
    since: Whole = 0


class Departed(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A door's keys that were gone before they confirmed a removal, since when, and why.

    ``wiped_at``: when somebody said that the disk which they left with is wiped.
    """

    door: str
    at: Seconds
    why: Literal["removed", "new keys"]
    wiped_at: Seconds | None = None


class Forgotten(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A removal and the doors that must confirm it, by a receipt for ``version`` or a later one.

    ``departed`` can confirm it no more. ``moved_from`` is the group whose gallery had the person, where the
    doors have been moved to ``group`` since.
    """

    person_id: str
    group: GroupName
    version: Whole
    asked_at: Seconds
    doors: list[str]
    confirmed: dict[str, Seconds] = {}
    departed: list[Departed] = []
    moved_from: GroupName | None = None

    @property
    def open(self) -> list[str]:
        """The doors that have not confirmed."""
        return [door for door in self.doors if door not in self.confirmed]

    @property
    def unproven(self) -> list[Departed]:
        """Those of the departed whose disk nobody has said to be wiped."""
        return [one for one in self.departed if one.wiped_at is None]


class Fleet(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything of the register."""

    v: Literal[1] = 1
    prefix: Annotated[str, Meta(min_length=1, max_length=200)]
    site: Segment
    broker: MqttConfig = MqttConfig()
    root_keys: list[str]
    root_threshold: Annotated[int, Meta(ge=1)]
    groups: dict[GroupName, GroupEntry] = {}
    doors: dict[Segment, DoorEntry] = {}
    forgotten: list[Forgotten] = []

    def group(self, name: str) -> GroupEntry:
        """Return a group. Raises ``NotFoundError``."""
        if name not in self.groups:
            known = ", ".join(sorted(self.groups)) or "none"
            raise NotFoundError(f"group {name!r}: there is no such group; known: {known}")
        return self.groups[name]

    def door(self, name: str) -> DoorEntry:
        """Return a door. Raises ``NotFoundError``."""
        if name not in self.doors:
            known = ", ".join(sorted(self.doors)) or "none"
            raise NotFoundError(f"door {name!r}: there is no such door; known: {known}")
        return self.doors[name]

    def doors_of(self, group: str) -> dict[str, DoorEntry]:
        """Return the doors of a group."""
        return {name: door for name, door in self.doors.items() if door.group == group}

    def leaving(self, group: str) -> dict[str, DoorEntry]:
        """Return the doors that were moved to another group and may still hold a gallery of this one."""
        return {name: door for name, door in self.doors.items() if group in door.left}

    def erased(self) -> set[str]:
        """Return who was forgotten, in whichever group, and was not readmitted there since."""
        return {
            item.person_id
            for item in self.forgotten
            if item.group in self.groups and item.person_id in self.groups[item.group].denied
        }

    def with_group(self, name: str, entry: GroupEntry) -> "Fleet":
        """Return the register with one group changed."""
        return msgspec.structs.replace(self, groups={**self.groups, name: entry})


class RegisterFile:
    """The file at ``directory/fleet.json``. Raises ``StoreError``."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / "fleet.json"

    def exists(self) -> bool:
        """Whether a fleet was initialised here."""
        return self.path.exists()

    def read(self) -> Fleet:
        """Return the register."""
        try:
            return decoded(self.path.read_bytes())
        except FileNotFoundError as exc:
            raise StoreError(f"{self.path}: no fleet here; `edged fleet init` begins one") from exc
        except OSError as exc:
            raise StoreError(f"{self.path}: cannot be read: {exc.strerror}") from exc
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
            raise StoreError(
                f"{self.path}: expected the fleet's register as `edged fleet` wrote it, got one that is cut "
                f"short or changed ({exc}); put it back from a copy of the folder, see docs/fleet.md"
            ) from exc

    def write(self, fleet: Fleet) -> None:
        """Replace the register, durably."""
        make_private_directory(self.path.parent)
        replace_private_file(self.path, encoded(fleet))


def encoded(fleet: Fleet) -> bytes:
    """Return the register as a file."""
    return msgspec.json.format(msgspec.json.encode(fleet, enc_hook=str), indent=2) + b"\n"


def decoded(data: bytes) -> Fleet:
    """Return the register in ``data``. Raises ``msgspec.DecodeError``, ``UnicodeDecodeError``."""
    return msgspec.json.decode(data, type=Fleet, dec_hook=_path)


def _path(kind: type, value: object) -> object:
    """Read a path, the only type here that JSON does not have."""
    if kind is Path and isinstance(value, str):
        return Path(value)
    raise NotImplementedError(kind)
