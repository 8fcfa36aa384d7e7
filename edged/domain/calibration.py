"""From a stated risk to a cosine threshold.

A stranger's visit is compared with all N enrolled people, so the chance that it opens the door is
FPIR = 1 - (1 - q)^N (ISO/IEC 19795-1, independence assumed; relatives and poor pictures break it).
N counts people, not photographs: a person is one centroid. q is the chance against one person in a
whole visit, at most FMR x the visit's attempts (see ``risk``). Turned round,
FMR = (1 - (1 - FPIR)^(1/N)) / attempts. The table says at which cosine that FMR was measured.

A measured rate is not the true one. A row counts for its upper bound: at 95 % confidence the true rate
is no higher. With no error in n comparisons that is 3 / n (the rule of three); the comparisons are
taken as independent, unless whoever measured gives a ``bound`` that takes account of the people behind.

Where the gallery is too large or the table too thin for the stated risk nobody is let in. With
``Risk.second_factor`` those who match are asked for a PIN or badge at the strictest cosine the table vouches
for, if FPIR x GUESSED <= the stated risk: a stranger has to be taken for somebody and to guess what that
person knows, which a face does not tell. GUESSED is 1 in 10. People choose poorly: a thief who knows the
birth date guesses one four-digit PIN in 11 to 18 at a cash machine (Bonneau, Preibusch and Anderson 2012),
within the few tries that a door gives too. More than ten times over the risk nobody is let in as before, and
nobody is let in without a second factor who was not before.
"""

import bisect
import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from statistics import NormalDist
from typing import Protocol

from edged.domain.risk import Risk

CONFIDENCE = 0.95
# The rule of 30 (Doddington 1998): a rate is within 30 % at 90 % confidence once 30 errors stand behind it.
RULE_OF_ERRORS = 30
# See the module.
GUESSED = 0.1

_Z = NormalDist().inv_cdf(CONFIDENCE)
# Up to here the bound is computed exactly; beyond, Wilson and Hilferty's formula is off by less than 1e-5.
_EXACT_ERRORS = 50
# The tail of impostor scores falls ever faster, so a line between two rows lies below it. Half a decade
# apart the rate is understated by 1 %, a decade by 4 %, four decades by half.
_INTERPOLATED_DECADES = 1.0 + 1e-9
# A table has two rows a decade, 1e-3 and 3e-4.
_FALL_DECADES = 0.45


class MeasuredPoint(Protocol):
    """A row of a calibration table, wherever it was read from."""

    @property
    def fmr(self) -> float:
        """Share of impostor pairs accepted."""

    @property
    def threshold(self) -> float:
        """Cosine at which it was measured."""

    @property
    def comparisons(self) -> int:
        """Impostor pairs behind it."""

    @property
    def bound(self) -> float | None:
        """What the true share does not exceed at 95 % confidence; None: follows from the comparisons."""


@dataclass(frozen=True, slots=True)
class CalibrationPoint:
    """At cosine ``threshold`` the share ``fmr`` of ``comparisons`` impostor pairs was accepted."""

    fmr: float
    threshold: float
    comparisons: int
    bound: float | None = None


@dataclass(frozen=True, slots=True)
class Threshold:
    """What follows from the risk: ``cosine`` is None where the table cannot carry the claim.

    ``fmr`` is the false match rate that the risk asks for, ``fpir`` the upper bound of the chance that a
    visit of a stranger opens the door at ``cosine``; None without one. ``claim`` says it in words.
    ``second_factor``: that holds only if whoever matches is asked for a second factor.
    """

    cosine: float | None
    fmr: float
    people: int
    risk: Risk
    claim: str
    fpir: float | None = None
    second_factor: bool = False

    @property
    def target_fpir(self) -> float:
        """The risk that was stated."""
        return self.risk.target_fpir


@dataclass(frozen=True, slots=True)
class _Row:
    """At ``cosine`` and above the false match rate is at most ``rate``, by so many ``comparisons``."""

    rate: float
    cosine: float
    comparisons: int


@cache
def most_errors(errors: int) -> float:
    """Return the mean that leaves 5 % for ``errors`` or fewer: the upper bound of a Poisson count.

    0 errors: 3.00, 1: 4.74, 10: 17.0 (Garwood 1936). A little above the binomial bound, never below.
    """
    if errors > _EXACT_ERRORS:
        count = errors + 1
        return float(count * (1 - 1 / (9 * count) + _Z / (3 * math.sqrt(count))) ** 3)
    low, high = float(errors), 4.0 + 3 * errors
    while high - low > 1e-9 * high:
        mean = (low + high) / 2
        fewer = sum(math.exp(k * math.log(mean) - mean - math.lgamma(k + 1)) for k in range(errors + 1))
        low, high = (mean, high) if fewer > 1 - CONFIDENCE else (low, mean)
    return high


