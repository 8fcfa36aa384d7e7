"""Events that the broker has acknowledged and the collector has not.

Where ``mqtt.app_ack`` is set a PUBACK is not enough: a broker that is killed can lose what it acknowledged.
A row is expected here from the moment it is sent; only the collector's acknowledgement takes it away. One
that does not come in time makes the row due again, under the same event id, with growing pauses.

At most ``MOST`` rows are expected. While the collector answers, more than that wait; once it has been
silent for two acknowledgement times, five minutes at most, the oldest are let go of, so that whoever else
listens still gets what is new. Those stay in the outbox, and are sent again after the collector's next word
or the next start.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from edged.domain.types import EventKind

# Four times the largest window: a collector that stores in batches does not slow a door down.
MOST = 256
# As for a row held back: a row the collector will not take costs two messages an hour.
_DELAY_MAX_SECONDS = 1800.0
_SILENT_AFTER = 2.0
# Whoever gives a collector an hour does not want the door's events to stand still for two.
_SILENT_MOST_SECONDS = 300.0


@dataclass(slots=True)
class _Expected:
    """``due_at`` is infinite until the broker has answered."""

    seq: int
    kind: EventKind
    delay: float
    due_at: float = float("inf")


class Receipts:
    """For one thread. Times are monotonic seconds; ``seconds`` is how long the collector may take."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._by_id: dict[str, _Expected] = {}
        self._ids: dict[int, str] = {}
        self._quiet_since = 0.0
        self._silent = False
        self._let_go: dict[EventKind, int] = {}
        self._let_go_from: int | None = None

    def __contains__(self, seq: object) -> bool:
        return seq in self._ids

    def __len__(self) -> int:
        return len(self._ids)

    def sent(self, seq: int, event_id: str, kind: EventKind, now: float) -> None:
        """Expect an acknowledgement of the row; sent again, it is given more time than before."""
        if not self._ids and not self._silent:
            self._quiet_since = now
        known = self._by_id.get(event_id)
        delay = self._seconds if known is None else min(_DELAY_MAX_SECONDS, known.delay * 2)
        self._by_id[event_id] = _Expected(seq, kind, delay)
        self._ids[seq] = event_id

    def passed(self, seq: int, now: float) -> bool:
        """Begin to wait: the broker answered. False where the collector was faster."""
        event_id = self._ids.get(seq)
        if event_id is None:
            return False
        expected = self._by_id[event_id]
        expected.due_at = now + expected.delay
        return True

    def forget(self, seq: int) -> None:
        """Expect nothing of a row that left the outbox or did not reach the broker."""
        event_id = self._ids.pop(seq, None)
        if event_id is not None:
            del self._by_id[event_id]

    def acknowledged(self, event_ids: Sequence[str], now: float) -> list[int]:
        """Take the collector's word; return the rows it is about, once each, unknown ids left out."""
        found = []
        for event_id in event_ids:
            expected = self._by_id.pop(event_id, None)
            if expected is not None:
                del self._ids[expected.seq]
                found.append(expected.seq)
        if found:
            if self._silent or now - self._quiet_since > self._seconds:
                self._hurry(now)
            self._quiet_since, self._silent = now, False
        return found

    def _hurry(self, now: float) -> None:
        """Make due what the collector may have missed: it answers again."""
        for expected in self._by_id.values():
            if expected.due_at != float("inf"):
                expected.due_at = min(expected.due_at, now)

    def disconnected(self) -> None:
        """Expect nothing: all that is in the outbox is sent again, in order, at the next connection."""
        self._by_id.clear()
        self._ids.clear()

    def room(self, now: float) -> int:
        """Return how many more rows may be expected; a collector that is silent makes room."""
        if self._ids and now - self._quiet_since > min(self._seconds * _SILENT_AFTER, _SILENT_MOST_SECONDS):
            self._silent = True
        if len(self._ids) >= MOST and self._silent:
            self._let_one_go()
        return MOST - len(self._ids)

    def _let_one_go(self) -> None:
        waiting = [one for one in self._by_id.values() if one.due_at != float("inf")]
        if not waiting:
            return
        oldest = min(waiting, key=lambda one: one.seq)
        self.forget(oldest.seq)
        self._let_go[oldest.kind] = max(oldest.seq, self._let_go.get(oldest.kind, 0))
        self._let_go_from = min(oldest.seq, self._let_go_from or oldest.seq)

    def has_let_go(self, kind: EventKind, seq: int) -> bool:
        """Whether the row was sent before and is left alone until the collector speaks."""
        return seq <= self._let_go.get(kind, 0)

    def taken_up(self) -> int | None:
        """Return the oldest row let go of, once, when the collector has spoken since; None otherwise."""
        if self._silent or self._let_go_from is None:
            return None
        oldest, self._let_go_from = self._let_go_from, None
        self._let_go.clear()
        return oldest

    def due(self, now: float, limit: int) -> list[int]:
        """Return up to ``limit`` rows to be sent again, oldest first."""
        return sorted(one.seq for one in self._by_id.values() if one.due_at <= now)[: max(0, limit)]

    def next_at(self, now: float) -> float:
        """Return when the next row is due; infinity where none waits."""
        ends = (one.due_at for one in self._by_id.values())
        return min((end for end in ends if end > now), default=float("inf"))
