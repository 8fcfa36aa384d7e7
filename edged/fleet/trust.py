"""What the publisher has signed, checked by TUF's own reference client over any source of files.

TUF (theupdateframework.io, specification 1.0.34) refuses replayed, mixed, expired and forged metadata. Two
things are added here: a floor that lies outside its cache, so that losing the cache does not forget what was
seen; and a lower bound for the time, since a clock that was set back makes nothing fresh again.
"""

import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal, Protocol

from securesystemslib.exceptions import StorageError
from tuf.api import exceptions as tuf
from tuf.api.metadata import Metadata, Root, Snapshot, TargetFile, Targets, Timestamp
from tuf.ngclient import Updater, UpdaterConfig
from tuf.ngclient.fetcher import FetcherInterface

from edged.errors import FleetError, StoreError

# Several times what hundreds of doors need; see the lengths in `gallery_format`.
_LIMITS = UpdaterConfig(
    max_root_rotations=64,
    max_delegations=4,
    root_max_length=60_000,
    timestamp_max_length=16_384,
    snapshot_max_length=60_000,
    targets_max_length=60_000,
)
# What doors that are no canaries have in force while canaries try the manifest.
HELD = "held"
# Both a file and the role, delegated to the revoker, that names it.
DENIED = "denied"
TARGETS = ("manifest", "keys", DENIED, "roles", HELD)

Rejection = Literal[
    "rollback",
    "mix_and_match",
    "signatures",
    "expired",
    "mismatch",
    "too_long",
    "missing",
    "malformed",
    "wrong_group",
]
REJECTIONS: tuple[Rejection, ...] = (
    "rollback", "mix_and_match", "signatures", "expired", "mismatch", "too_long", "missing", "malformed",
    "wrong_group",
)  # fmt: skip
# Stands in every signed file: one publisher's keys sign for all of its groups, and the numbers of one must
# not be taken for another's. TUF keeps fields that it does not know (specification 4.2.1) and signs them.
GROUP_FIELD = "edged-group"
# Likewise, in the timestamp: the Unix second in which it was signed.
SIGNED_FIELD = "edged-signed-at"
# The longest that a timestamp may be made for (`edged fleet renew --days`).
_LONGEST_WORD = timedelta(days=30)
# A folder in memory: it is there while the disk is full, or read-only, or gone.
_MEMORY = Path("/dev/shm")  # noqa: S108 - what is made there has a name of its own and mode 0700


class UntrustedError(FleetError):
    """The publisher did not sign this, or not now; ``reason`` is a stable code, ``part`` the file."""

    def __init__(self, reason: Rejection, part: str, text: str) -> None:
        super().__init__(f"{part}: {text}")
        self.reason = reason
        self.part = part


class MetadataSource(Protocol):
    """Where signed files come from."""

    def metadata(self, name: str) -> bytes | None:
        """Return a file such as ``3.snapshot``; None: there is none. Raises ``FleetError``, ``OSError``."""


@dataclass(frozen=True, slots=True, order=True)
class Floor:
    """The newest that was ever believed. A new set of root keys starts the other numbers anew."""

    root: int = 0
    timestamp: int = 0


@dataclass(frozen=True, slots=True)
class Target:
    """One blob that the metadata name; ``custom`` is what is needed to open it."""

    sha256: str
    length: int
    custom: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Trusted:
    """What the publisher says now. ``expires`` is when it must have spoken again.

    ``signed_until`` is when something ends that the daily word does not renew: root keys or galleries.
    ``signed_at``: it was not signed earlier than this. ``unkept`` is why TUF's cache could not be written;
    all of this is checked, and has to be asked for again.
    """

    floor: Floor
    targets_version: int
    expires: datetime
    signed_until: datetime
    signed_at: datetime
    targets: Mapping[str, Target]
    unkept: StoreError | None = None


class _WrongGroupError(tuf.DownloadError):
    """A file of another group; never handed to TUF, which would remember its version."""


class _Fetcher(FetcherInterface):
    def __init__(self, source: MetadataSource, group: str) -> None:
        self._source = source
        self._group = group
        self.last = "root"

    def _fetch(self, url: str) -> Iterator[bytes]:
        name = url.rsplit("/", 1)[-1].removesuffix(".json")
        self.last = re.sub(r"^[0-9]+\.", "", name)
        data = self._source.metadata(name)
        if data is None:
            raise tuf.DownloadHTTPError(f"no file {name}", 404)
        found = _group_of(data)
        if found not in (None, self._group):  # what is no metadata at all is TUF's to refuse
            raise _WrongGroupError(f"made for group {found[:60]!r}, this is {self._group!r}")
        return iter((data,))