def upper_bound(errors: int, comparisons: int) -> float:
    """Return what the true rate does not exceed, at 95 % confidence, with so many errors seen; at most 1."""
    return min(1.0, most_errors(errors) / comparisons)


def rate_bound(point: MeasuredPoint) -> float:
    """Return the false match rate that ``point`` can vouch for, as an upper bound at 95 % confidence."""
    # No more pairs than this were accepted; rounded up, since tables are written with few digits.
    errors = math.ceil(point.fmr * point.comparisons - 1e-6)
    counted = upper_bound(errors, point.comparisons)
    return counted if point.bound is None else max(point.bound, upper_bound(0, point.comparisons))


def required_fmr(risk: Risk, people: int) -> float:
    """Return the FMR of one comparison at which a visit before ``people`` has the stated risk."""
    # expm1 and log1p keep the digits that 1 - (1 - x)^(1/N) loses for x near 0.
    return -math.expm1(math.log1p(-risk.target_fpir) / max(1, people)) / risk.attempts


def visit_fpir(fmr: float, people: int, attempts: float) -> float:
    """Return the chance that a visit of so many attempts matches one of ``people`` somewhere."""
    return -math.expm1(max(1, people) * math.log1p(-min(fmr * attempts, 1 - 1e-12)))


def threshold_for(points: Sequence[MeasuredPoint], people: int, risk: Risk) -> Threshold:
    """Return the cosine threshold for ``people`` enrolled and the stated ``risk`` of a visit.

    Between two rows up to a decade apart the cosine is interpolated over log10(FMR); further apart the
    stricter row is taken. Below the lowest rate that the rows vouch for there is no threshold; above the
    highest the highest one is kept, since a looser one was never measured.
    """
    fmr = required_fmr(risk, people)
    told = f"FPIR {risk.target_fpir:g} with {people} people"
    if risk.attempts > 1:
        told += f" and {risk.frames_per_visit} frames a visit"
    told += f" needs FMR {fmr:.2g}"
    if not points:
        return Threshold(None, fmr, people, risk, f"{told}; the embedder's pack has no calibration table")
    rows = _rows(points)
    if fmr < rows[0].rate:
        evidence = max(points, key=lambda point: point.threshold).comparisons
        lacking = f"the table vouches for {rows[0].rate:.2g} ({evidence:,} comparisons)"
        told = f"{told}; not enough comparisons for this claim: {lacking}"
        return _with_second_factor(rows[0], fmr, people, risk, told)
    row = _row_at(rows, fmr)
    fpir = visit_fpir(row.rate, people, risk.attempts)
    return Threshold(row.cosine, fmr, people, risk, f"{told}; cosine {row.cosine:.4f}", fpir)


def _with_second_factor(row: _Row, fmr: float, people: int, risk: Risk, told: str) -> Threshold:
    """Return the strictest threshold there is if a second factor makes up for what is lacking, else none."""
    fpir = visit_fpir(row.rate, people, risk.attempts) * GUESSED
    if not risk.second_factor:
        return Threshold(None, fmr, people, risk, told)
    if not fpir <= risk.target_fpir:
        return Threshold(None, fmr, people, risk, f"{told}; too far from it for a second factor")
    told = f"{told}; cosine {row.cosine:.4f} with a second factor"
    return Threshold(row.cosine, fmr, people, risk, told, fpir, second_factor=True)


def no_threshold(people: int, risk: Risk, why: str) -> Threshold:
    """Return what holds where the table itself cannot be known: nobody is let in."""
    return Threshold(None, required_fmr(risk, people), people, risk, why)


def cosine_at(points: Sequence[MeasuredPoint], fmr: float) -> float | None:
    """Return the cosine measured at ``fmr``, or None where the table does not reach so low.

    Takes the rates as they were measured: for the levels of enrolment, which open no door.
    """
    table = [
        _Row(point.fmr, point.threshold, point.comparisons)
        for point in sorted(points, key=lambda point: point.fmr)
    ]
    return None if not table or fmr < table[0].rate else _row_at(table, fmr).cosine


def _rows(points: Sequence[MeasuredPoint]) -> list[_Row]:
    """Return the rows by rising rate and falling cosine, each with the best bound that holds there.

    What is vouched for at a cosine holds at every higher one; a row that adds nothing to that is left out.
    """
    rows: list[_Row] = []
    for point in sorted(points, key=lambda point: (point.threshold, rate_bound(point))):
        rate = rate_bound(point)
        if not rows or rate < rows[-1].rate:
            rows.append(_Row(rate, point.threshold, point.comparisons))
    return rows[::-1]


