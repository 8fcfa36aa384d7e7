"""Two files side by side on the same pictures: are the numbers the same, and which is faster."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
import numpy.typing as npt

from edged.domain.types import FloatArray, Image

# Largest difference of an output as a share of its largest value. Measured: 1e-6 for MobileFaceNet y1,
# 2e-6 for SCRFD, float32's own rounding; a wrong rewrite costs 1e-2 and more.
TOLERANCE = 1e-4
# Lowest cosine of an output. At 1e-4 of deviation an embedding's is 0.999999 and better, and a score moves by
# less than the last digit that a calibration table gives.
MIN_COSINE = 0.99999
# A difference this large is more than two runs of one file show.
WORTH_IT = 0.97
_SAMPLES = 24
# Enough for 80 rounds of what a door can use at all; ten tell a tenth.
_RACE_SECONDS = 10.0
_LEAST_ROUNDS = 10

# A share of the loudest output.
_QUIET = 0.01
# A photograph of a head in 320 x 320 pixels has a face of some 200, 70 and 30 pixels then: YuNet's layers
# answer to 10 pixels and more, to 64 and to 128.
_TILES = (1, 3, 6)

_Flat = npt.NDArray[np.float64]
Runner = Callable[[Image], list[FloatArray]]
Clock = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Agreement:
    """``deviation``: see ``TOLERANCE``. ``cosine`` is the lowest of an output over ``samples`` pictures."""

    deviation: float
    cosine: float
    samples: int

    @property
    def problem(self) -> str | None:
        """What speaks against the second file; None where both are one function."""
        # Written so that NaN fails too.
        if not self.deviation <= TOLERANCE:
            return (
                f"differs from the original by {self.deviation:.2g} of its output, "
                f"at most {TOLERANCE:g} is allowed"
            )
        if not self.cosine >= MIN_COSINE:
            return (
                f"an output has cosine {self.cosine:.7f} to the original's, "
                f"{MIN_COSINE:g} is the least allowed"
            )
        return None


@dataclass(frozen=True, slots=True)
class Speed:
    """Milliseconds of each, what nine of ten runs took at least, and as a share of the first's."""

    ms: tuple[float, ...]
    ratios: tuple[float, ...]


def drawn_pictures(size: tuple[int, int], count: int = _SAMPLES, seed: int = 0) -> list[Image]:
    """Return pictures (height, width, 3) of ``size`` (width, height): flat, noisy, and smooth at all scales.

    A rewrite is the same function for every picture or for none; these reach darkness, full light, every
    colour alone and all slopes of an activation.
    """
    random = np.random.default_rng(seed)
    width, height = size
    flat = [np.full((height, width, 3), colour, np.uint8) for colour in (0, 255, (255, 0, 0), (0, 0, 255))]
    drawn: list[Image] = list(flat)
    for index in range(max(0, count - len(flat))):
        coarse = random.integers(0, 256, (2 + 3 * index, 2 + 3 * index, 3), np.uint8)
        drawn.append(np.asarray(cv2.resize(coarse, size, interpolation=cv2.INTER_CUBIC), np.uint8))
    return drawn


def tiled(picture: Image, size: tuple[int, int]) -> list[Image]:
    """Return a picture in ``size`` (width, height) once alone and then many times beside itself.

    A detector has layers for large, for smaller and for small faces, and one that sees none says so little
    that only rounding is left to compare.
    """
    shown = []
    for times in _TILES:
        small = cv2.resize(picture, (max(1, size[0] // times), max(1, size[1] // times)))
        shown.append(np.asarray(cv2.resize(np.tile(small, (times, times, 1)), size), np.uint8))
    return shown


def compare(original: Runner, other: Runner, pictures: Sequence[Image]) -> Agreement:
    """Run both on ``pictures``.

    Outputs of other number or shape, and those that are not finite, give an infinite deviation.
    """
    outputs: list[_Seen] = []
    for picture in pictures:
        expected, got = original(picture), other(picture)
        outputs = outputs or [_Seen() for _ in expected]
        if not _comparable(expected, got):
            return Agreement(float("inf"), -1.0, len(pictures))
        for seen, first, second in zip(outputs, expected, got, strict=True):
            seen.add(first.astype(np.float64).ravel(), second.astype(np.float64).ravel())
    deviation = max((one.difference / max(one.size, 1e-30) for one in outputs), default=float("inf"))
    return Agreement(deviation, min((one.cosine() for one in outputs), default=-1.0), len(pictures))


def _comparable(expected: Sequence[FloatArray], got: Sequence[FloatArray]) -> bool:
    same = [one.shape for one in expected] == [one.shape for one in got]
    return same and all(np.isfinite(one).all() for one in [*expected, *got])


@dataclass(slots=True)
class _Seen:
    """One output over all pictures: its largest value, the largest difference, (norm, cosine) of each."""

    size: float = 0.0
    difference: float = 0.0
    angles: list[tuple[float, float]] = field(default_factory=list)

    def add(self, first: _Flat, second: _Flat) -> None:
        self.size = max(self.size, float(np.abs(first).max(initial=0)))
        self.difference = max(self.difference, float(np.abs(first - second).max(initial=0)))
        norms = float(np.linalg.norm(first)), float(np.linalg.norm(second))
        self.angles.append((norms[0], float(first @ second) / max(norms[0] * norms[1], 1e-30)))

    def cosine(self) -> float:
        # An output that says next to nothing for a picture has no direction; the deviation speaks for it.
        loudest = max(norm for norm, _ in self.angles)
        spoken = [cosine for norm, cosine in self.angles if norm > max(loudest * _QUIET, 1e-15)]
        return min(spoken, default=1.0)


def race(runners: Sequence[Runner], pictures: Sequence[Image], rounds: int, clock: Clock) -> Speed:
    """Run all in turns, ``rounds`` times each, or fewer once ``_RACE_SECONDS`` are over.

    ``clock`` gives seconds, of a wall or of a processor.
    The lower decile counts: others on the machine only ever add to a run. With both cores taken by others the
    medians of one file against itself were up to 15 % apart, the lower deciles 3 % by the clock on the wall.
    """
    taken = np.empty((rounds, len(runners)))
    until, done = time.monotonic() + _RACE_SECONDS, 0
    for turn in range(-2, rounds):  # two rounds to warm up
        if turn >= _LEAST_ROUNDS and time.monotonic() > until:
            break
        picture = pictures[turn % len(pictures)]
        for index, run in enumerate(runners):
            started = clock()
            run(picture)
            taken[max(turn, 0), index] = clock() - started
        done = max(turn, 0) + 1
    undisturbed = np.percentile(taken[:done], 10, axis=0)
    ratios = undisturbed / undisturbed[0]
    return Speed(tuple(map(float, undisturbed * 1000)), tuple(map(float, ratios)))