class PublisherTrust:
    """Asks ``source`` and believes what ``bootstrap``, the root metadata of the first day, leads to.

    ``directory`` keeps TUF's cache; it belongs to one process. Only files of ``group`` are believed.
    """

    def __init__(self, directory: Path, bootstrap: bytes, source: MetadataSource, group: str) -> None:
        self._group = group
        self._directory = directory
        self._bootstrap = bootstrap
        self._source = source
        self._believed = Floor()

    def refresh(self, floor: Floor, not_before: datetime) -> Trusted:
        """Return what is signed now; ``not_before`` (aware) is a time that has certainly passed.

        A cache that cannot be written must not keep a denial away: one in memory takes its place then.
        Nothing older than what was believed before is believed, whatever became of the cache.
        Raises ``UntrustedError``; ``StoreError`` where neither can be used.
        """
        floor = max(floor, self._believed)
        try:
            trusted = self._ask(self._directory, floor, not_before)
        except StoreError as exc:
            trusted = self._ask_aside(floor, not_before, exc)
        self._believed = trusted.floor
        return trusted

    def _ask_aside(self, floor: Floor, not_before: datetime, trouble: StoreError) -> Trusted:
        """Ask with what can be read of the cache, in a folder that is gone afterwards."""
        place = str(_MEMORY) if os.access(_MEMORY, os.W_OK | os.X_OK) else None
        try:
            with tempfile.TemporaryDirectory(prefix="edged-tuf-", dir=place) as name:
                aside = Path(name) / "tuf"
                with suppress(OSError):  # the floor holds without it
                    shutil.copytree(self._directory, aside, symlinks=True)
                return replace(self._ask(aside, floor, not_before), unkept=trouble)
        except OSError:
            raise trouble from None

    def _ask(self, directory: Path, floor: Floor, not_before: datetime) -> Trusted:
        """Ask with the cache in ``directory``. Raises as ``refresh``."""
        fetcher = _Fetcher(self._source, self._group)
        try:
            directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            updater = Updater(
                str(directory),
                "mqtt://meta",
                fetcher=fetcher,
                config=_LIMITS,
                bootstrap=self._bootstrap,
            )
            updater.refresh()
            targets = {name: updater.get_targetinfo(name) for name in TARGETS}
            return self._checked(directory, floor, not_before, targets)
        except (tuf.RepositoryError, tuf.DownloadError) as exc:
            raise UntrustedError(_reason(exc, fetcher.last), fetcher.last, str(exc)[:300]) from exc
        except (OSError, StorageError) as exc:
            raise StoreError(f"{directory}: {exc}") from exc

    def _checked(
        self,
        directory: Path,
        floor: Floor,
        not_before: datetime,
        targets: Mapping[str, TargetFile | None],
    ) -> Trusted:
        root, timestamp, snapshot, top = (
            _read(directory, role) for role in (Root.type, Timestamp.type, Snapshot.type, Targets.type)
        )
        seen = Floor(root.version, timestamp.version)
        if seen < floor:
            text = f"version {seen.timestamp} of root {seen.root}, newer than that was seen before"
            raise UntrustedError("rollback", "timestamp", text)
        if DENIED in top.targets:  # TUF would take it before the revoker's
            raise UntrustedError("signatures", "targets", "who is denied is the revoker's to say")
        lasting = [root, snapshot, top]
        if top.delegations is not None and DENIED in (top.delegations.roles or ()):
            lasting.append(_read(directory, DENIED))  # it was asked for, so it is there
        signed_until = min(_aware(part.expires) for part in lasting)
        expires = min(signed_until, _aware(timestamp.expires))
        if expires <= not_before:
            raise UntrustedError(
                "expired", "timestamp", f"good until {expires:%Y-%m-%d %H:%M}, which has passed"
            )
        found = {name: _target(target) for name, target in targets.items() if target is not None}
        return Trusted(seen, top.version, expires, signed_until, _signed_at(timestamp), found)


def _read(directory: Path, role: str) -> Any:
    """Return what the updater has just verified and stored; its own objects are private."""
    return Metadata.from_file(str(directory / f"{role}.json")).signed


def _aware(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment


def _signed_at(timestamp: Timestamp) -> datetime:
    """Return when a timestamp was signed, or where it does not say so, the earliest that it can have been."""
    expires = _aware(timestamp.expires)
    seconds = timestamp.unrecognized_fields.get(SIGNED_FIELD)
    earliest = expires - _LONGEST_WORD
    if not isinstance(seconds, int) or not earliest.timestamp() <= seconds <= expires.timestamp():
        return earliest
    return datetime.fromtimestamp(seconds, UTC)


def _group_of(data: bytes) -> str | None:
    """Return which group a signed file names ("": none), None where it is no signed file at all.

    Read just as TUF will read it, so that both see the same of two fields of one name.
    """
    try:
        return str(json.loads(data.decode("utf-8"))["signed"].get(GROUP_FIELD, ""))
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return None


def check_blob(name: str, target: Target, data: bytes) -> None:
    """Raise ``UntrustedError`` unless ``data`` is what the metadata say that ``name`` is."""
    try:
        TargetFile(target.length, {"sha256": target.sha256}, name).verify_length_and_hashes(data)
    except tuf.LengthOrHashMismatchError as exc:
        raise UntrustedError("mismatch", name, str(exc)[:300]) from exc


def _target(found: TargetFile) -> Target:
    custom = found.custom
    if not isinstance(custom, dict):
        custom = {}
    return Target(found.hashes.get("sha256", ""), found.length, custom)


def _reason(exc: Exception, part: str) -> Rejection:
    if isinstance(exc, tuf.BadVersionNumberError):
        return "rollback" if part in (Root.type, Timestamp.type) else "mix_and_match"
    # Subclasses before what they are subclasses of.
    kinds: tuple[tuple[type[Exception], Rejection], ...] = (
        (_WrongGroupError, "wrong_group"),
        (tuf.DownloadLengthMismatchError, "too_long"),
        (tuf.DownloadError, "missing"),
        (tuf.UnsignedMetadataError, "signatures"),
        (tuf.ExpiredMetadataError, "expired"),
        (tuf.LengthOrHashMismatchError, "mismatch"),
    )
    return next((reason for kind, reason in kinds if isinstance(exc, kind)), "malformed")
