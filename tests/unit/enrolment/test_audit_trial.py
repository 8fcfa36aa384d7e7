"""Doubles that were planted are found and counted, and what else is listed counts as wrong."""

from collections.abc import Iterator

import numpy as np
import pytest

from edged.domain.people import Template
from edged.enrolment.audit_trial import Planted, plant, run_audit
from edged.enrolment.findings import Kind
from edged.errors import EvaluationError
from tests.unit.enrolment.test_audit import LEVELS, RULE, TABLE

Photographs = dict[str, list[Template]]


def crowd(people: int, photographs: int, *, spread: float = 0.03) -> Photographs:
    """Unlike people of unlike names, each with like photographs."""
    chance = np.random.default_rng(7)
    found: Photographs = {}
    for number in range(people):
        own = chance.normal(size=128)
        rows = own + chance.normal(0, spread * np.linalg.norm(own), (photographs, 128))
        unit = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
        name = f"{chr(65 + number)}ette {chr(90 - number) * 3}y"
        found[name] = [Template(f"{number}/{k}", "", "toy/1", row, 0.97, b"") for k, row in enumerate(unit)]
    return found


def ticking() -> Iterator[float]:
    yield from range(100)


def test_some_people_are_split_in_two_and_nobody_is_lost() -> None:
    photographs = crowd(8, 5)
    planted = plant(photographs, 3, seed=2)
    assert (len(planted.people), len(planted.templates), len(planted.pairs)) == (11, 40, 3)
    assert set(photographs) < {person.name for person in planted.people}
    owners = {one.template_id: one.person_id for one in planted.templates}
    assert len(owners) == 40
    for pair in planted.pairs:
        sizes = sorted(sum(owner == half for owner in owners.values()) for half in pair)
        assert sizes == [2, 3]
    again = plant(photographs, 3, seed=2)
    assert (again.people, again.pairs) == (planted.people, planted.pairs)
    assert [one.template_id for one in again.templates] == [one.template_id for one in planted.templates]
    assert plant(photographs, 3, seed=3).people != planted.people


def test_so_many_people_with_photographs_enough_there_must_be() -> None:
    photographs = crowd(4, 2) | {"Solo Mio": crowd(1, 1)["Aette ZZZy"]}
    assert len(plant(photographs, 4).pairs) == 4
    with pytest.raises(EvaluationError, match="expected 5 people with 2 photographs, got 4"):
        plant(photographs, 5)
    with pytest.raises(EvaluationError, match="expected 1 people with 3 photographs, got 0"):
        plant(photographs, 1, least=3)


def test_planted_doubles_are_found_and_counted() -> None:
    planted = plant(crowd(12, 4), 4)
    clock = ticking()
    result = run_audit(planted, TABLE, LEVELS, RULE, clock=lambda: next(clock))
    assert (result.people, result.photographs, result.planted) == (16, 48, 4)
    assert (result.named, result.listed, result.told, result.told_right) == (4, 4, 4, 4)
    assert (result.precision, result.recall, result.seconds) == (1.0, 1.0, 1.0)
    assert [one.place for one in result.first] == [1, 2, 3, 4]
    assert all(one.planted and not one.known for one in result.first)


def test_what_nobody_planted_counts_as_wrong_unless_it_is_known() -> None:
    photographs = crowd(12, 4)
    # The collection has a double of its own, as collections do.
    own, other = "Aette ZZZy", "Lette OOOy"
    photographs[other] = [
        Template(f"again/{one.template_id}", "", "toy/1", one.vector, 0.97, b"")
        for one in photographs[own][:2]
    ]
    planted = plant({name: photographs[name] for name in photographs}, 0)
    wrong = run_audit(planted, TABLE, LEVELS, RULE)
    assert (wrong.precision, wrong.recall, wrong.told, wrong.told_right) == (0.0, None, 1, 0)
    assert (wrong.first[0].people, wrong.first[0].kind) == ((own, other), Kind.SAME_PHOTO)
    known = run_audit(planted, TABLE, LEVELS, RULE, known=[frozenset({own, other})])
    assert (known.precision, known.told_right) == (1.0, 1)


def test_only_the_pairs_on_top_count_for_precision_and_recall() -> None:
    result = run_audit(plant(crowd(12, 4), 4), TABLE, LEVELS, RULE, first=1)
    assert (len(result.first), result.pairs, result.precision, result.recall) == (1, 4, 1.0, 0.25)


def test_a_gallery_without_a_pair_has_no_precision() -> None:
    result = run_audit(Planted((), (), frozenset()), TABLE, LEVELS, RULE)
    assert (result.precision, result.recall, result.first) == (None, None, ())
