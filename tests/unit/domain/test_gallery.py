"""The snapshot and the search over it."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edged.domain.gallery import GallerySnapshot, build_snapshot, empty_snapshot
from edged.domain.matching import best_match
from edged.domain.people import Person, Veto
from tests.unit.domain.conftest import template


def unit(*values: float) -> np.ndarray:
    vector = np.array(values, np.float32)
    return vector / np.linalg.norm(vector)


def test_a_person_is_the_centre_of_their_templates() -> None:
    two = [template("p-ada", 0, 2), replace(template("p-ada", 1, 2), template_id="t2")]
    snapshot = build_snapshot("toy/1", 2, 3, [Person("p-ada", "Ada")], two)
    assert snapshot.matrix[0] == pytest.approx([0.7071, 0.7071], abs=1e-4)
    assert (snapshot.templates, snapshot.version) == (2, 3)
    with pytest.raises(ValueError, match="read-only"):
        snapshot.matrix[0, 0] = 1


def test_people_without_a_template_of_the_space_are_left_out() -> None:
    people = [Person("p-ada", "Ada"), Person("p-ben", "Ben"), Person("p-new", "New")]
    other = replace(template("p-ben", 1), space="other/1")
    snapshot = build_snapshot("toy/1", 8, 1, people, [template("p-ada", 0), other])
    assert [person.person_id for person in snapshot.people] == ["p-ada"]
    assert snapshot.person("p-ben") is None
    assert snapshot.left_out == 2
    assert str(snapshot.gap).startswith("2 of 3 people have no template of this model (space toy/1)")
    assert build_snapshot("toy/1", 8, 1, people[:1], [template("p-ada", 0)]).gap is None


@pytest.mark.parametrize(
    ("vector", "text"),
    [
        (np.ones(8, np.float32), "unit"),
        (np.full(8, np.nan, np.float32), "unit"),
        (np.zeros(8, np.float32), "unit"),
        (np.ones(4, np.float32) / 2, "shape"),
    ],
)
def test_bad_vectors_are_refused(vector: np.ndarray, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        build_snapshot("toy/1", 8, 1, [Person("p-ada", "A")], [replace(template("p-ada", 0), vector=vector)])


def test_templates_that_cancel_out_are_refused() -> None:
    there = template("p-ada", 0)
    with pytest.raises(ValueError, match="cancel"):
        build_snapshot("toy/1", 8, 1, [Person("p-ada", "A")], [there, replace(there, vector=-there.vector)])


def test_the_nearest_veto_of_the_nearest_person_is_told() -> None:
    people = [Person("p-ada", "Ada"), Person("p-ben", "Ben")]
    vetoes = [
        Veto("E1", "p-ada", "toy/1", unit(0.6, 0.8, 0)),
        Veto("E2", "p-ada", "toy/1", unit(0, 0, 1)),
        Veto("E3", "p-ada", "other/1", unit(1, 0)),
        Veto("E4", "p-ben", "toy/1", unit(1, 0, 0)),
    ]
    templates = [template("p-ada", 0, 3), template("p-ben", 1, 3)]
    snapshot = build_snapshot("toy/1", 3, 1, people, templates, vetoes=vetoes)
    assert best_match(snapshot, unit(1, 0, 0)).veto_score == pytest.approx(0.6)
    with pytest.raises(ValueError, match="read-only"):
        snapshot.vetoes["p-ada"][0, 0] = 1
    without = build_snapshot("toy/1", 3, 1, people, templates)
    assert best_match(without, unit(1, 0, 0)).veto_score is None
    bad = replace(vetoes[0], vector=np.ones(3, np.float32))
    with pytest.raises(ValueError, match="veto E1"):
        build_snapshot("toy/1", 3, 1, people, templates, vetoes=[bad])


def test_nobody_is_known_to_an_empty_gallery() -> None:
    match = best_match(empty_snapshot("toy/1", 4), unit(1, 0, 0, 0))
    assert (match.person_id, match.score) == (None, -1.0)


def test_best_and_runner_up(gallery: GallerySnapshot) -> None:
    match = best_match(gallery, unit(0.9, 0.3, 0, 0, 0, 0, 0, 0))
    assert (match.person_id, match.second_id) == ("p-ada", "p-ben")
    assert match.margin == pytest.approx(match.score - match.second_score)


def test_a_vector_of_another_space_or_nan_is_refused(gallery: GallerySnapshot) -> None:
    with pytest.raises(ValueError, match="expected a vector"):
        best_match(gallery, unit(1, 0, 0))
    with pytest.raises(ValueError, match="finite"):
        best_match(gallery, np.full(8, np.nan, np.float32))


@given(st.integers(1, 30), st.integers(0, 2**31))
def test_search_equals_brute_force(people: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    vectors = [unit(*rng.normal(size=8)) for _ in range(people)]
    templates = [replace(template(f"p-{i}", 0), vector=vector) for i, vector in enumerate(vectors)]
    snapshot = build_snapshot("toy/1", 8, 1, [Person(f"p-{i}", "x") for i in range(people)], templates)
    probe = unit(*rng.normal(size=8))
    expected = sorted((float(np.dot(v.astype(np.float64), probe)) for v in vectors), reverse=True)
    match = best_match(snapshot, probe)
    assert match.score == pytest.approx(expected[0], abs=1e-5)
    if people > 1:
        assert match.second_score == pytest.approx(expected[1], abs=1e-5)
