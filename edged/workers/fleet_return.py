"""A door of a fleet that comes back lets nobody in by their face before it has heard who is denied.

A door without its broker goes by what it has: that is meant, nobody is to stand outside for a broken line.
Once the line is there, whoever was denied meanwhile must not be faster than the denial. So from the
connection on faces wait: until what the publisher retains has been taken and faces are compared with it;
until the line is lost again, as the door is without its broker then; or for ``_MOST_SECONDS``.

A broker that withholds the news gains nothing by that: it could have stayed away. Nor can one keep the door
shut by coming and going, or a line that flaps: all that may be waited is bounded, however often it connects.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

from edged.metrics import Metrics
from edged.workers.door import UnlockRequest
from edged.workers.effects import Door

REFUSAL = "catching_up"
# A door that comes back has everything in force after 1.9 s, one of a hundred that are served by two cores
# (`edged fleet simulate`, README): more than twice that is no line on which to wait for the news.
_MOST_SECONDS = 5.0
# Two connections at their slowest, or five at that pace; after that one second in twelve.
_IN_A_ROW_SECONDS = 10.0
_REGAINED_A_SECOND = 1 / 12


class ReturnGate:
    """For one thread, but ``shut`` and ``refuses``, which any may ask. ``clock``: monotonic seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._left, self._left_at = _IN_A_ROW_SECONDS, clock()
        self._since = self._until = self._opened_at = float("-inf")

    @property
    def shut(self) -> bool:
        """Whether faces wait."""
        return self._clock() < self._until

    def refuses(self, granted_at: float) -> bool:
        """Whether a face seen at ``granted_at`` opens nothing: the gallery was another one then, maybe."""
        return self.shut or granted_at < self._opened_at

    def close(self) -> None:
        """Have faces wait from now on, for as long as may be."""
        now = self._clock()
        self._count(now)
        self._since, self._until = now, now + min(_MOST_SECONDS, self._left)  # never open in between

    def open(self) -> None:
        """Let faces open the door again."""
        now = self._clock()
        if self._until > now:
            self._opened_at = now  # first
        self._count(now)
        self._since = self._until = float("-inf")

    def _count(self, now: float) -> None:
        """Take what was waited from what is left."""
        waited = max(0.0, min(now, self._until) - self._since) if self._until > self._since else 0.0
        regained = (now - self._left_at) * _REGAINED_A_SECOND
        self._left, self._left_at = max(0.0, min(_IN_A_ROW_SECONDS, self._left + regained) - waited), now


@dataclass(frozen=True, slots=True)
class ReturningDoor:
    """The door for faces, behind ``gate``; a command has rules of its own for a door that comes back."""

    door: Door
    gate: ReturnGate
    metrics: Metrics

    def refusal(self, granted_at: float) -> str | None:
        """Say why a grant of ``granted_at`` (monotonic seconds) would be refused now, None if not."""
        return REFUSAL if self.gate.refuses(granted_at) else self.door.refusal(granted_at)

    def request(self, request: UnlockRequest) -> bool:
        """Ask for the door; False where it is not even considered."""
        if self.gate.refuses(request.granted_at):
            self.metrics.lock_refusals.labels(REFUSAL).inc()
            return False
        return self.door.request(request)
