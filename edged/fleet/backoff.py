"""How long to wait before the next attempt.

paho doubles its delay without jitter, so a fleet would come back in step after a broker restart,
and resets it at every accepted connection, so two devices with one client id would kick each other
about once a second for ever. Here the delay falls back only after a connection that lasted.
"""

import secrets
from collections.abc import Callable

# Longer than the round trip in which a broker drops one of two clients with the same id.
STABLE_SECONDS = 10.0

_random = secrets.SystemRandom().random


class Backoff:
    """Doubling delays between ``minimum`` and ``maximum`` seconds, each times 0.5 to 1.

    ``jitter`` returns a number 0..1.
    """

    def __init__(self, minimum: float, maximum: float, jitter: Callable[[], float] = _random) -> None:
        self._minimum = minimum
        self._maximum = maximum
        self._jitter = jitter
        self._next = minimum

    def delay(self, lasted_seconds: float = 0.0) -> float:
        """Return the seconds to wait after a connection that lasted ``lasted_seconds`` (0: none)."""
        if lasted_seconds >= STABLE_SECONDS:
            self._next = self._minimum
        delay = self._next
        self._next = min(self._maximum, self._next * 2)
        return delay * (0.5 + 0.5 * self._jitter())
