"""Whether visits leave anything behind, judged by what a process held after so many of them."""

from collections.abc import Sequence
from dataclasses import dataclass

from tests.chaos.slope import Slope, slope

_LOWEST_OF = 5
# What a visit may seem to leave, in the figure's own unit per 1,000 visits, and be no leak: less than half an
# object, half a kilobyte, one descriptor in a thousand.
LEAST = {"malloc_mb": 0.5, "blocks": 500.0, "descriptors": 1.0, "threads": 1.0, "door_rss_mb": 0.5}
FIGURES = ("rss_mb", *LEAST)


@dataclass(frozen=True, slots=True)
class Kept:
    """What the process held after ``visits``."""

    visits: float
    rss_mb: float
    malloc_mb: float
    blocks: float
    descriptors: float
    threads: float
    door_rss_mb: float


def slopes(samples: Sequence[Kept]) -> dict[str, Slope]:
    """Return the slope of each figure per 1,000 visits, the first quarter of them left out."""
    return {
        # ``slope`` tells units an hour of seconds: a visit stands for 3.6 of these.
        name: slope([(3.6 * visits, value) for visits, value in lowest(samples, name)])
        for name in FIGURES
    }


def lowest(samples: Sequence[Kept], name: str) -> list[tuple[float, float]]:
    """Return (visits, value) of the smallest of each few samples."""
    chunks = [samples[at : at + _LOWEST_OF] for at in range(0, len(samples), _LOWEST_OF)]
    return [(chunk[0].visits, min(getattr(one, name) for one in chunk)) for chunk in chunks]


def leaks(found: dict[str, Slope], visits: int) -> list[str]:
    """Name what grows. The slopes' own time is three quarters of the visits."""
    return [name for name, least in LEAST.items() if found[name].grows(least * 0.75 * visits / 1000)]
