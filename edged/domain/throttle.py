"""What a door takes from those who ask for it: so many requests, and so much time unlocked.

The bounds of one period do not bound a thousand of them: a program that has gone wrong, or somebody who
speaks for it, could begin the next period as soon as the bolt has fallen.
"""

from collections import deque
from dataclasses import dataclass

# More than a door ever sees: people pass one a second at most, and each is granted once.
REQUEST_WINDOW_SECONDS = 10.0
SHARE_WINDOW_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class ThrottleLimits:
    """``requests`` in ten seconds; ``share`` of two minutes that the line may be released on request."""

    requests: int
    share: float


class Throttle:
    """Counts; all times are monotonic seconds. Bounded, however many requests come."""

    def __init__(self, limits: ThrottleLimits) -> None:
        self._limits = limits
        self._requests: deque[float] = deque(maxlen=limits.requests)
        self._periods: deque[tuple[float, float]] = deque()

    def admits(self, now: float) -> bool:
        """Whether one more request may be heard; it counts if so."""
        full = len(self._requests) == self._limits.requests
        if full and now - self._requests[0] < REQUEST_WINDOW_SECONDS:
            return False
        self._requests.append(now)
        return True

    def spent(self, now: float) -> float:
        """Return the seconds of the window that ends at ``now`` in which the line was released."""
        begin = now - SHARE_WINDOW_SECONDS
        while self._periods and self._periods[0][1] <= begin:
            self._periods.popleft()
        return sum(min(end, now) - max(start, begin) for start, end in self._periods)

    def affords(self, now: float, running_since: float | None, seconds: float) -> bool:
        """Whether ``seconds`` more may be released, beside a period that runs since ``running_since``."""
        running = 0.0 if running_since is None else now - running_since
        return self.spent(now) + running + seconds <= self._limits.share * SHARE_WINDOW_SECONDS

    def ended(self, start: float, end: float) -> None:
        """Count a period that is over."""
        self._periods.append((start, end))
