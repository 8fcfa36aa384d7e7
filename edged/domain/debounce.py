"""A switch that bounces: its level counts once it has stood still.

The level is sampled, never its edges: an edge that was missed would leave the door open for good.
"""


class Debounced:
    """``feed`` is given each sample; ``settled`` is the level that counts, None before the first."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._candidate: bool | None = None
        self._since = 0.0
        self.settled: bool | None = None

    def feed(self, level: bool, now: float) -> bool:
        """Take a sample at ``now`` (monotonic seconds); True where the settled level has changed by it."""
        if level != self._candidate:
            self._candidate, self._since = level, now
        if level == self.settled or now - self._since < self._seconds:
            return False
        self.settled = level
        return True
