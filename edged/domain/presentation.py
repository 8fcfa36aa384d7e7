"""Presentation attacks and their error rates, in the terms of ISO/IEC 30107-3.

APCER is the share of attacks of one species that are taken for live, BPCER the share of living people
that are taken for an attack; both over the presentations that showed a face at all.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

# 95 % of such intervals hold the true rate.
CONFIDENCE = 0.95


class Species(StrEnum):
    """A kind of presentation attack instrument (ISO/IEC 30107-3: PAI species)."""

    PRINT = "print"
    PHONE = "phone"
    TABLET = "tablet"
    REPLAY = "replay"


@dataclass(frozen=True, slots=True)
class ErrorRate:
    """``errors`` of ``trials``, and the interval (Clopper-Pearson, 95 %) that the true rate lies in."""

    errors: int
    trials: int
    low: float
    high: float

    @classmethod
    def of(cls, errors: int, trials: int) -> "ErrorRate":
        """Count ``errors`` among ``trials``; of no trials nothing is known. Raises ``ValueError``."""
        low, high = clopper_pearson(errors, trials)
        return cls(errors, trials, low, high)

    @property
    def rate(self) -> float | None:
        """The share of errors; None without trials."""
        return self.errors / self.trials if self.trials else None


def clopper_pearson(errors: int, trials: int, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Return the exact two-sided confidence interval of a rate (Clopper and Pearson 1934).

    With no error in n trials its upper end is 1 - 0.025^(1/n), some 3.7 / n: a clean run of twenty leaves
    room for 17 %. Found by bisection of the binomial tail to 1e-9. Raises ``ValueError`` unless
    0 <= ``errors`` <= ``trials``.
    """
    if not 0 <= errors <= trials:
        raise ValueError(f"expected errors between 0 and {trials}, got {errors}")
    if trials == 0:
        return 0.0, 1.0
    tail = (1 - confidence) / 2
    low = 0.0 if errors == 0 else _root(lambda p: 1 - _at_most(errors - 1, trials, p) - tail)
    high = 1.0 if errors == trials else _root(lambda p: tail - _at_most(errors, trials, p))
    return low, high


def _at_most(errors: int, trials: int, p: float) -> float:
    """Return the binomial chance of ``errors`` or fewer; terms in logarithms, since trials may be many."""
    if p <= 0 or p >= 1:
        return 1.0 if p <= 0 or errors >= trials else 0.0
    total = math.lgamma(trials + 1)
    terms = (
        total
        - math.lgamma(k + 1)
        - math.lgamma(trials - k + 1)
        + k * math.log(p)
        + (trials - k) * math.log1p(-p)
        for k in range(errors + 1)
    )
    return min(1.0, math.fsum(math.exp(term) for term in terms))


def _root(rising: Callable[[float], float]) -> float:
    """Return where a function that rises over 0..1 crosses zero."""
    low, high = 0.0, 1.0
    while high - low > 1e-9:
        middle = (low + high) / 2
        low, high = (low, middle) if rising(middle) > 0 else (middle, high)
    return (low + high) / 2
