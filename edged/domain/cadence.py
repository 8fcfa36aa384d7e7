"""How often the camera is looked at: at every picture while something happens, else now and then.

A picture that nobody looks at is fetched and left undecoded, which is most of what an empty corridor costs.
The frames in between are lost to nobody: whoever comes is noticed one such pause later at the latest, and
from then on every picture is taken.
"""

# After the last movement or face. Somebody who stops before the door stands still.
LINGER_SECONDS = 1.0
# Cameras are not punctual: at 15 fps every third picture is 0.2 s after the last one, give or take some ms.
_EARLY = 0.85


class Cadence:
    """``idle_fps`` looks a second while nothing happens, settable at any time; one thread asks, one wakes."""

    def __init__(self, idle_fps: float) -> None:
        self.idle_fps = idle_fps
        self._awake_until = float("-inf")
        self._taken_at: float | None = None

    def wake(self, at: float) -> None:
        """Take every picture from monotonic second ``at`` on, for ``LINGER_SECONDS``."""
        self._awake_until = at + LINGER_SECONDS

    def wanted(self, at: float) -> bool:
        """Tell whether the picture that came at monotonic second ``at`` is looked at. Doubt means yes."""
        taken_at = self._taken_at
        asleep = at > self._awake_until
        soon = taken_at is not None and 0 <= at - taken_at < _EARLY / self.idle_fps
        if asleep and soon:
            return False
        self._taken_at = at
        return True
