"""Events that seem to be at fault themselves: held back, and tried alone now and then, for ever.

One that was in flight alone when the connection broke may have broken it (MQTT 3.1.1 cannot say "too
large": the broker hangs up), or the network did. Nobody can tell, so none is given up. What is held does
not stand in the way of others, and the pauses between its tries grow, so that a poisonous event costs
a connection now and then and not one after the other.
"""

from dataclasses import dataclass

# A bound on memory. Whoever is displaced is an ordinary row again from the next connection on.
_MOST = 1024


@dataclass(slots=True)
class _Suspect:
    due_at: float
    delay: float


class Suspects:
    """By sequence number. Times are monotonic seconds; pauses grow from ``minimum`` to ``maximum``.

    After a failed try no other is due for ``minimum``, however many are held.
    """

    def __init__(self, minimum: float, maximum: float) -> None:
        self._minimum = minimum
        self._maximum = maximum
        self._held: dict[int, _Suspect] = {}
        self._quiet_until = 0.0

    def __contains__(self, seq: object) -> bool:
        return seq in self._held

    def __len__(self) -> int:
        return len(self._held)

    def failed(self, seq: int, now: float) -> None:
        """Hold the row, longer than the last time."""
        held = self._held.pop(seq, None)
        delay = self._minimum if held is None else min(self._maximum, held.delay * 2)
        if len(self._held) >= _MOST:
            del self._held[next(iter(self._held))]
        self._held[seq] = _Suspect(now + delay, delay)
        self._quiet_until = now + self._minimum

    def left(self, seq: int) -> None:
        """Forget a row that is no longer in the outbox."""
        self._held.pop(seq, None)

    def cleared(self, now: float) -> None:
        """Let all be tried at once: one of them went through, so what held them may be over."""
        self._quiet_until = now
        for held in self._held.values():
            held.due_at = now

    def due(self, now: float) -> int | None:
        """Return the row to try, None where no pause is over: the least suspect first, then the oldest."""
        if now < self._quiet_until:
            return None
        ready = [(held.delay, seq) for seq, held in self._held.items() if held.due_at <= now]
        return min(ready)[1] if ready else None

    def next_at(self, now: float) -> float:
        """Return when the next pause ends; infinity where none is running."""
        ends = (max(held.due_at, self._quiet_until) for held in self._held.values())
        return min((end for end in ends if end > now), default=float("inf"))
