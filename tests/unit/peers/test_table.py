"""Ratios are taken turn by turn, and what others do better is said."""

import io
from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console

from edged.evaluation.protocols import Pair
from tests.peers.accuracy import accuracy, some_pairs
from tests.peers.contender import Contender
from tests.peers.peer import prominent
from tests.peers.race import Times
from tests.peers.seat import Usage
from tests.peers.table import Row, aims, as_json, better, ratio, row, show

EDGED = Contender("edged", "m", "python", {}, own=True)
OTHER = Contender("other", "m", "python", {}, aim=3.0)


def times(cpu_ms: list[float], *, rss_mb: float = 100.0) -> Times:
    frame_ms = [one for one in cpu_ms for _ in range(10)]
    return Times(frame_ms, cpu_ms, [0.0] * len(cpu_ms), [3.0, 1.0, 2.0], 0, Usage(0.0, rss_mb, rss_mb))


def test_a_machine_that_slows_down_for_both_changes_no_ratio() -> None:
    found = ratio(times([8.0, 80.0, 16.0]), times([2.0, 20.0, 4.0]))
    assert (found.median, found.low, found.high) == (4.0, 4.0, 4.0)


def test_the_spread_of_the_turns_is_told() -> None:
    found = ratio(times([2.0, 4.0, 6.0]), times([2.0, 2.0, 2.0]))
    assert found.median == 2.0
    assert (found.low, found.high) == pytest.approx((1.1, 2.9))


def test_what_spins_in_the_pause_counts_where_frames_come_paced() -> None:
    spinning = replace(times([8.0, 8.0]), after_cpu_ms=[12.0, 12.0])
    assert ratio(spinning, times([2.0, 2.0])).median == 4.0
    assert ratio(spinning, times([2.0, 2.0]), paced=True).median == 10.0


def test_a_better_share_is_told_with_the_pairs_behind_it() -> None:
    missing = accuracy({name: VECTORS[name] for name in VECTORS if name != "a/2.jpg"}, 4, PAIRS, "cosine")
    edged = row(EDGED, times([2.0, 2.0]), times([2.0, 2.0]), missing)
    other = row(OTHER, times([8.0, 8.0]), times([2.0, 2.0]), accuracy(VECTORS, 4, PAIRS, "cosine"))
    assert better([other], edged) == ["other is ahead of edged: accuracy 100.00% to 75.00% (1 of 4 pairs)"]


def test_a_row_has_the_median_start_and_knows_its_aim() -> None:
    found = row(OTHER, times([8.0, 8.0]), times([2.0, 2.0]), None)
    assert (found.start_seconds, found.cpu_ms, found.p95_ms, found.reached) == (2.0, 8.0, 8.0, True)
    missed = row(OTHER, times([5.0, 5.0]), times([2.0, 2.0]), None)
    assert missed.reached is False
    assert "MISSED" in aims([missed])[0]


def test_what_others_do_better_is_said_and_what_is_no_difference_is_not() -> None:
    edged = row(EDGED, times([2.0, 2.0]), times([2.0, 2.0]), None)
    small = row(OTHER, times([5.0, 5.0], rss_mb=60.0), times([2.0, 2.0]), None)
    alike = replace(small, rss_mb=98.0)
    assert better([edged, small, alike, Row("absent", why="not there")], edged) == [
        "other is ahead of edged: RSS MB 60 to 100"
    ]


def unit(*numbers: float) -> np.ndarray:
    vector = np.array(numbers, np.float32)
    return vector / np.linalg.norm(vector)


PAIRS = [
    Pair("a/1.jpg", "a/2.jpg", same=True),
    Pair("b/1.jpg", "b/2.jpg", same=True),
    Pair("a/1.jpg", "b/1.jpg", same=False),
    Pair("a/2.jpg", "b/2.jpg", same=False),
]
VECTORS = {
    "a/1.jpg": unit(1, 0, 0),
    "a/2.jpg": unit(1, 0.1, 0),
    "b/1.jpg": unit(0, 1, 0.1),
    "b/2.jpg": unit(0, 1, 0),
}


@pytest.mark.parametrize("measure", ["cosine", "distance"])
def test_pairs_are_told_apart_by_either_measure(measure: str) -> None:
    found = accuracy(VECTORS, 4, PAIRS, measure)  # type: ignore[arg-type]
    assert (found.rates.accuracy.value, found.without_face, found.rates.comparisons) == (1.0, 0, 4)


def test_a_photograph_without_a_face_fails_its_pair_and_is_counted() -> None:
    found = accuracy({name: VECTORS[name] for name in VECTORS if name != "a/2.jpg"}, 4, PAIRS, "cosine")
    assert (found.without_face, found.rates.without_face) == (1, 2)
    assert found.rates.accuracy.value == 0.75


def test_distance_of_longer_vectors_is_no_cosine() -> None:
    """dlib's vectors are not of unit length: a far one in the same direction is somebody else."""
    longer = VECTORS | {"a/2.jpg": 3 * unit(1, 0, 0)}
    assert accuracy(longer, 4, PAIRS, "distance").rates.accuracy.value == 0.75
    assert accuracy(longer, 4, PAIRS, "cosine").rates.accuracy.value == 1.0


def test_pairs_are_spread_over_the_list_half_of_either_kind() -> None:
    listed = [Pair(f"{number}/1.jpg", f"{number}/2.jpg", same=number % 2 == 0) for number in range(100)]
    chosen = some_pairs(listed, 10)
    assert [pair.same for pair in chosen] == [True] * 5 + [False] * 5
    assert [pair.first for pair in chosen[:5]] == ["0/1.jpg", "20/1.jpg", "40/1.jpg", "60/1.jpg", "80/1.jpg"]
    assert len(some_pairs(listed, 1000)) == 100
    assert some_pairs(listed, 0) == []


def test_the_face_in_the_middle_is_meant() -> None:
    image = np.zeros((100, 100, 3), np.uint8)
    assert prominent([], image) is None
    assert prominent([(0, 0, 40, 40), (30, 30, 70, 70)], image) == 1
    assert prominent([(0, 0, 99, 99), (45, 45, 55, 55)], image) == 0


def test_the_table_prints_all_that_came_of_it() -> None:
    told = replace(times([2.0, 2.0]), versions={"edged": "0.1", "cv2": "5.0"})
    edged = row(EDGED, told, times([2.0, 2.0]), accuracy(VECTORS, 4, PAIRS, "cosine"))
    other = row(OTHER, times([8.0, 8.0], rss_mb=50.0), times([2.0, 2.0]), None)
    rows = [edged, replace(other, frames_without_face=3), Row("absent", why="no wheel [for this]", aim=2.0)]
    page = io.StringIO()
    show(rows, "edged", ["y1: compiled"], Console(file=page, width=200))
    printed = page.getvalue()
    assert "With cv2 5.0, edged 0.1" in printed
    assert "4.0 (4.0 - 4.0)" in printed
    assert "y1: compiled" in printed
    assert "absent: took no part, no wheel [for this]" in printed
    assert "other: no face in 3 of 20 frames" in printed
    assert "other: at least 3 times was the aim, 4.0 were measured: reached" in printed
    assert "other is ahead of edged: RSS MB 50 to 100" in printed
    found = as_json(rows, "edged", [])
    assert [one["reached"] for one in found["rows"]] == [None, True, None]
