"""Less work while the board is hot, slowed down or late: searches are shed, in a stated order.

Level 1: while nothing moves, half as many pictures are looked at.
Level 2: and once a movement is over, nothing is searched until the next search is due.
Level 3: and what moves without a face in view gets a tenth of a core (a bucket of CPU seconds).

Whatever the level, a picture is searched while a face is in view and as often as the door owes it
(``Glance.owed``), and is judged like any other: freshness, quality, liveness, the votes of several frames
and the second factor know nothing of a governor. People may be noticed later, and nobody is let in by less.

It counts steps and knows no cause by name: under pressure one step down every ten seconds, at once to the
last one where the board is about to slow itself down, and one step up after half a minute without.
"""

import math
from dataclasses import dataclass
from enum import StrEnum

from edged.domain.glance import Glance

DEEPEST = 3
STEP_SECONDS = 10.0
CALM_SECONDS = 30.0
# A sensor rounds to a degree and a fan comes and goes.
_COOLER_BY = 3.0
# Of a core, and how much of it may be saved up: one search of a slow board, at the moment something moves.
_BUDGET = 0.1
_SAVED_SECONDS = 0.2


class Pressure(StrEnum):
    """What makes the governor step down; ``LOAD``: recognition cannot keep up with its pictures."""

    HEAT = "heat"
    THROTTLED = "throttled"
    LOAD = "load"


@dataclass(frozen=True, slots=True)
class Limits:
    """Degrees Celsius from which work is shed, and at which all of it is; the busiest share of the time."""

    warm_celsius: float
    hot_celsius: float
    busy_share: float


@dataclass(frozen=True, slots=True)
class Condition:
    """The state of the board: ``celsius`` and ``throttled`` (0 or 1) are NaN where they are not known.

    ``busy`` is the share of the time that recognition works, ``late`` the share of its pictures that were
    already old when it came to them.
    """

    celsius: float
    throttled: float
    busy: float
    late: float


class Governor:
    """Level 0 sheds nothing; ``level`` 1 to 3 see above. Times are monotonic seconds; one thread owns it."""

    def __init__(self, limits: Limits | None) -> None:
        self.limits = limits
        self._pressures: frozenset[Pressure] = frozenset()
        self._stepped_at = float("-inf")
        self._pressed_at = float("-inf")
        self._bucket = Bucket(_BUDGET, _SAVED_SECONDS)
        self.level = 0

    @property
    def pressures(self) -> frozenset[Pressure]:
        """What presses now."""
        return self._pressures

    @property
    def idle_share(self) -> float:
        """The share of the usual looks at a still picture."""
        return 0.5 if self.level else 1.0

    def observe(self, condition: Condition, now: float) -> None:
        """Take down how the board is, and step. Nothing steps where no limits are set."""
        if self.limits is None:
            return
        self._pressures = _pressures(condition, self.limits, self._pressures)
        if not self._pressures:
            if self.level and now - max(self._pressed_at, self._stepped_at) >= CALM_SECONDS:
                self.level, self._stepped_at = self.level - 1, now
            return
        self._pressed_at = now
        if condition.celsius >= self.limits.hot_celsius:
            self.level, self._stepped_at = DEEPEST, now
        elif self.level < DEEPEST and now - self._stepped_at >= STEP_SECONDS:
            self.level, self._stepped_at = self.level + 1, now

    def admits(self, glance: Glance, now: float) -> bool:
        """Tell whether a picture is searched for what speaks for it."""
        if glance is Glance.STILL:
            return False
        if glance.owed or self.level < 2:
            return True
        if glance is Glance.LINGER:
            return False
        return self.level < DEEPEST or self._bucket.has(now)

    def spent(self, glance: Glance, seconds: float, now: float) -> None:
        """Take down what a search cost. What is owed is paid from what is saved, and never on credit."""
        self._bucket.take(seconds, now, credit=not glance.owed)


class Bucket:
    """CPU seconds: ``rate`` come in a second, ``size`` at most are kept; see the token bucket of RFC 2697."""

    def __init__(self, rate: float, size: float) -> None:
        self._rate = rate
        self._size = size
        self._level = size
        self._at: float | None = None

    def has(self, now: float) -> bool:
        """Whether anything is left."""
        self._fill(now)
        return self._level > 0

    def take(self, seconds: float, now: float, *, credit: bool) -> None:
        """Take so much out; below nothing only with ``credit``."""
        self._fill(now)
        left = self._level - seconds
        self._level = left if credit else max(left, min(self._level, 0.0))

    def _fill(self, now: float) -> None:
        passed = 0.0 if self._at is None else max(0.0, now - self._at)
        self._at = now
        self._level = min(self._size, self._level + self._rate * passed)


def _pressures(seen: Condition, limits: Limits, before: frozenset[Pressure]) -> frozenset[Pressure]:
    """Return what presses. Heat is over a few degrees below where it began; NaN presses nothing."""
    warm = limits.warm_celsius - (_COOLER_BY if Pressure.HEAT in before else 0.0)
    found = {
        Pressure.HEAT: seen.celsius >= warm,
        Pressure.THROTTLED: not math.isnan(seen.throttled) and seen.throttled > 0,
        Pressure.LOAD: max(seen.busy, seen.late) >= limits.busy_share,
    }
    return frozenset(pressure for pressure, presses in found.items() if presses)
