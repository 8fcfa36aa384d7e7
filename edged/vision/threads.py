"""With how many threads the networks of a door run: one where one is quick enough.

Every further one costs processor time, which is heat: both networks of a frame take 8.2 ms of it in one
thread, 9.6 in two (two x86-64 cores), and a frame is done no sooner there. Where nobody said how many, and
the machine was not measured (``vision.profile``), a frame is timed as the networks are opened, once a start:
what a door began with it keeps.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from edged.config.sections import ModelsConfig
from edged.domain.types import Image
from edged.vision.profile import cores, standing

# A person before the camera is judged up to so many times a second: three agreeing frames in a fifth of one.
MOST_FPS = 15
# So much of the time between two frames the recognition thread may be busy with one face: the rest is for a
# second one, for liveness, and for a board that gets hot.
BUSY_SHARE = 0.5
BUDGET_MS = BUSY_SHARE * 1000 / MOST_FPS
# More threads than these gain nothing on networks this small.
MOST_THREADS = 4
# A thread that saves less than a tenth is a second one of the same core.
_WORTH_A_THREAD = 0.9
# The first run after opening finds nothing in the caches; of three on a busy machine one is rarely disturbed.
_RUNS = 3

# Monotonic seconds, by the number of threads that are timed.
Clock = Callable[[int], float]


@dataclass(frozen=True, slots=True)
class Threads:
    """How many, and why; ``took_ms`` are those of a frame's two networks by what was tried, often nothing."""

    count: int
    why: str
    took_ms: tuple[tuple[int, float], ...] = ()

    @property
    def text(self) -> str:
        """For people; one line."""
        return f"threads {self.count}: {self.why}"


def stated_threads(models: ModelsConfig) -> Threads | None:
    """Return what need not be measured; None where a frame has to be timed.

    On two cores a second thread is never run, however slow they are: it would be the camera's core.
    """
    if models.threads != "auto":
        return Threads(models.threads, "models.threads says so")
    found = standing(models).profile
    if found is not None:
        return Threads(found.threads, "the profile of this machine says so")
    if most_threads(cores()) == 1:
        return Threads(1, f"of {cores()} cores one is the camera's" if cores() > 1 else "on one core")
    return None


def most_threads(available: int) -> int:
    """Return how many threads may run on so many cores; one is the camera's, the broker's and the disk's."""
    return max(1, min(MOST_THREADS, available - 1))


def pick_threads(took_ms: Callable[[int], float], most: int) -> Threads:
    """Return the fewest in which a frame leaves half of the time between two free, else the fastest.

    ``took_ms`` times a frame with so many threads; it is asked for one, and for more only while that is too
    slow and each saved a tenth.
    """
    tried = {1: took_ms(1)}
    count = 1
    while tried[count] > BUDGET_MS and count < most:
        tried[count + 1] = took_ms(count + 1)
        if tried[count + 1] > _WORTH_A_THREAD * tried[count]:
            break
        count += 1
    told = ", ".join(f"{number}: {ms:.1f} ms" for number, ms in tried.items())
    if tried[count] <= BUDGET_MS:
        why = f"the fewest in which the networks of a frame take less than {BUDGET_MS:.0f} ms ({told})"
    else:
        why = f"the fastest with a core left to the camera; none takes less than {BUDGET_MS:.0f} ms ({told})"
    return Threads(count, why, tuple(tried.items()))


def least_ms(run: Callable[[], object], threads: int, now: Clock) -> float:
    """Return the milliseconds of ``run``: the least of a few, or the first that is within the budget."""
    least = float("inf")
    for _ in range(_RUNS):
        started = now(threads)
        run()
        least = min(least, (now(threads) - started) * 1000)
        if least <= BUDGET_MS:
            break
    return least


def clock(threads: int) -> float:
    """Return seconds: of this thread's processor time where it does all of the work.

    What else the machine does at its start has no part in that. Several threads gain what the wall says.
    """
    return time.thread_time() if threads == 1 else time.perf_counter()


def detailed_picture(width: int, height: int) -> Image:
    """Return a picture (H, W, 3) uint8 as full of detail as any.

    In a flat one an activation always goes the same way: of MobileFaceNet's PRelu that takes half the time.
    """
    side = 64
    # Knuth's multiplicative hash: noise without a generator, which would have to be imported.
    numbers = np.arange(side * side * 3, dtype=np.uint32) * np.uint32(2654435761) >> np.uint32(24)
    tile = numbers.astype(np.uint8).reshape(side, side, 3)
    return np.tile(tile, (-(-height // side), -(-width // side), 1))[:height, :width]
