"""What a device should run with, by what was measured there. Every rule says why it chose."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from edged.evaluation.speed.race import Raced
from edged.evaluation.speed.settings import Setting
from edged.evaluation.speed.stages import BenchResult
from edged.vision.threads import BUDGET_MS, BUSY_SHARE, MOST_FPS, most_threads

# A smaller gain than this is within what two runs of one file differ by.
WORTH_IT = 0.95


@dataclass(frozen=True, slots=True)
class Pick:
    """What was chosen, and why."""

    what: str
    value: str
    why: str


def pick_setting(raced: Sequence[Raced], cores: int) -> tuple[Setting, list[Pick]]:
    """Return the setting to run, and why; the first of ``raced`` runs without a profile, here in one thread.

    Only what may stand for that is chosen from: files of the same packs, with any number of threads.
    """
    base = raced[0].setting
    chosen, picks = base, []
    for task in ("detector", "embedder"):
        chosen, pick = _precision(task, chosen, raced)
        picks.append(pick)
    chosen, pick = _threads(chosen, raced, cores)
    return chosen, [*picks, pick, *_remarks(base, raced)]


def pick_cadence(result: BenchResult) -> tuple[int, Pick]:
    """Return how many frames a second leave room to spare, and why.

    A frame may keep the recognition thread busy for half of the time in the median, and the slowest of
    twenty must be done before the next one comes.
    """
    usual, slow = result.frame.p50_ms, result.frame.p95_ms
    fits = int(1000 * min(BUSY_SHARE / usual, 1 / slow))
    fps = max(1, min(MOST_FPS, fits))
    took = f"a frame with one face takes {usual:.1f} ms, 19 of 20 less than {slow:.1f}"
    if fps == MOST_FPS:
        why = f"{took}, {usual * fps / 10:.0f} % of the thread's time; more than {MOST_FPS} decide no sooner"
    else:
        limit = (
            f"be busy for more than {BUSY_SHARE:.0%} of the time"
            if BUSY_SHARE / usual < 1 / slow
            else "come late"
        )
        why = (
            f"{took}: with more the thread would {limit}. Advice for camera.source.fps: of a camera that "
            "gives more, what there is no time for is passed over"
        )
    return fps, Pick("frames a second", str(fps), why)


def _precision(task: str, chosen: Setting, raced: Sequence[Raced]) -> tuple[Setting, Pick]:
    """Choose a file of ``task`` by the processor time of one thread, which nobody else's work is in."""
    key = f"{task}_precision"
    # The other network has no part in it, so what is chosen for that does not matter here.
    base = raced[0].setting
    usual = getattr(base, key)
    rivals = [
        one
        for one in raced
        if replace(one.setting, **{key: usual}) == base and getattr(one.setting, key) != usual
    ]
    if not rivals:
        return chosen, Pick(
            f"{task} precision",
            usual,
            "no other file may stand for it here, or this door was calibrated with it",
        )
    best = min(rivals, key=lambda one: _network_ms(one, task))
    before, after = _network_ms(raced[0], task), _network_ms(best, task)
    other = getattr(best.setting, key)
    told = f"{other} takes {after:.1f} ms of one core, {usual} {before:.1f} ms ({after / before:.2f} of it)"
    if after <= WORTH_IT * before:
        return replace(chosen, **{key: other}), Pick(f"{task} precision", other, told)
    return chosen, Pick(f"{task} precision", usual, f"{told}: nothing gained worth a change")


def _network_ms(one: Raced, task: str) -> float:
    return one.detect_cpu_ms if task == "detector" else one.embed_cpu_ms


def _threads(chosen: Setting, raced: Sequence[Raced], cores: int) -> tuple[Setting, Pick]:
    """Choose the fewest threads in which a frame leaves half of the time between two free."""
    tried = _by_threads(chosen, raced)
    allowed = {count: one for count, one in tried.items() if count <= most_threads(cores)}
    costs = ", ".join(
        f"{count}: {one.both_ms:.1f} ms, {one.cpu_ms:.1f} of CPU" for count, one in tried.items()
    )
    enough = [count for count, one in allowed.items() if one.both_ms <= BUDGET_MS]
    if enough:
        count = min(enough)
        why = (
            f"the fewest in which both networks take less than {BUDGET_MS:.0f} ms, half of the time between "
            f"two frames at {MOST_FPS} a second; more cost heat ({costs})"
        )
    else:
        count = min(allowed, key=lambda number: allowed[number].both_ms)
        why = f"the fastest with a core left to the camera; none takes less than {BUDGET_MS:.0f} ms ({costs})"
    return replace(chosen, threads=count), Pick("threads", str(count), why)


def _by_threads(chosen: Setting, raced: Sequence[Raced]) -> dict[int, Raced]:
    """Return what was measured of ``chosen`` by its threads.

    Where both networks changed their file together nothing was: then each network's own time counts.
    """
    found = {
        one.setting.threads: one
        for one in raced
        if replace(one.setting, threads=1) == replace(chosen, threads=1)
    }
    if found:
        return found
    base = raced[0].setting
    return _by_threads(replace(chosen, detector_precision=base.detector_precision), raced)


def _remarks(base: Setting, raced: Sequence[Raced]) -> list[Pick]:
    """Say what was measured and is not for a profile to choose."""
    picks = []
    for one in raced:
        if one.setting.spinning:
            still = next(
                (other for other in raced if other.setting == replace(one.setting, spinning=False)), raced[0]
            )
            why = (
                f"with it {one.p50_ms:.1f} ms and {one.cpu_ms:.1f} of CPU a frame, "
                f"without {still.p50_ms:.1f} and {still.cpu_ms:.1f}"
            )
            picks.append(Pick("spinning", "off", f"never on at a door: {why}"))
        elif one.setting.compiled != base.compiled and one.setting.detector == base.detector:
            made, own = (one, raced[0]) if one.setting.compiled else (raced[0], one)
            why = (
                f"compiled {made.cpu_ms:.1f} ms of CPU, the packs' own {own.cpu_ms:.1f} "
                f"({made.cpu_ms / own.cpu_ms:.2f} of it); models.compile decides, not the profile"
            )
            picks.append(Pick("compiled files", "auto" if base.compiled else "off", why))
        elif one.setting.detector != base.detector:
            why = (
                f"{one.setting.detector} takes {one.detect_cpu_ms:.1f} ms of CPU to find faces, "
                f"{base.detector} {raced[0].detect_cpu_ms:.1f}; models.detector decides, not the profile"
            )
            picks.append(Pick("detector", base.detector, why))
    return picks
