"""Events of the door that no reader has taken yet: on the disk, in order, bounded.

Each has a line in a file, see ``spool_lines``, which starts anew whenever nothing waits. Writing happens in
a thread of its own, since a card may take hundreds of milliseconds for a sync and the loop has a door to
lock: an event may reach a reader before it reaches the disk, but it stays here until the reader has it in
its journal.

A disk that fails keeps nobody outside: events wait in memory then, and ``kept`` is False. So it is where one
stands still: what is to be written is bounded too, and the file starts anew once the disk goes on. What
cannot be read at the start is moved aside where that is possible, as ``<name>.damaged-<time>``, and the door
goes on; so is a copy of a file with damaged lines, and how many events were in them is told.
"""

import errno
import logging
import os
import queue
import stat
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from edged.doorway import spool_lines
from edged.doorway.messages import Happened
from edged.doorway.owner import inherit_owner
from edged.doorway.spool_lines import Left

logger = logging.getLogger(__name__)

# Some 300 bytes each. At a busy door with no reader that is a day; readers are away for minutes.
MAX_EVENTS = 5000
# Lines that say no more than others do are carried along until the file is written anew.
_MAX_STRUCK = 2000
# Of jobs that a disk which stands still leaves undone. Beyond that the whole is shorter than its changes.
_MOST_JOBS = 5000
_LATCH = "emergency"
# A card that damages each new file as well would be filled with them, one a restart.
_MOST_ASIDE = 5


class Spool:
    """``waiting`` is the events by id, oldest first, ``readers`` for whom how many of them are.

    One thread calls it, the one that keeps the door.

    ``emergency`` is the latch of the fire input, which outlives the process as well. What the disk says of it
    follows, however often that takes: a latch that stayed behind would open the door at the next start.
    ``period`` is the event that began the period which runs, or which ran when the earlier process ended.
    """

    def __init__(self, folder: Path) -> None:
        """Read what an earlier process left in ``folder``; ``damaged`` is whether some of it cannot be read.

        A latch that cannot be read is none: no fault opens the door, and a fire that goes on is heard again.
        ``lost`` is how many events nobody was told of that found no room, or were in damaged lines; nobody
        knows how many were in a file, or the rest of one, that the disk does not give, ``lost_unread``.
        """
        self.lost = 0
        self.lost_unread = False
        self.damaged = False
        self.emergency = False
        self.period: Happened | None = None
        self.waiting: dict[str, Happened] = {}
        self.readers: Counter[str] = Counter()
        self._failing: set[str] = set()  # files
        self._path = folder / "events"
        self._latch = folder / _LATCH
        self._latched: bool | None = None  # what the disk says; None: not known
        self._recall(folder, lambda: _make(folder))
        self._recall(self._path, self._read_events)
        self._recall(self._latch, self._read_latch)
        self._struck = 0
        self._behind = False  # jobs were left out: the file starts anew once the others are done
        self._jobs: queue.SimpleQueue[tuple[str, bytes] | None] = queue.SimpleQueue()
        self._jobs.put(("anew", self._whole()))
        if self._latched is None:
            self._jobs.put(("latch", b""))
        self._writer = threading.Thread(target=self._write, name="edged-door-spool", daemon=True)
        self._writer.start()

    def _recall(self, path: Path, read: Callable[[], None]) -> None:
        try:
            read()
        except OSError as exc:
            self.damaged = True
            text = "cannot be read, the door goes on without it path=%s error=%s aside=%s"
            logger.error(text, path, exc.strerror, _moved_aside(path))  # noqa: TRY400 - the text says it all

    def _read_events(self) -> None:
        if not _is_file(self._path):
            return
        # Lines that strike out are not synced: after a power cut some more may seem to wait.
        left = Left(MAX_EVENTS + _MAX_STRUCK)
        try:
            left.read(self._path)
        except OSError:
            self.lost_unread = self._path.stat().st_size > 0
            raise
        finally:  # what was read before the disk failed is not lost
            self.period, self.waiting, self.lost = left.period, left.waiting, left.lost
            self.readers.update(event.reader for event in self.waiting.values() if event.reader)
        if left.damaged or left.torn:
            aside = _copied_aside(self._path) if left.damaged else "-"
            text = "events of the door: lines damaged count=%d torn=%s events_lost=%d aside=%s"
            logger.warning(text, left.damaged, left.torn, left.lost, aside)
        self.damaged = self.damaged or left.damaged > 0

    def _read_latch(self) -> None:
        self.emergency = self._latched = _is_file(self._latch)
        if self.emergency:
            self.period = None  # it became part of the emergency

    @property
    def kept(self) -> bool:
        """Whether the disk has every event and knows whether there is an emergency."""
        return not self._failing and not self._behind and self._latched is self.emergency

    @property
    def full(self) -> bool:
        """Whether so many events wait that none is taken any more."""
        return len(self.waiting) >= MAX_EVENTS

    def put(self, event: Happened, *, begins: bool = False, ends: bool = False, tells: int = 0) -> bool:
        """Keep an event; False where too many wait already, and it is counted in ``lost``.

        Whether it begins or ends a period is kept in any case. ``tells``: of so many that were lost.
        """
        room, lines = not self.full, b""
        if room:
            self.waiting[event.event] = event
            if event.reader:
                self.readers[event.reader] += 1
            self.lost -= tells
            lines = spool_lines.event_line(event)
        else:
            self.lost += 1
            self._struck += 1
        if tells or not room:
            lines += spool_lines.lost_line(self.lost)
        if begins or ends:
            self.period = event if begins else None
            lines += spool_lines.period_line(self.period)
        if self._struck > _MAX_STRUCK:
            self._write_anew()
        else:
            self._write_later("append", lines)
        return room

    def taken(self, event_id: str) -> None:
        """Forget an event that a reader has in its journal."""
        event = self.waiting.pop(event_id, None)
        if event is None:
            return
        if event.reader:
            self.readers -= Counter((event.reader,))  # drops what is nought
        self._struck += 1
        if not self.waiting or self._struck > _MAX_STRUCK:
            self._write_anew()
        else:
            # Not synced: an event whose striking out is lost is offered again, with the same id.
            self._write_later("note", spool_lines.taken_line(event_id))

    def latch(self, *, emergency: bool) -> None:
        """Remember across a restart whether there is an emergency."""
        self.emergency = emergency
        self._write_later("latch", b"")

    def _write_anew(self) -> None:
        self._struck = 0
        self._write_later("anew", self._whole())

    def _write_later(self, kind: str, data: bytes) -> None:
        """Hand a job to the writer; ``waiting`` and ``period`` stand for those that are left out."""
        if self._jobs.qsize() < _MOST_JOBS:
            self._jobs.put((kind, data))
        elif not self._behind:
            self._behind = True
            logger.error("the disk stands still, what the door writes is in memory alone jobs=%d", _MOST_JOBS)

    def close(self, seconds: float) -> bool:
        """Write what is left, what has failed once more; False where that took longer than ``seconds``."""
        self.mend()
        if self._behind:
            self._jobs.put(("anew", self._whole()))
            self._jobs.put(("latch", b""))
        self._jobs.put(None)
        self._writer.join(seconds)
        return not self._writer.is_alive()

    def _whole(self) -> bytes:
        lines = [spool_lines.event_line(event) for event in self.waiting.values()]
        if self.period is not None:
            lines.append(spool_lines.period_line(self.period))
        if self.lost:
            lines.append(spool_lines.lost_line(self.lost))
        return b"".join(lines)

    def mend(self) -> None:
        """Try again what has failed. A file that a write failed in is not trusted: it starts anew."""
        if not self._jobs.empty():
            return
        if self._behind:
            self._behind = False
            self._failing.add(self._path.name)  # until the whole is written
        if self._path.name in self._failing:
            self._jobs.put(("anew", self._whole()))
        if self._latched is not self.emergency:
            self._jobs.put(("latch", b""))

    def _write(self) -> None:
        while (job := self._jobs.get()) is not None:
            file = self._latch.name if job[0] == "latch" else self._path.name
            try:
                self._do(*job)
            except OSError as exc:
                if file not in self._failing:
                    text = "what the door writes is in memory alone file=%s error=%s"
                    logger.error(text, file, exc.strerror)  # noqa: TRY400 - the text says it all
                self._failing.add(file)
            else:
                if job[0] in ("anew", "latch"):
                    self._failing.discard(file)

    def _do(self, kind: str, data: bytes) -> None:
        if kind == "latch":
            wanted, self._latched = self.emergency, None
            if wanted:
                _replace(self._latch, b"1\n")
            else:
                self._latch.unlink(missing_ok=True)
                _sync_folder(self._latch.parent)
            self._latched = wanted
        elif kind == "anew":
            _make(self._path.parent)
            _replace(self._path, data)
        else:
            _append(self._path, data, sync=kind == "append")


