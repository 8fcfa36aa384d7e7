"""How far a measured share may be off, and which rates so many trials can show at all.

All bounds are two-sided at 95 %.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edged.evaluation.error_rates import RULE_OF_ERRORS

# The normal deviate of 97.5 %.
_DEVIATE = 1.959964
_RESAMPLES = 1000
_PERCENTILES = (2.5, 97.5)
# Zero errors in n trials: the rate is below 3/n at 95 % (Jovanovic and Levy 1997, "the rule of three").
RULE_OF_NONE = 3

Counts = Sequence[int] | npt.NDArray[np.integer]


@dataclass(frozen=True, slots=True)
class Share:
    """``hits`` of ``trials``, and the bounds ``low`` and ``high`` of the share, all 0..1."""

    value: float
    low: float
    high: float
    hits: int
    trials: int


def wilson(hits: int, trials: int) -> tuple[float, float]:
    """Return the score interval (Wilson 1927) of ``hits`` in ``trials`` that do not depend on each other."""
    if trials == 0:
        return 0.0, 1.0
    share, spread = hits / trials, _DEVIATE**2 / trials
    centre = (share + spread / 2) / (1 + spread)
    half = _DEVIATE * math.sqrt(share * (1 - share) / trials + spread / (4 * trials)) / (1 + spread)
    # At the ends the formula is exact, its rounding is not.
    return 0.0 if hits == 0 else max(0.0, centre - half), 1.0 if hits == trials else min(1.0, centre + half)


def independent_share(hits: int, trials: int) -> Share:
    """Return a share with its Wilson bounds."""
    return Share(hits / trials if trials else 0.0, *wilson(hits, trials), hits, trials)


def clustered_share(hits: Counts, trials: Counts, seed: int = 1) -> Share:
    """Return the share of ``hits[i]`` in ``trials[i]`` over the people i, with bounds by bootstrap.

    Photographs of a person fail together, so people are drawn anew and not photographs (the subset
    bootstrap of Bolle, Ratha and Pankanti 2004). Where nobody or everybody failed there is nothing to
    draw: the far bound is then Wilson's for as many trials as there are people.
    """
    own, all_ = np.asarray(hits, np.int64), np.asarray(trials, np.int64)
    own, all_ = own[all_ > 0], all_[all_ > 0]
    done, total = int(own.sum()), int(all_.sum())
    if total == 0:
        return Share(0.0, 0.0, 1.0, 0, 0)
    value = done / total
    if done in {0, total}:
        people = len(all_)
        return Share(value, *wilson(people if done else 0, people), done, total)
    # The Poisson bootstrap: each person is drawn so many times, independent of the others. People with
    # the same counts are interchangeable, and a sum of Poisson numbers is one itself.
    kinds, people_each = np.unique(np.stack([own, all_]), axis=1, return_counts=True)
    drawn = np.random.default_rng(seed).poisson(people_each, (_RESAMPLES, len(people_each)))
    own_drawn, all_drawn = drawn @ kinds[0], drawn @ kinds[1]
    shares = own_drawn[all_drawn > 0] / all_drawn[all_drawn > 0]
    low, high = np.percentile(shares, _PERCENTILES)
    return Share(value, min(value, float(low)), max(value, float(high)), done, total)


def needed_trials(rate: float) -> int:
    """Return how many trials ``rate`` needs so that 30 errors stand behind it (see ``RULE_OF_ERRORS``)."""
    return math.ceil(RULE_OF_ERRORS / rate - 1e-6)


def shortage(rate: float, trials: int) -> str | None:
    """Say why ``trials`` cannot carry ``rate``, or None if they can."""
    if trials >= needed_trials(rate):
        return None
    if trials < RULE_OF_NONE / rate:
        return (
            f"rule of 3: {trials:,} trials without any error show {RULE_OF_NONE / max(1, trials):.2g} at best"
        )
    return f"rule of 30: needs {needed_trials(rate):,} trials, has {trials:,}"
