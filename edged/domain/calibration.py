"""From a stated risk to a cosine threshold.

A stranger's visit is compared with all N enrolled people, so the chance that it opens the door is
FPIR = 1 - (1 - FMR)^N (ISO/IEC 19795-1, independence assumed; relatives and poor pictures break it).
Turned round, FMR = 1 - (1 - FPIR)^(1/N). The pack's table says at which cosine that FMR was measured.
A further frame of the same visit is not counted as a fresh attempt, because several frames of one
track must agree on one person.
"""

import bisect
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


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


@dataclass(frozen=True, slots=True)
class CalibrationPoint:
    """At cosine ``threshold`` the share ``fmr`` of ``comparisons`` impostor pairs was accepted."""

    fmr: float
    threshold: float
    comparisons: int


@dataclass(frozen=True, slots=True)
class Threshold:
    """What follows from the risk: ``cosine`` is None where the table cannot carry the claim.

    ``fmr`` is the false match rate that the risk asks for; ``claim`` says it in words.
    """

    cosine: float | None
    fmr: float
    people: int
    target_fpir: float
    claim: str


def required_fmr(target_fpir: float, people: int) -> float:
    """Return the FMR at which one visit against ``people`` templates has the risk ``target_fpir``."""
    # expm1 and log1p keep the digits that 1 - (1 - x)^(1/N) loses for x near 0.
    return -math.expm1(math.log1p(-target_fpir) / max(1, people))


def threshold_for(points: Sequence[MeasuredPoint], people: int, target_fpir: float) -> Threshold:
    """Return the cosine threshold for ``people`` enrolled and the risk ``target_fpir`` per visit.

    Between two points the cosine is interpolated over log10(FMR). Below the lowest measured FMR there
    is no threshold; above the highest the highest one is kept, since a looser one was never measured.
    """
    fmr = required_fmr(target_fpir, people)
    table = sorted(points, key=lambda point: point.fmr)
    told = f"FPIR {target_fpir:g} with {people} people needs FMR {fmr:.2g}"
    if not table:
        return Threshold(
            None, fmr, people, target_fpir, f"{told}; the embedder's pack has no calibration table"
        )
    if fmr < table[0].fmr:
        lowest = f"the table ends at {table[0].fmr:.2g} ({table[0].comparisons:,} comparisons)"
        return Threshold(None, fmr, people, target_fpir, f"{told}; not enough comparisons: {lowest}")
    cosine = _interpolated(table, fmr)
    return Threshold(cosine, fmr, people, target_fpir, f"{told}; cosine {cosine:.4f}")


def cosine_at(points: Sequence[MeasuredPoint], fmr: float) -> float | None:
    """Return the cosine measured at ``fmr``, or None where the table does not reach so low."""
    table = sorted(points, key=lambda point: point.fmr)
    return None if not table or fmr < table[0].fmr else _interpolated(table, fmr)


def strangers_rate(points: Sequence[MeasuredPoint], cosine: float) -> float:
    """Return about which share of stranger pairs reaches ``cosine``; for ranking, never for a claim.

    Between two points, and beyond the ends of the table, log10(FMR) is taken as linear in the cosine.
    Raises ``ValueError`` for a table with fewer than two points.
    """
    table = sorted(points, key=lambda point: point.threshold)
    if len(table) < 2:
        raise ValueError(f"expected a table of two points or more, got {len(table)}")
    above = bisect.bisect_left([point.threshold for point in table], cosine)
    above = min(max(above, 1), len(table) - 1)
    low, high = table[above - 1], table[above]
    slope = math.log10(high.fmr / low.fmr) / (high.threshold - low.threshold)
    return min(1.0, 10 ** (math.log10(low.fmr) + slope * (cosine - low.threshold)))


def _interpolated(table: Sequence[MeasuredPoint], fmr: float) -> float:
    rates = [point.fmr for point in table]
    above = bisect.bisect_left(rates, fmr)
    if above == len(table):
        return table[-1].threshold
    if rates[above] == fmr:
        return table[above].threshold
    low, high = table[above - 1], table[above]
    share = (math.log10(fmr) - math.log10(low.fmr)) / (math.log10(high.fmr) - math.log10(low.fmr))
    return low.threshold + share * (high.threshold - low.threshold)
