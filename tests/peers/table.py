"""One line a contender, its ratio to edged turn by turn, and what others do better."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from edged.evaluation.intervals import Share
from tests.peers.accuracy import Accuracy
from tests.peers.contender import Contender
from tests.peers.race import Times, start_seconds

# Less is not told apart on a machine that does other things too.
_CLEARLY = 1.05


@dataclass(frozen=True, slots=True)
class Ratio:
    """CPU time in times that of edged for the same frames: the median turn, and where nine of ten lie."""

    median: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Row:
    """What one contender took; with ``why`` it took no part, and there are no numbers.

    Wall milliseconds of a frame, CPU milliseconds of a frame over all threads, CPU milliseconds that spinning
    threads burn after the last frame, resident megabytes after the run, seconds from starting the process to
    the first vector. ``ratio`` is of frames back to back; ``paced`` of frames with a pause after each, as a
    camera sends them, where what spins in the pause counts too.
    """

    name: str
    own: bool = False
    why: str | None = None
    p50_ms: float = 0.0
    p95_ms: float = 0.0
    cpu_ms: float = 0.0
    spin_ms: float = 0.0
    rss_mb: float = 0.0
    start_seconds: float = 0.0
    frames: int = 0
    frames_without_face: int = 0
    ratio: Ratio | None = None
    paced: Ratio | None = None
    aim: float | None = None
    accuracy: Accuracy | None = None
    versions: dict[str, str] = field(default_factory=dict)

    @property
    def reached(self) -> bool | None:
        """Whether the aim is reached; None without one, or without a ratio."""
        return None if self.aim is None or self.ratio is None else self.ratio.median >= self.aim


def ratio(times: Times, reference: Times, *, paced: bool = False) -> Ratio:
    """Compare turn by turn: both had the same frames within seconds of each other."""
    mine, beside = (
        np.array(one.turn_cpu_ms) + (np.array(one.after_cpu_ms) if paced else 0.0)
        for one in (times, reference)
    )
    quotients = mine / beside
    low, median, high = np.percentile(quotients, [5, 50, 95])
    return Ratio(float(median), float(low), float(high))


def row(contender: Contender, times: Times, reference: Times | None, found: Accuracy | None) -> Row:
    """Summarise what ``contender`` took beside ``reference``."""
    p50, p95 = np.percentile(times.frame_ms, [50, 95])
    return Row(
        name=contender.name,
        own=contender.own,
        p50_ms=float(p50),
        p95_ms=float(p95),
        cpu_ms=float(np.median(times.turn_cpu_ms)),
        spin_ms=float(np.median(times.after_cpu_ms)),
        rss_mb=times.usage.rss_mb if times.usage else 0.0,
        start_seconds=start_seconds(times),
        frames=len(times.frame_ms),
        frames_without_face=times.frames_without_face,
        ratio=None if reference is None else ratio(times, reference),
        paced=None if reference is None else ratio(times, reference, paced=True),
        aim=contender.aim,
        accuracy=found,
        versions=times.versions,
    )


def better(rows: Iterable[Row], reference: Row) -> list[str]:
    """Say of each of the others in what it is ahead of ``reference``; a cost counts from a twentieth on."""
    said = []
    for one in rows:
        if one.why is not None or one.own:
            continue
        ahead = [
            f"{what} {theirs:.{digits}f} to {ours:.{digits}f}"
            for what, theirs, ours, digits in _costs(one, reference)
            if theirs * _CLEARLY < ours
        ]
        ahead += [
            f"{what} {theirs.value:.2%} to {own.value:.2%} ({theirs.hits - own.hits} of {own.trials} pairs)"
            for what, theirs, own in _shares(one, reference)
            if theirs.value > own.value
        ]
        if ahead:
            said.append(f"{one.name} is ahead of {reference.name}: {', '.join(ahead)}")
    return said


def _costs(one: Row, reference: Row) -> list[tuple[str, float, float, int]]:
    return [
        ("p50 ms", one.p50_ms, reference.p50_ms, 1),
        ("p95 ms", one.p95_ms, reference.p95_ms, 1),
        ("CPU ms", one.cpu_ms, reference.cpu_ms, 1),
        ("CPU ms with spinning", one.cpu_ms + one.spin_ms, reference.cpu_ms + reference.spin_ms, 1),
        ("RSS MB", one.rss_mb, reference.rss_mb, 0),
        ("start s", one.start_seconds, reference.start_seconds, 2),
    ]


def _shares(one: Row, reference: Row) -> list[tuple[str, Share, Share]]:
    if one.accuracy is None or reference.accuracy is None:
        return []
    theirs, ours = one.accuracy.rates, reference.accuracy.rates
    shares = [("accuracy", theirs.accuracy, ours.accuracy)]
    for point, own in zip(theirs.points, ours.points, strict=True):
        if point.tmr is not None and own.tmr is not None:
            shares.append((f"TMR at {point.target:g}", point.tmr, own.tmr))
    return shares


def show(rows: Sequence[Row], reference: str, notes: Sequence[str], console: Console) -> None:
    """Print the table, and below it ``notes`` and what it does not say at a glance."""
    table = Table(title=f"One frame of 640 x 480 with one face; x: its CPU time in times that of {reference}")
    for heading, where in _COLUMNS:
        table.add_column(heading, justify=where)
    for one in rows:
        if one.why is None:
            table.add_row(*_cells(one))
    console.print(table)
    for one in rows:
        if one.why is not None:
            console.print(f"{one.name}: took no part, {one.why}", markup=False, soft_wrap=True)
        elif one.frames_without_face:
            missed = f"no face in {one.frames_without_face} of {one.frames} frames"
            console.print(f"{one.name}: {missed}", markup=False, soft_wrap=True)
    for line in [versions(rows), *notes, *aims(rows), *better(rows, _named(rows, reference))]:
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def versions(rows: Iterable[Row]) -> str:
    """Name the libraries that ran; one of two versions is named twice."""
    found = {f"{name} {version}" for one in rows for name, version in one.versions.items()}
    return f"With {', '.join(sorted(found))}"


def aims(rows: Iterable[Row]) -> list[str]:
    """Say of each aim whether it is reached."""
    return [
        f"{one.name}: at least {one.aim:g} times was the aim, {one.ratio.median:.1f} were measured: "
        + ("reached" if one.reached else "MISSED")
        for one in rows
        if one.aim is not None and one.ratio is not None
    ]


def as_json(rows: Sequence[Row], reference: str, notes: Sequence[str]) -> dict[str, Any]:
    """Return everything as JSON values."""
    told = [asdict(one) | {"reached": one.reached} for one in rows]
    ahead = better(rows, _named(rows, reference))
    return {
        "reference": reference,
        "networks": list(notes),
        "rows": told,
        "aims": aims(rows),
        "ahead": ahead,
    }


def _named(rows: Iterable[Row], name: str) -> Row:
    return next(one for one in rows if one.name == name)


_COLUMNS: tuple[tuple[str, Any], ...] = (
    ("", "left"),
    ("p50 ms", "right"),
    ("p95 ms", "right"),
    ("CPU ms", "right"),
    ("+ spin", "right"),
    ("x (90 % of turns)", "right"),
    ("x paced", "right"),
    ("RSS MB", "right"),
    ("start s", "right"),
    ("accuracy %", "right"),
    ("TMR % 1e-2", "right"),
    ("1e-3", "right"),
    ("no face", "right"),
)


def _cells(one: Row) -> list[str]:
    times = (
        "" if one.ratio is None else f"{one.ratio.median:.1f} ({one.ratio.low:.1f} - {one.ratio.high:.1f})"
    )
    costs = [one.p50_ms, one.p95_ms, one.cpu_ms, one.spin_ms]
    return [
        one.name,
        *(f"{cost:.1f}" for cost in costs),
        times,
        "" if one.paced is None else f"{one.paced.median:.1f}",
        f"{one.rss_mb:.0f}",
        f"{one.start_seconds:.2f}",
        *_accuracy_cells(one.accuracy),
    ]


def _accuracy_cells(found: Accuracy | None) -> list[str]:
    if found is None:
        return ["-"] * 4
    rates = ["-" if point.tmr is None else f"{100 * point.tmr.value:.1f}" for point in found.rates.points]
    return [f"{100 * found.rates.accuracy.value:.2f}", *rates, f"{found.without_face}"]
