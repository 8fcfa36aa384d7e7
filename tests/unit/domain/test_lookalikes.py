"""The bar of people who look alike: plain geometry, held against brute force."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edged.domain.calibration import CalibrationPoint, threshold_for
from edged.domain.gallery import build_snapshot, with_bars
from edged.domain.lookalikes import (
    Bar,
    LookalikeRule,
    alike_level,
    close_pairs,
    lookalike_rule,
    nearest_others,
    raised_bars,
)
from edged.domain.people import Person
from edged.domain.risk import Risk
from edged.enrolment.levels import levels_for
from tests.unit.domain.conftest import template

TABLE = (
    CalibrationPoint(1e-2, 0.2411, 10**7),
    CalibrationPoint(1e-3, 0.3319, 10**7),
    CalibrationPoint(1e-4, 0.4073, 10**7),
    CalibrationPoint(1e-5, 0.4667, 10**7),
)
RULE = LookalikeRule(threshold=0.4073, min_margin=0.06, strictest=0.4916, stranger=0.3319)

rules = st.builds(
    LookalikeRule,
    threshold=st.floats(0.1, 0.9),
    min_margin=st.floats(0, 0.5),
    strictest=st.floats(0.1, 0.9),
    stranger=st.floats(0, 0.6),
)


def limits(rule: LookalikeRule, cosine: float) -> tuple[float, float]:
    """Score and margin that two people at ``cosine`` are asked."""
    bar = rule.bar(cosine)
    return (rule.threshold, rule.min_margin) if bar is None else (bar.score, bar.margin)


def at_angle(cosine: float, *, dimension: int = 8) -> np.ndarray:
    """Two unit rows with that cosine."""
    rows = np.zeros((2, dimension), np.float32)
    rows[0, 0] = 1
    rows[1, :2] = cosine, math.sqrt(1 - cosine * cosine)
    return rows


def test_the_rule_is_that_of_the_table() -> None:
    threshold = threshold_for(TABLE, 10, Risk(1e-3))
    rule = lookalike_rule(TABLE, threshold=threshold.cosine, min_margin=0.06, risk=Risk(1e-3))
    assert rule is not None
    # A little above the table's 0.4073 and 0.3319: its rates count for their upper bounds.
    assert (rule.threshold, rule.stranger) == (
        pytest.approx(0.4087, abs=5e-4),
        pytest.approx(0.3325, abs=5e-4),
    )
    assert rule.strictest == 0.4667
    assert lookalike_rule(TABLE, threshold=None, min_margin=0.06, risk=Risk(1e-3)) is None
    assert lookalike_rule(TABLE, threshold=0.5, min_margin=0.06, risk=Risk(1e-6)) is None


def test_strangers_raise_nothing_and_look_alikes_little() -> None:
    assert RULE.bar(0.0) is RULE.bar(0.3) is None
    assert limits(RULE, 0.5) == (pytest.approx(0.465, abs=1e-3), 0.06)
    assert limits(RULE, 0.7) == (pytest.approx(0.516, abs=1e-3), pytest.approx(0.084, abs=1e-3))
    assert limits(RULE, 1.0) == limits(RULE, 0.9)


@given(rules, st.floats(-1, 1), st.floats(-1, 1))
def test_who_is_more_alike_never_gets_a_lower_bar(rule: LookalikeRule, one: float, other: float) -> None:
    low, high = (limits(rule, cosine) for cosine in sorted((one, other)))
    assert (rule.threshold, rule.min_margin) <= low
    assert low[0] <= high[0]
    assert low[1] <= high[1]


@given(rules, st.floats(-1, 1), st.floats(0, 0.3))
def test_a_larger_gallery_lowers_nobodys_bar(rule: LookalikeRule, cosine: float, stricter: float) -> None:
    """More people mean a higher threshold, and the same table."""
    larger = replace(rule, threshold=rule.threshold + stricter)
    before, after = limits(rule, cosine), limits(larger, cosine)
    assert before[0] <= after[0]
    assert before[1] <= after[1]


@given(rules, st.floats(0, 1), st.floats(0, 1), st.floats(-1, 1))
def test_nobody_passes_both_gates_of_the_other_with_less_than_a_strangers_luck(
    rule: LookalikeRule, cosine: float, own: float, luck: float
) -> None:
    """Whatever the picture: ``luck`` is its part along the other, at most what a stranger's reaches.

    Equality stands for the stated risk itself; float64 decides nothing finer.
    """
    noise = min(luck, rule.stranger)
    score = cosine * own + math.sqrt(1 - cosine**2) * math.sqrt(1 - own**2) * noise
    least, margin = limits(rule, cosine)
    assert not (score > least + 1e-9 and score - own > margin + 1e-9)


@given(rules, st.floats(0.1, 1), st.floats(-1, 1))
def test_up_to_the_least_cosine_nobody_gets_a_bar(rule: LookalikeRule, alike: float, cosine: float) -> None:
    rule = replace(rule, alike=alike)
    if rule.bar(cosine) or rule.likeness(cosine):
        assert cosine > rule.least
    assert rule.least <= alike


def nearest(rows: np.ndarray) -> np.ndarray:
    return nearest_others([str(row) for row in range(len(rows))], rows).cosine


@pytest.mark.parametrize("few", [1, 2, 8])
@given(data=st.data(), seed=st.integers(0, 2**31))
def test_what_is_known_of_a_gallery_changes_nothing_about_the_next(
    few: int, data: st.DataObject, seed: int
) -> None:
    """People come, go and change: the nearest are those of a comparison of everybody with everybody."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("edged.domain.lookalikes._FEW", few)
        compare_step_by_step(data, seed)