def _make(folder: Path, mode: int = 0o700) -> None:
    if not folder.is_dir():
        if not folder.parent.exists():
            _make(folder.parent, 0o777)
        folder.mkdir(mode, exist_ok=True)  # the daemon makes some of them too
        inherit_owner(folder)
        _sync_folder(folder.parent)


def _is_file(path: Path) -> bool:
    """Whether there is one. Raises ``OSError`` where that cannot be said, or it is something else."""
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return False
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, "not a file")
    return True


def _moved_aside(path: Path) -> str:
    """Move away what cannot be read, for somebody to look at; return its new name, "-" if that failed."""
    try:
        aside = _aside(path)
        return "-" if aside is None else path.rename(aside).name
    except OSError:
        return "-"


def _copied_aside(path: Path) -> str:
    """Keep what stands in a file that is about to be replaced; return its name, "-" if that failed."""
    try:
        aside = _aside(path)
        if aside is None:
            return "-"
        aside.hardlink_to(path)
    except OSError:
        return "-"
    return aside.name


def _aside(path: Path) -> Path | None:
    """Return where to put what is damaged, None where enough lies there. Raises ``OSError``."""
    if len(list(path.parent.glob(f"{path.name}.damaged-*"))) >= _MOST_ASIDE:
        return None
    now = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    return path.with_name(f"{path.name}.damaged-{now}-{os.urandom(2).hex()}")


def _append(path: Path, data: bytes, *, sync: bool) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        if os.write(descriptor, data) != len(data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        if sync:
            os.fdatasync(descriptor)
    finally:
        os.close(descriptor)
        inherit_owner(path)


def _replace(path: Path, data: bytes) -> None:
    beside = path.with_name(f".{path.name}.new")
    beside.unlink(missing_ok=True)
    _append(beside, data, sync=True)
    beside.replace(path)
    _sync_folder(path.parent)


def _sync_folder(path: Path) -> None:
    """Let a name that was put into a folder, or taken out of it, outlive a power cut."""
    folder = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
