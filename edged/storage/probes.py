"""The faces of the newest visits, for the one who says that it was somebody else.

One sealed file an event, below a folder beside the gallery: the daemon writes them while a command
erases some, and neither needs the other's leave. Names of files are ids, which stand in the open
elsewhere too. Bounded by age and by number. A file that a power cut left in pieces does not open and is
as good as gone: nothing but a correction is lost with it, so none is synced.
"""

import os
import re
import secrets
import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import msgspec
import numpy as np

from edged.config.sections import GalleryConfig
from edged.domain.types import FloatArray
from edged.errors import NotFoundError, StoreCorruptError, StoreError
from edged.storage.files import FILE_MODE, inherit_owner, is_there, make_private_directory
from edged.storage.sealed import opened
from edged.storage.vault import Vault

# A busy door sees some 150 people a day, so the age and not the number is what ends most probes.
MOST_PROBES = 500
_NAME = re.compile(r"([0-9A-Z]{1,40})~([A-Za-z0-9][A-Za-z0-9_.-]{0,62})\.probe")
_STALE_SECONDS = 60.0


@dataclass(frozen=True, slots=True, eq=False)
class Probe:
    """What was compared in an access event: ``vector`` (D,) float32 unit length of the space ``space``."""

    event_id: str
    person_id: str
    space: str
    vector: FloatArray


class _Record(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    space: str
    vector: bytes


def probes_folder(gallery: Path) -> Path:
    """Return where the probes of the gallery at ``gallery`` are: ``people.db`` has ``people-probes``."""
    return gallery.with_name(f"{gallery.stem}-probes")


class ProbeStore:
    """Holds at most ``most`` probes, none older than ``keep_seconds``; 0 keeps none at all."""

    def __init__(self, folder: Path, vault: Vault, *, keep_seconds: float, most: int = MOST_PROBES) -> None:
        self._folder = folder
        self._vault = vault
        self._keep_seconds = keep_seconds
        self._most = most

    @classmethod
    def of(cls, gallery: GalleryConfig, vault: Vault) -> Self:
        """Return the store beside a gallery."""
        return cls(probes_folder(gallery.path), vault, keep_seconds=gallery.probe_hours * 3600)

    @property
    def keeps(self) -> bool:
        """Whether any probe is kept."""
        return self._keep_seconds > 0 and self._most > 0

    def keep(self, probe: Probe) -> None:
        """Seal and keep ``probe``, and let go of what is too old or too many. Raises ``StoreError``."""
        if self.keeps:
            record = _Record(probe.space, np.ascontiguousarray(probe.vector, "<f4").tobytes())
            sealed = self._vault.seal(
                msgspec.msgpack.encode(record), _context(probe.event_id, probe.person_id)
            )
            self._write(self._folder / f"{probe.event_id}~{probe.person_id}.probe", sealed)
        self.prune()

    def find(self, event_id: str) -> Probe:
        """Return the probe of an event.

        Raises ``NotFoundError`` where none is kept any more, ``StoreCorruptError`` on damage.
        """
        self.prune()
        for path, event, person_id in self._all():
            if event == event_id:
                return self._read(path, event, person_id)
        raise NotFoundError(
            f"the face of the event {event_id[:80]!r} is not kept: gallery.probe_hours says how long they "
            "are, and only those of visits that name a person"
        )

    def forget(self, *person_ids: str) -> int:
        """Erase the probes of people; return how many there were. Raises ``StoreError``."""
        gone = [path for path, _, person_id in self._all() if person_id in person_ids]
        self._erase([*gone, *self._leftovers(_STALE_SECONDS)])
        return len(gone)

    def retain(self, person_ids: Collection[str]) -> None:
        """Erase the probes of everybody else, who was forgotten; for whoever writes them.

        What a write that was cut off left may be of anybody. Raises ``StoreError`` once all is tried.
        """
        gone = [path for path, _, person_id in self._all() if person_id not in person_ids]
        self._erase([*gone, *self._leftovers(float("-inf"))])

    def prune(self) -> None:
        """Erase what is too old or too many. Raises ``StoreError``."""
        oldest = time.time() - self._keep_seconds
        aged = sorted(((_modified(path), path) for path, _, _ in self._all()), reverse=True)
        most = self._most if self.keeps else 0
        gone = [path for place, (at, path) in enumerate(aged) if place >= most or at < oldest]
        self._erase([*gone, *self._leftovers(_STALE_SECONDS)])

    def _all(self) -> Iterator[tuple[Path, str, str]]:
        """Yield path, event id and person id of each probe."""
        for path in self._files():
            if (name := _NAME.fullmatch(path.name)) is not None:
                yield path, name[1], name[2]

    def _leftovers(self, older_than: float) -> list[Path]:
        """Return what writes left that were cut off so many seconds ago."""
        now = time.time()
        files = (path for path in self._files() if path.name.endswith(".new"))
        return [path for path in files if now - _modified(path) > older_than]

    def _files(self) -> list[Path]:
        if not is_there(self._folder):
            return []
        try:
            return list(self._folder.iterdir())
        except OSError as exc:
            raise StoreError(f"{self._folder}: cannot be read: {exc.strerror}") from exc

    def _read(self, path: Path, event_id: str, person_id: str) -> Probe:
        try:
            record = opened(self._vault, path.read_bytes(), _context(event_id, person_id), _Record)
            vector = np.frombuffer(record.vector, "<f4").astype(np.float32)
        except (StoreCorruptError, ValueError) as exc:
            raise StoreCorruptError(f"the face kept of the event {event_id} fails its check") from exc
        except OSError as exc:
            raise StoreError(f"{path}: cannot be read: {exc.strerror}") from exc
        vector.flags.writeable = False
        return Probe(event_id, person_id, record.space, vector)

    def _write(self, path: Path, sealed: bytes) -> None:
        make_private_directory(self._folder)
        beside = path.with_name(f".{secrets.token_hex(6)}.new")
        try:
            descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, FILE_MODE)
            with os.fdopen(descriptor, "wb") as file:
                file.write(sealed)
            inherit_owner(beside)
            beside.replace(path)
        except OSError as exc:
            beside.unlink(missing_ok=True)
            raise StoreError(f"{path}: cannot be written: {exc.strerror}") from exc

    def _erase(self, paths: Collection[Path]) -> None:
        """Overwrite, then remove; what is gone already is fine. All are tried before one is said to stay."""
        kept: StoreError | None = None
        for path in paths:
            try:
                with path.open("r+b") as file:
                    file.write(bytes(path.stat().st_size))
                    file.flush()
                    os.fsync(file.fileno())
                path.unlink()
            except FileNotFoundError:
                continue
            except OSError as exc:
                kept = StoreError(f"{path}: cannot be erased: {exc.strerror}")
        if kept is not None:
            raise kept


def _modified(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def _context(event_id: str, person_id: str) -> bytes:
    return b"\0".join((b"probe", event_id.encode(), person_id.encode()))
