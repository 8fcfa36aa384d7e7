"""What is chosen by what was measured."""

from dataclasses import replace

import pytest

from edged.evaluation.speed.picks import MOST_FPS, pick_cadence, pick_setting
from edged.evaluation.speed.race import Raced
from edged.evaluation.speed.settings import Setting
from edged.evaluation.speed.stages import BenchResult, BoardState, StageTime

BASE = Setting("yunet", "float32", "float32", 1)


def raced(setting: Setting, detect: float, embed: float, *, cpu: float | None = None) -> Raced:
    both = detect + embed
    return Raced(setting, detect, embed, both, both, both * 1.2, cpu or both, detect, embed, 1.0, 1.0)


def result(p50_ms: float, p95_ms: float) -> BenchResult:
    took, cold = StageTime(p50_ms, p50_ms, p95_ms), BoardState(None, None)
    return BenchResult(
        "yunet", "y1", None, (640, 480), 10, 10, 1, {"detect": took}, {}, took, 0.1, took, took, 50.0, 1.0,
        1.0, cold, cold,
    )  # fmt: skip


def values(picks: object) -> dict[str, str]:
    return {one.what: one.value for one in picks}  # type: ignore[attr-defined]


def test_the_faster_file_is_chosen() -> None:
    chosen, picks = pick_setting(
        [raced(BASE, 3, 12), raced(replace(BASE, embedder_precision="int8"), 3, 6)], cores=4
    )
    assert chosen.embedder_precision == "int8"
    assert values(picks)["embedder precision"] == "int8"
    assert any("0.50 of it" in one.why for one in picks)


def test_a_gain_within_the_noise_changes_nothing() -> None:
    chosen, _ = pick_setting(
        [raced(BASE, 3, 12), raced(replace(BASE, embedder_precision="int8"), 3, 11.8)], cores=4
    )
    assert chosen == BASE


def test_each_network_gets_its_own_file() -> None:
    measured = [
        raced(BASE, 3, 12),
        raced(replace(BASE, detector_precision="int8"), 5, 12),
        raced(replace(BASE, embedder_precision="int8"), 3, 6),
    ]
    chosen, _ = pick_setting(measured, cores=4)
    assert (chosen.detector_precision, chosen.embedder_precision) == ("float32", "int8")
    measured[1] = raced(replace(BASE, detector_precision="int8"), 2, 12)
    chosen, _ = pick_setting(measured, cores=4)
    assert (chosen.detector_precision, chosen.embedder_precision) == ("int8", "int8")


@pytest.mark.parametrize(
    ("takes", "cores", "threads"),
    [
        ({1: 8, 2: 5, 3: 4}, 4, 1),  # one thread is fast enough: more would only cost heat
        ({1: 60, 2: 32, 3: 28, 4: 25}, 4, 2),  # the fewest that are fast enough
        ({1: 200, 2: 110, 3: 80, 4: 70}, 4, 3),  # none is: the fastest that leaves a core
        ({1: 200, 2: 240}, 4, 1),  # more threads may be slower
        ({1: 60, 2: 32}, 2, 1),  # of two cores one is the camera's
        ({1: 60}, 1, 1),
    ],
)
def test_threads(takes: dict[int, float], cores: int, threads: int) -> None:
    measured = [raced(replace(BASE, threads=count), ms / 2, ms / 2) for count, ms in takes.items()]
    chosen, picks = pick_setting(measured, cores)
    assert chosen.threads == threads
    assert values(picks)["threads"] == str(threads)


def test_what_a_profile_may_not_choose_is_told_and_left() -> None:
    measured = [
        raced(BASE, 3, 12),
        raced(replace(BASE, threads=2), 2, 8),
        raced(replace(BASE, threads=2, spinning=True), 1, 2, cpu=40),
        raced(replace(BASE, compiled=True), 1, 1),
        raced(replace(BASE, detector="yunet-160"), 0.5, 12),
    ]
    chosen, picks = pick_setting(measured, cores=2)
    assert chosen == BASE
    assert values(picks) | {"detector": "yunet", "compiled files": "off", "spinning": "off"} == values(picks)


@pytest.mark.parametrize(
    ("p50_ms", "p95_ms", "fps"),
    [(5, 8, MOST_FPS), (33, 40, MOST_FPS), (50, 60, 10), (5, 200, 5), (400, 500, 1), (7e3, 9e3, 1)],
)
def test_the_cadence_leaves_half_of_the_time(p50_ms: float, p95_ms: float, fps: int) -> None:
    found, pick = pick_cadence(result(p50_ms, p95_ms))
    assert (found, pick.value) == (fps, str(fps))
    assert found == 1 or (found * p50_ms <= 500 and found * p95_ms <= 1000)
