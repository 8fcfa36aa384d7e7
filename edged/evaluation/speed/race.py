"""All settings side by side on the same frames, in turns: whoever else is at work disturbs all alike."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edged.domain.types import Image
from edged.evaluation.embedding import Progress, silent
from edged.evaluation.speed.settings import Setting

# A door pauses between two frames as well.
_PAUSE_SECONDS = 0.004
# Threads that spin do so for 30 ms after a run (two x86-64 cores, onnxruntime 1.31.1): it is their own work,
# and must not be in the way of the next one.
_SPUN_SECONDS = 0.05
# On a machine at rest a dozen rounds tell a tenth.
_LEAST_ROUNDS = 12
_WARM_UP_ROUNDS = 2

_Times = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Runner:
    """What a frame asks of the networks in one setting."""

    setting: Setting
    detect: Callable[[Image], object]
    embed: Callable[[Image], object]


@dataclass(frozen=True, slots=True)
class Raced:
    """Milliseconds of one setting.

    ``detect_ms``, ``embed_ms``, ``both_ms`` and ``cpu_ms`` (processor time of all threads, spinning included)
    are what nine of ten rounds took at least: others on the machine only ever add. ``detect_cpu_ms`` and
    ``embed_cpu_ms`` are parts of it. ``p50_ms`` and ``p95_ms``
    are of both. ``ratio`` is ``both_ms`` by that of the first setting, ``cpu_ratio`` likewise.
    """

    setting: Setting
    detect_ms: float
    embed_ms: float
    both_ms: float
    p50_ms: float
    p95_ms: float
    cpu_ms: float
    detect_cpu_ms: float
    embed_cpu_ms: float
    ratio: float
    cpu_ratio: float


def race(
    runners: Sequence[Runner],
    frames: Sequence[tuple[Image, Image]],
    *,
    rounds: int,
    seconds: float,
    progress: Progress = silent,
) -> list[Raced]:
    """Run all in turns on ``frames`` (picture, aligned face), ``rounds`` times, or until ``seconds`` end.

    Every turn has an order of its own, so that nobody always comes after the same one.
    """
    shuffled = np.random.default_rng(0)
    taken = np.zeros((len(runners), rounds, 5))
    until, done = time.monotonic() + seconds, 0
    for turn in range(-_WARM_UP_ROUNDS, rounds):
        if turn >= _LEAST_ROUNDS and time.monotonic() > until:
            break
        picture, face = frames[turn % len(frames)]
        for index in shuffled.permutation(len(runners)):
            taken[index, max(turn, 0)] = _once(runners[index], picture, face)
        done = max(turn, 0) + 1
        progress(done, rounds)
    return _told(runners, taken[:, :done])


def _once(runner: Runner, picture: Image, face: Image) -> tuple[float, ...]:
    """Return the seconds of detection and embedding, and of processors: until the threads rest, of each."""
    cpu, started = time.process_time(), time.perf_counter()
    runner.detect(picture)
    found, found_cpu = time.perf_counter(), time.process_time()
    runner.embed(face)
    ended, ended_cpu = time.perf_counter(), time.process_time()
    time.sleep(_SPUN_SECONDS if runner.setting.spinning else _PAUSE_SECONDS)
    return found - started, ended - found, time.process_time() - cpu, found_cpu - cpu, ended_cpu - found_cpu


def _told(runners: Sequence[Runner], taken: _Times) -> list[Raced]:
    milliseconds = taken * 1000
    both = milliseconds[..., 0] + milliseconds[..., 1]
    detect, embed, cpu, detect_cpu, embed_cpu = np.percentile(milliseconds, 10, axis=1).T
    low, middle, high = np.percentile(both, [10, 50, 95], axis=1)
    return [
        Raced(
            setting=runner.setting,
            detect_ms=_rounded(detect[index]),
            embed_ms=_rounded(embed[index]),
            both_ms=_rounded(low[index]),
            p50_ms=_rounded(middle[index]),
            p95_ms=_rounded(high[index]),
            cpu_ms=_rounded(cpu[index]),
            detect_cpu_ms=_rounded(detect_cpu[index]),
            embed_cpu_ms=_rounded(embed_cpu[index]),
            ratio=_rounded(low[index] / low[0]),
            cpu_ratio=_rounded(cpu[index] / cpu[0]),
        )
        for index, runner in enumerate(runners)
    ]


def _rounded(value: float) -> float:
    return round(float(value), 3)
