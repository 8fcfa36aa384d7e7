"""The lines of the spool's file, and what an earlier process left in them.

One line an event, before it its CRC-32: ``crc {json}``. A line that says ``taken`` strikes one out; ``begun``
and ``ended`` go with the events that begin and end a period in which the line stands unlocked, ``lost`` says
how many events found no room and were not told of yet.
"""

import re
import zlib
from pathlib import Path

from edged.doorway.messages import Happened, encode, happened
from edged.errors import DoorwayError

_TAKEN = b"taken "
_BEGUN = b"begun "
_ENDED = b"ended"
_LOST = b"lost "
# In each event, and once more in the line of a period that begins: there behind a word, not a checksum.
_EVENT_MARK = b'"type":"happened"'
_BEHIND_A_WORD = re.compile(rb'[^0-9a-f] \{"')
_MAX_LINE = 8192
_MOST_DIGITS = 12  # what a message can carry on, and no door loses


def event_line(event: Happened) -> bytes:
    """Return the line of an event."""
    return _line(encode(event))


def taken_line(event_id: str) -> bytes:
    """Return the line that strikes an event out."""
    return _line(_TAKEN + event_id.encode())


def period_line(period: Happened | None) -> bytes:
    """Return the line that says which period runs, None: none."""
    return _line(_ENDED if period is None else _BEGUN + encode(period))


def lost_line(lost: int) -> bytes:
    """Return the line that says how many events found no room."""
    return _line(_LOST + b"%d" % lost)


class Left:
    """What a file says: ``waiting`` by id, oldest first, and the event of a ``period`` that runs.

    ``damaged`` lines are passed over, and so is a last one that is ``torn``, as a power cut leaves it.
    ``lost`` counts the events that were in them too. An event that was struck out afterwards is not lost:
    its reader has it.
    """

    def __init__(self, most: int) -> None:
        """No more than ``most`` wait: the newest beyond are lost."""
        self.waiting: dict[str, Happened] = {}
        self.period: Happened | None = None
        self.damaged = 0
        self.torn = False
        self._most = most
        self._no_room = 0
        self._hurt = 0  # events in lines that cannot be read
        self._shed = 0
        self._struck_unknown = 0

    @property
    def lost(self) -> int:
        """How many events are lost."""
        return self._no_room + self._shed + max(0, self._hurt - self._struck_unknown)

    def read(self, path: Path) -> None:
        """Read a file. Raises ``OSError``."""
        with path.open("rb") as file:
            while line := file.readline(_MAX_LINE):
                content = line[9:].rstrip(b"\n")
                try:
                    if line != _line(content):
                        raise DoorwayError("not what was written")  # noqa: TRY301 - one way for both
                    self._heed(content)
                except DoorwayError:
                    self._hurt += _events_in(content)
                    self.torn = not line.endswith(b"\n") and len(line) < _MAX_LINE
                    self.damaged += not self.torn

    def _heed(self, content: bytes) -> None:
        if content.startswith(_TAKEN):
            event_id = content.removeprefix(_TAKEN).decode("utf-8", "replace")
            self._struck_unknown += self.waiting.pop(event_id, None) is None
        elif content.startswith(_BEGUN):
            self.period = happened(content.removeprefix(_BEGUN))
        elif content == _ENDED:
            self.period = None
        elif content.startswith(_LOST):
            self._no_room = _number(content.removeprefix(_LOST))
        else:
            event = happened(content)
            self.waiting[event.event] = event
            if len(self.waiting) > self._most:
                self.waiting.popitem()
                self._shed += 1


def _events_in(content: bytes) -> int:
    """Return how many events were in bytes that are no line any more; two where the end of one was hurt."""
    begun = len(_BEHIND_A_WORD.findall(content))
    event = not begun and (content.startswith(b"{") or content.endswith(b"}"))
    return max(int(event), content.count(_EVENT_MARK) - begun)


def _number(text: bytes) -> int:
    if not text.isdigit() or len(text) > _MOST_DIGITS:
        raise DoorwayError(f"expected a number, got {text[:20]!r}")
    return int(text)


def _line(content: bytes) -> bytes:
    return b"%08x %b\n" % (zlib.crc32(content), content)
