"""How much nonsense a way for answers bears before it is shut for a while.

What does not open under the key is no guess at a PIN: a guess needs the key. It is somebody who may write to
the topic and should not, and each message costs the door a little. After ``max_door_wrong`` of them within
``lockout_seconds``, the limits that hold for wrong answers, this way takes none for ``lockout_seconds``.
Other ways are not shut: whoever can publish must not lock out people who stand at a keypad.
"""

from collections import deque

from edged.domain.factor_desk import FactorLimits


class NonsenseGuard:
    """One thread owns it; every time is a parameter. A time that is none (NaN) or runs backwards is shut."""

    def __init__(self, limits: FactorLimits) -> None:
        self._limits = limits
        self._at: deque[float] = deque()
        self._shut_until = float("-inf")
        self._now = float("-inf")

    def shut(self, now: float) -> bool:
        """Whether nothing is taken at ``now``."""
        if not now >= self._now:
            return True
        self._now = now
        return now < self._shut_until

    def count(self, now: float) -> bool:
        """Count a message that was none; True where it is the one too many."""
        if self.shut(now):
            return False
        self._at.append(now)
        while self._at[0] < now - self._limits.lockout_seconds:
            self._at.popleft()
        if len(self._at) < self._limits.max_door_wrong:
            return False
        self._at.clear()
        self._shut_until = now + self._limits.lockout_seconds
        return True
