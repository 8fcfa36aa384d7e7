from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edged.domain.calibration import CalibrationPoint
from edged.domain.gallery import GallerySnapshot, build_snapshot
from edged.domain.people import Person, Template
from edged.domain.shards import (
    DEFAULT_SHARDS,
    collision,
    collision_level,
    misplaced,
    repeated,
    shard_of,
    shrunk,
    unusable,
)

DIMENSION = 32


def vector(seed: int) -> np.ndarray:
    values = np.random.default_rng(seed).standard_normal(DIMENSION).astype(np.float32)
    return values / np.linalg.norm(values)


def snapshot(**people: np.ndarray) -> GallerySnapshot:
    return build_snapshot(
        "space", DIMENSION, 0,
        [Person(name, name) for name in people],
        [Template(name, name, "space", values, 0.9, b"") for name, values in people.items()],
    )  # fmt: skip


def everybody(_person_id: str) -> bool:
    return True


def test_a_person_stays_in_one_shard_and_they_are_spread() -> None:
    counts = Counter(shard_of(f"p-{number}", DEFAULT_SHARDS) for number in range(10_000))
    assert len(counts) == DEFAULT_SHARDS
    assert max(counts.values()) < 3 * 10_000 / DEFAULT_SHARDS
    assert shard_of("p-1", 256) == shard_of("p-1", 256)
    assert shard_of("p-00001", 8) == 1  # written down: another rule would send everybody anew


def test_who_stands_in_the_wrong_shard_or_twice_is_named() -> None:
    here = shard_of("p-1", 8)
    assert misplaced([Person("p-1", "x")], here, 8) is None
    assert "p-1 stands in shard" in (misplaced([Person("p-1", "x")], (here + 1) % 8, 8) or "")
    assert repeated([Person("a", "x"), Person("b", "x")]) is None
    assert repeated([Person("a", "x"), Person("b", "x"), Person("a", "y")]) == "a is named 2 times"


@pytest.mark.parametrize("bad", [np.nan, np.inf, 0.0, 2.0])
def test_a_template_that_is_no_unit_vector_is_named(bad: float) -> None:
    good = Template("t", "p-1", "space", vector(1), 0.9, b"")
    assert unusable([good], DIMENSION) is None
    assert unusable([], DIMENSION) is None
    with np.errstate(invalid="ignore"):
        wrong = Template("t", "p-2", "space", vector(1) * np.float32(bad), 0.9, b"")
    assert "p-2 is no unit vector" in (unusable([good, wrong], DIMENSION) or "")
    assert "has 32 numbers" in (unusable([good], DIMENSION + 1) or "")


def test_one_person_under_two_names_is_named() -> None:
    both = snapshot(a=vector(1), b=vector(1), c=vector(2))
    assert "a and b have a cosine of 1.00" in (collision(both, both, 0.9, [], everybody) or "")
    assert collision(both, both, 0.9, ["a b"], everybody) is None
    assert collision(both, both, 0.9, ["b a"], everybody) is not None, "ids stand in order"
    alone = snapshot(z=vector(2))
    assert "c and z" in (collision(alone, both, 0.9, [], everybody) or "")
    assert collision(alone, both, 0.9, [], lambda person_id: person_id != "c") is None
    assert collision(snapshot(c=vector(2)), both, 0.9, [], everybody) is None, (
        "nobody collides with themselves"
    )


def test_a_collision_is_found_beyond_the_first_block(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edged.domain.near_pairs._BLOCK", 100 * 100)
    people = {f"p-{number}": vector(number) for number in range(1_100)}
    people["p-1099"] = people["p-3"]
    found = collision(snapshot(**people), snapshot(**people), 0.95, [], everybody)
    assert found is None or "p-1099" in found
    whole = snapshot(**people)
    assert "p-1099 and p-3" in (collision(whole, whole, 0.99, [], everybody) or "")


@given(before=st.integers(0, 10_000), after=st.integers(0, 10_000))
@settings(max_examples=100, deadline=None)
def test_one_leaver_is_never_a_shrink_and_growth_is_none(before: int, after: int) -> None:
    found = shrunk(before, after, 0.3)
    if after >= before - 1:
        assert not found
    if before >= 4 and after < 0.69 * before - 1:
        assert found


def test_the_level_of_a_collision_grows_with_the_gallery_and_never_falls_to_that_of_strangers() -> None:
    points = [CalibrationPoint(fmr, at, 10**9) for at, fmr in ((0.2, 1e-2), (0.4, 1e-4), (0.6, 1e-10))]
    levels = [collision_level(points, people) for people in (0, 1, 2, 100, 1_000, 10_000)]
    assert levels == sorted(levels)
    assert all(0.4 < level < 1 for level in levels)
    short = points[:2]
    assert collision_level(short, 1_000) == pytest.approx(0.4 + 0.6 / 2)
    assert collision_level([], 1_000) == 0.95
