"""The door behind a lockdown: nobody is let in by a face or a command until it is released.

The way out is not its business: exit button and fire input belong to the door process.
"""

from collections.abc import Callable

from edged.metrics import Metrics
from edged.workers.door import UnlockRequest
from edged.workers.effects import Door

REFUSAL = "locked_down"


class LockableDoor:
    """``set`` may be called from any thread; what was granted before has its pulse."""

    def __init__(self, door: Door, metrics: Metrics) -> None:
        self.locked_down = False
        self.on_change: Callable[[bool], None] = lambda _locked_down: None
        self._door = door
        self._metrics = metrics

    def set(self, *, locked_down: bool) -> None:
        """Begin a lockdown, or end it."""
        self.locked_down = locked_down
        self.on_change(locked_down)

    def refusal(self, granted_at: float) -> str | None:
        """Say why a grant of ``granted_at`` (monotonic seconds) would be refused now, None if not."""
        return REFUSAL if self.locked_down else self._door.refusal(granted_at)

    def request(self, request: UnlockRequest) -> bool:
        """Ask for the door; False where it is not even considered."""
        if self.locked_down:
            self._metrics.lock_refusals.labels(REFUSAL).inc()
            return False
        return self._door.request(request)
