"""In which order undelivered events go out when some topics have no listener.

Each kind of event has its own topic and is a lane. Within a lane rows keep their order, and across
lanes too as long as all are heard. A lane whose row came back (nobody listens, quota, a passing
fault) pauses alone: its rows stay in the outbox, the other lanes go on, and after a growing delay one
row of it is tried. Once that one is heard the lane resumes at its oldest undelivered row.

What is kept in memory is one number a lane, whatever the outbox holds.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from edged.domain.types import EventKind


@dataclass(slots=True)
class _Lane:
    """Rows up to ``cursor`` are delivered or in flight. ``delay`` 0: the lane is heard."""

    cursor: int = 0
    resume_at: float = 0.0
    delay: float = 0.0
    in_flight: int = 0
    head: int = 0
    failures: int = 0


class Lanes:
    """One lane an event kind. Times are monotonic seconds; pauses grow from ``minimum`` to ``maximum``."""

    def __init__(self, minimum: float, maximum: float) -> None:
        self._minimum = minimum
        self._maximum = maximum
        self._lanes = {kind: _Lane() for kind in EventKind}

    def restart(self) -> None:
        """Forget everything: a new connection begins at the oldest row of every lane."""
        for kind in self._lanes:
            self._lanes[kind] = _Lane()

    def rewind(self, seq: int) -> None:
        """Begin again at row ``seq``: some from there on are back in the outbox."""
        for lane in self._lanes.values():
            lane.cursor = min(lane.cursor, seq - 1)

    @property
    def paused(self) -> bool:
        """Whether a lane waits for its topic to be heard again."""
        return any(lane.delay > 0.0 for lane in self._lanes.values())

    def start(self, now: float) -> int | None:
        """Return the sequence number to read on from; None while no lane may send."""
        cursors = [lane.cursor for lane in self._lanes.values() if _open(lane, now)]
        return min(cursors) if cursors else None

    def wants(self, kind: EventKind, seq: int, now: float) -> bool:
        """Whether this row is the next of its lane and may go out."""
        lane = self._lanes[kind]
        return seq > lane.cursor and _open(lane, now)

    def handed(self, kind: EventKind, seq: int) -> None:
        """Note that the row is in flight."""
        lane = self._lanes[kind]
        lane.cursor = seq
        lane.in_flight += 1

    def passed(self, seq: int, now: float) -> None:
        """Note that every row up to ``seq`` was looked at: open lanes have nothing left below it."""
        for lane in self._lanes.values():
            if _open(lane, now):
                lane.cursor = max(lane.cursor, seq)

    def done(self, kind: EventKind) -> None:
        """Note that a row in flight left the outbox: somebody listens, or it was put aside."""
        lane = self._lanes[kind]
        lane.in_flight -= 1
        lane.delay, lane.failures = 0.0, 0

    def returned(self, kind: EventKind, seq: int, now: float) -> int:
        """Note that a row in flight came back undelivered; return how often in a row this one did."""
        lane = self._lanes[kind]
        lane.in_flight -= 1
        lane.cursor = min(lane.cursor, seq - 1)
        if now >= lane.resume_at:  # the others of the same window add no further delay
            lane.delay = min(self._maximum, lane.delay * 2 or self._minimum)
            lane.resume_at = now + lane.delay
        lane.failures = lane.failures + 1 if lane.head == seq else 1
        lane.head = seq
        return lane.failures

    def next_at(self, now: float) -> float:
        """Return when the next paused lane may try again; infinity where none is paused."""
        return min(_resumes(self._lanes.values(), now), default=float("inf"))


def _open(lane: _Lane, now: float) -> bool:
    if lane.delay == 0.0:
        return True
    return now >= lane.resume_at and lane.in_flight == 0


def _resumes(lanes: Iterable[_Lane], now: float) -> list[float]:
    return [lane.resume_at for lane in lanes if lane.delay > 0.0 and lane.resume_at > now]