def _row_at(rows: Sequence[_Row], rate: float) -> _Row:
    """Return the row of the table for ``rate``, made of its neighbours where they are near."""
    above = bisect.bisect_left([row.rate for row in rows], rate)
    if above == len(rows):
        return rows[-1]
    high = rows[above]
    if high.rate == rate:
        return high
    low = rows[above - 1]
    decades = math.log10(high.rate / low.rate)
    if decades > _INTERPOLATED_DECADES:
        return low
    share = math.log10(rate / low.rate) / decades
    return _Row(rate, low.cosine + share * (high.cosine - low.cosine), low.comparisons)


def bounded_cosine(points: Sequence[MeasuredPoint], rate: float) -> float | None:
    """Return the cosine from which ``points`` vouch for ``rate``; None where they do not."""
    rows = _rows(points)
    return None if not rows or rate < rows[0].rate else _row_at(rows, rate).cosine


def refined(table: Sequence[MeasuredPoint], site: Sequence[MeasuredPoint]) -> tuple[MeasuredPoint, ...]:
    """Return the pack's ``table`` made as strict as what was measured at the ``site``; never looser.

    Every row is raised by the most that the site was stricter at any rate that both vouch for and 30
    errors at the site support: fewer say too little against the pack. Rows of the site below the
    pack's reach are added. Where the site has a say, the rates are the bounds themselves.
    """
    if not site:
        return tuple(table)
    if not table:
        return _vouched(site)
    ours = _rows(table)
    told = [point for point in site if point.fmr * point.comparisons >= RULE_OF_ERRORS - 1e-6]
    common = [row for row in _rows(told) if row.rate >= ours[0].rate]
    excess = max([0.0, *(row.cosine - _row_at(ours, row.rate).cosine for row in common)])
    raised = [
        CalibrationPoint(point.fmr, min(1.0, point.threshold + excess), point.comparisons, point.bound)
        for point in table
    ]
    floor = max(point.threshold for point in raised)
    deeper = [
        CalibrationPoint(point.fmr, max(floor, point.threshold), point.comparisons, point.bound)
        for point in site
        if rate_bound(point) < ours[0].rate
    ]
    return _vouched([*raised, *deeper])


def _vouched(points: Sequence[MeasuredPoint]) -> tuple[MeasuredPoint, ...]:
    return tuple(CalibrationPoint(row.rate, row.cosine, row.comparisons, row.rate) for row in _rows(points))


def most_people(points: Sequence[MeasuredPoint], risk: Risk) -> int:
    """Return for how many people ``points`` can carry ``risk``, at most a million."""
    if not points:
        return 0
    chance = min(_rows(points)[0].rate * risk.attempts, 1 - 1e-12)
    people = math.log1p(-risk.target_fpir) / math.log1p(-chance)
    # A whole number that is missed by a rounding is meant.
    return min(1_000_000, math.floor(people * (1 + 1e-9)))


def strangers_rate(points: Sequence[MeasuredPoint], cosine: float) -> float:
    """Return about which share of stranger pairs reaches ``cosine``; for ranking, never for a claim.

    Between two points, and below the table, log10(FMR) is taken as linear in the cosine. Above it the
    steepest fall of the table goes on. Raises ``ValueError`` for a table with fewer than two points.
    """
    table = sorted(points, key=lambda point: point.threshold)
    if len(table) < 2:
        raise ValueError(f"expected a table of two points or more, got {len(table)}")
    last = table[-1]
    if cosine > last.threshold:
        return float(last.fmr * 10 ** (-_steepest(table) * (cosine - last.threshold)))
    above = max(1, bisect.bisect_left([point.threshold for point in table], cosine))
    low, high = table[above - 1], table[above]
    return float(min(1.0, low.fmr * 10 ** (-_fall(low, high) * (cosine - low.threshold))))


def _steepest(table: Sequence[MeasuredPoint]) -> float:
    """Return the steepest fall, in decades a cosine, of a table by rising cosine.

    The tail of strangers falls ever faster. Where the last row falls more slowly, that is its bound, which
    widens as the errors get few, or people who were in the measured set under two names: it is left out.
    Rows nearer than ``_FALL_DECADES`` tell more of rounding than of the tail.
    """
    told = table[:-1] if len(table) > 2 else table
    pairs = [pair for pair in itertools.combinations(told, 2) if _decades(*pair) >= _FALL_DECADES]
    falls = [_fall(*pair) for pair in pairs if pair[0].threshold < pair[1].threshold]
    return max(falls, default=_fall(table[0], table[-1]))


def _fall(low: MeasuredPoint, high: MeasuredPoint) -> float:
    return _decades(low, high) / max(high.threshold - low.threshold, 1e-6)


def _decades(low: MeasuredPoint, high: MeasuredPoint) -> float:
    return math.log10(low.fmr / high.fmr)