def compare_step_by_step(data: st.DataObject, seed: int) -> None:
    random = np.random.default_rng(seed)
    known = None
    gallery: dict[str, np.ndarray] = {}
    for _ in range(4):
        for name in data.draw(st.sets(st.sampled_from("abcdefghij"), max_size=4)):
            row = random.normal(size=5).astype(np.float32)
            gallery[name] = row / np.linalg.norm(row)
        for name in data.draw(st.sets(st.sampled_from("abcdefghij"), max_size=3)):
            gallery.pop(name, None)
        ids = data.draw(st.permutations(sorted(gallery)))
        rows = np.array([gallery[name] for name in ids], np.float32).reshape(len(ids), 5)
        known, afresh = nearest_others(ids, rows, known), nearest_others(ids, rows)
        assert known.cosine == pytest.approx(afresh.cosine, abs=1e-6)


@given(st.integers(1, 40), st.integers(0, 2**31))
def test_nearest_and_pairs_equal_brute_force(people: int, seed: int) -> None:
    rows = np.random.default_rng(seed).normal(size=(people, 6)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    scores = rows @ rows.T
    np.fill_diagonal(scores, -1)
    assert nearest(rows) == pytest.approx(scores.max(axis=1) if people > 1 else [-1.0])
    found = close_pairs(rows, 0.4)
    wanted = {(i, j) for i in range(people) for j in range(i + 1, people) if scores[i, j] >= 0.4}
    assert {(i, j) for i, j, _ in found} == wanted
    assert [cosine for *_, cosine in found] == sorted((cosine for *_, cosine in found), reverse=True)


def test_blocks_of_rows_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = np.random.default_rng(5).normal(size=(31, 6)).astype(np.float32)
    whole, near = close_pairs(rows, 0.2), nearest(rows)
    monkeypatch.setattr("edged.domain.lookalikes._BLOCK", 31 * 4)
    assert [pair[:2] for pair in close_pairs(rows, 0.2)] == [pair[:2] for pair in whole]
    assert nearest(rows) == pytest.approx(near)


def test_only_look_alikes_get_a_bar() -> None:
    rows = np.concatenate([at_angle(0.6), np.eye(8, dtype=np.float32)[5:6]])
    bars = raised_bars(nearest_others(["p-ada", "p-eve", "p-ben"], rows), RULE)
    assert set(bars) == {"p-ada", "p-eve"}
    assert bars["p-ada"].cosine == pytest.approx(0.6)
    assert bars["p-ada"].score > RULE.strictest
    assert bars["p-ada"].margin > RULE.min_margin


def test_a_snapshot_carries_them_and_keeps_its_rows() -> None:
    ada, eve = at_angle(0.6)
    templates = [
        replace(template("p-ada", 0), vector=ada),
        replace(template("p-eve", 0), vector=eve),
    ]
    plain = build_snapshot("toy/1", 8, 1, [Person("p-ada", "A"), Person("p-eve", "E")], templates)
    barred = with_bars(plain, RULE)
    assert plain.bars == {}
    assert set(barred.bars) == {"p-ada", "p-eve"}
    assert barred.matrix is plain.matrix


def test_look_alikes_are_those_of_enrolment_and_not_all_whose_bar_is_raised() -> None:
    level = alike_level(TABLE)
    assert level == levels_for(TABLE).alike
    rule = lookalike_rule(TABLE, threshold=0.4087, min_margin=0.06, risk=Risk(1e-3, 15, 3))
    assert rule is not None
    first = next(step / 1000 for step in range(1001) if rule.bar(step / 1000))
    assert first < level
    near, alike = rule.bar((first + level) / 2), rule.bar(level)
    assert near is not None
    assert alike is not None
    assert (near.alike, alike.alike) == (False, True)


def test_a_bar_names_the_most_alike_other_person() -> None:
    matrix = np.eye(3, dtype=np.float32)
    matrix[1] = (0.6, 0.8, 0)
    bars = raised_bars(nearest_others(["p-a", "p-b", "p-c"], matrix), RULE)
    assert {who: bar.other_id for who, bar in bars.items()} == {"p-a": "p-b", "p-b": "p-a"}


def test_look_alikes_are_known_as_such_where_everybodys_limits_are_enough() -> None:
    strict = LookalikeRule(threshold=0.9, min_margin=0.06, strictest=0.9, stranger=0.33, alike=0.5)
    assert strict.bar(0.55) is None
    matrix = np.array([[1, 0], [0.55, 0.8351647]], np.float32)
    assert raised_bars(nearest_others(["p-a", "p-b"], matrix), strict)["p-a"] == Bar(
        0.9, 0.06, pytest.approx(0.55), "p-b", alike=True
    )
