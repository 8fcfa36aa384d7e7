"""1:N with strangers."""

import pytest

from edged.domain.calibration import CalibrationPoint
from edged.errors import EvaluationError
from edged.evaluation.open_set import open_set
from edged.evaluation.protocols import Labelled
from tests.unit.evaluation.conftest import crowd, embedded


def lists() -> tuple[list[Labelled], list[Labelled]]:
    """p0..p9 are enrolled with three photographs each; p10..p39 are strangers."""
    enrol = [Labelled(f"p{who}", f"p{who}/{k}") for who in range(10) for k in range(3)]
    probes = [Labelled(f"p{who}", f"p{who}/3") for who in range(10)]
    probes += [Labelled("", f"p{who}/{k}") for who in range(10, 40) for k in range(4)]
    return enrol, probes


def test_tight_people_are_found_and_strangers_kept_out() -> None:
    enrol, probes = lists()
    result = open_set(embedded(crowd(40, 4, spread=0.03)), enrol, probes)
    assert (result.people, result.templates, result.mated, result.strangers) == (10, 30, 10, 120)
    assert result.rank_one == 1
    assert [(point.fpir, point.errors, point.fnir) for point in result.points] == [(1e-2, 1, 0), (1e-3, 0, 0)]


def test_a_threshold_without_thirty_errors_says_so() -> None:
    enrol, probes = lists()
    result = open_set(embedded(crowd(40, 4, spread=0.03)), enrol, probes)
    assert not any(point.supported for point in result.points)


def test_an_enrolled_probe_without_a_face_is_missed() -> None:
    vectors = crowd(40, 4, spread=0.03)
    del vectors["p0/3"], vectors["p20/0"]
    result = open_set(embedded(vectors, ("p0/3", "p20/0")), *lists())
    assert result.without_face == 2
    assert result.rank_one == pytest.approx(0.9)
    assert result.points[0].fnir == pytest.approx(0.1)


def test_a_wrong_name_counts_as_missed_however_high_it_scores() -> None:
    vectors = crowd(40, 4, spread=0.03)
    vectors["p0/3"] = vectors["p1/0"]
    result = open_set(embedded(vectors), *lists())
    assert result.rank_one == pytest.approx(0.9)
    assert result.points[0].fnir == pytest.approx(0.1)


def test_a_claim_is_held_against_what_was_seen() -> None:
    table = [CalibrationPoint(10.0**-n, 0.29 * n - 0.79, 10**9) for n in range(1, 7)]
    result = open_set(embedded(crowd(40, 4, spread=0.03)), *lists(), table)
    strict, stricter = result.claims
    assert strict.threshold is not None
    assert stricter.threshold is not None
    assert strict.threshold < stricter.threshold
    assert strict.errors == round((strict.fpir or 0) * 120)
    assert (stricter.errors or 0) <= (strict.errors or 0)


def test_a_claim_that_the_table_cannot_carry_is_left_open() -> None:
    table = [CalibrationPoint(1e-2, 0.3, 10**4)]
    result = open_set(embedded(crowd(40, 4, spread=0.03)), *lists(), table)
    assert [claim.threshold for claim in result.claims] == [None, None]
    assert open_set(embedded(crowd(40, 4, spread=0.03)), *lists()).claims == ()


def test_probes_without_strangers_are_refused() -> None:
    enrol, probes = lists()
    with pytest.raises(EvaluationError, match="strangers"):
        open_set(embedded(crowd(40, 4, spread=0.03)), enrol, probes[:10])
