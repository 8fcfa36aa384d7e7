"""1:N among the enrolled: known crowds, both rules, and what counts as a failure."""

import numpy as np
import pytest

from edged.errors import EvaluationError
from edged.evaluation.closed_set import closed_set
from edged.evaluation.protocols import Labelled
from tests.unit.evaluation.conftest import crowd, embedded, unit


def lists(people: int, photographs: int, enrolled: int) -> tuple[list[Labelled], list[Labelled]]:
    every = [[Labelled(f"p{who}", f"p{who}/{k}") for k in range(photographs)] for who in range(people)]
    return [one for own in every for one in own[:enrolled]], [one for own in every for one in own[enrolled:]]


def test_tight_people_are_all_recognised_by_both_rules() -> None:
    result = closed_set(embedded(crowd(12, 6, spread=0.03)), *lists(12, 6, 4))
    assert [rule.rule for rule in result.rules] == ["centroid", "templates"]
    assert (result.people, result.templates, result.probes, result.fte, result.fta) == (12, 48, 24, 0, 0)
    for rule in result.rules:
        assert (rule.accuracy.value, rule.precision, rule.recall, rule.f1) == (1, 1, 1, 1)
        assert rule.cmc == (1,) * 12
        assert rule.confusions == ()
        assert all(person.right == person.probes == 2 for person in rule.people)


def test_a_wrong_label_shows_up_as_a_confusion() -> None:
    vectors = crowd(6, 4, spread=0.03)
    vectors["p0/3"] = vectors["p1/0"]
    (rule, _) = closed_set(embedded(vectors), *lists(6, 4, 2)).rules
    assert (rule.accuracy.hits, rule.accuracy.trials) == (11, 12)
    assert [(one.person, one.taken_for, one.count) for one in rule.confusions] == [("p0", "p1", 1)]
    assert (rule.people[0].recall, rule.people[0].precision) == (0.5, 1)
    assert (rule.people[1].recall, rule.people[1].precision) == (1, pytest.approx(2 / 3))
    # Each of six people has the same weight: (1 + 2/3 + 4) / 6.
    assert rule.precision == pytest.approx(17 / 18)
    assert rule.recall == pytest.approx(rule.accuracy.value)
    assert rule.cmc[0] == pytest.approx(11 / 12)
    assert rule.cmc[-1] == 1


def test_precision_is_weighted_by_the_probes() -> None:
    vectors = crowd(2, 10, spread=0.02)
    enrol = [Labelled("p0", "p0/0"), Labelled("p1", "p1/0")]
    probes = [Labelled("p0", f"p0/{k}") for k in range(1, 10)] + [Labelled("p1", "p1/1")]
    vectors["p0/9"] = vectors["p1/2"]
    (rule, _) = closed_set(embedded(vectors), enrol, probes).rules
    # p0: nine probes, precision 1; p1: one probe, called twice, once rightly.
    assert rule.precision == pytest.approx(0.9 * 1 + 0.1 * 0.5)


def test_somebody_with_two_looks_is_nearer_to_a_template_than_to_the_centroid() -> None:
    # Bob's two photographs stand at right angles; Ann is near their middle.
    vectors = {
        "bob/0": unit(np.array([[1.0, 0, 0]]))[0],
        "bob/1": unit(np.array([[0, 1.0, 0]]))[0],
        "ann/0": unit(np.array([[1, 0.6, 0.5]]))[0],
        "bob/2": unit(np.array([[1, 0.1, 0.15]]))[0],
    }
    enrol = [Labelled("bob", "bob/0"), Labelled("bob", "bob/1"), Labelled("ann", "ann/0")]
    centroid, templates = closed_set(embedded(vectors), enrol, [Labelled("bob", "bob/2")]).rules
    assert centroid.accuracy.value == 0
    assert templates.accuracy.value == 1


def test_photographs_without_a_face_are_failures() -> None:
    vectors = crowd(6, 4, spread=0.03)
    for name in ("p0/0", "p0/1", "p1/3"):
        del vectors[name]
    result = closed_set(embedded(vectors, ("p0/0", "p0/1", "p1/3")), *lists(6, 4, 2))
    assert (result.not_enrolled, result.not_acquired) == (("p0",), 1)
    assert (result.fte, result.fta) == (pytest.approx(1 / 6), pytest.approx(1 / 12))
    (rule, _) = result.rules
    # Both of p0's photographs and p1's faceless one are not recognised, however far one looks.
    assert rule.accuracy.hits == 9
    assert rule.cmc[-1] == pytest.approx(9 / 12)
    assert rule.people[0].enrolled == 0
    assert {one.person for one in rule.confusions} == {"p0"}


def test_nobody_wins_a_draw() -> None:
    same = unit(np.ones((1, 8)))[0]
    vectors = {f"p{who}/{k}": same for who in range(3) for k in range(2)}
    (rule, _) = closed_set(embedded(vectors), *lists(3, 2, 1)).rules
    assert rule.accuracy.value == 0
    assert rule.cmc == (0, 0, 1)


def test_lists_that_cannot_be_measured_are_refused() -> None:
    vectors = crowd(3, 2, spread=0.03)
    enrol, probes = lists(3, 2, 1)
    with pytest.raises(EvaluationError, match="to recognise"):
        closed_set(embedded(vectors), enrol, [])
    with pytest.raises(EvaluationError, match="who are enrolled"):
        closed_set(embedded(vectors), enrol[:2], probes)
    with pytest.raises(EvaluationError, match="expected a face"):
        closed_set(embedded({"p0/1": vectors["p0/1"]}, ("p0/0",)), enrol[:1], probes[:1])
