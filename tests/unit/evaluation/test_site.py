"""A site's own people against each other and against strangers."""

from collections.abc import Sequence

import numpy as np
import pytest

from edged.domain.people import Template
from edged.errors import EvaluationError
from edged.evaluation.site import Models, leave_one_out, measure_site, site_impostors
from tests.unit.evaluation.conftest import crowd, unit

MODELS = Models("toy/1", {"embedder": "e" * 64})
COHORT = unit(np.random.default_rng(9).normal(size=(400, 32)))


def enrolled(people: int, photographs: int, *, spread: float = 0.05) -> list[Template]:
    return [
        Template(name, name.split("/")[0], "toy/1", vector, 0.9, b"")
        for name, vector in crowd(people, photographs, spread=spread).items()
    ]


def owned(*rows: np.ndarray, qualities: Sequence[float] = ()) -> list[Template]:
    """Templates of one person with these vectors."""
    return [
        Template(f"t-{place}", "somebody", "toy/1", row, quality, b"")
        for place, (row, quality) in enumerate(zip(rows, qualities or [0.9] * len(rows), strict=True))
    ]


def test_everybody_is_compared_with_strangers_and_with_everybody_else() -> None:
    people = [owned(*rows) for rows in (COHORT[:2], COHORT[2:5], COHORT[5:6])]
    found = site_impostors(people, COHORT[10:14])
    # Three centroids with four strangers, and with the photographs of the two others: 4 + 3 + 5.
    assert found.comparisons == 3 * 4 + 4 + 3 + 5
    assert found.groups == (3, 4)
    assert found.trials[0].tolist() == [0, 3, 1, 1, 1, 1, 1]


def test_a_photograph_is_no_part_of_what_it_is_compared_with() -> None:
    same, other = COHORT[0], COHORT[1]
    scores = leave_one_out([owned(same, other), owned(same)])
    assert scores == pytest.approx([float(same @ other)] * 2, abs=1e-6)


def test_a_photograph_counts_by_its_quality_as_at_the_door() -> None:
    good, poor = COHORT[:2]
    probe = unit((good + 0.25 * poor)[None])[0]
    people = [owned(good, poor, probe, qualities=(1.0, 0.25, 1.0))]
    assert leave_one_out(people)[2] == pytest.approx(1, abs=1e-6)
    found = site_impostors([owned(good, poor, qualities=(1.0, 0.25)), owned(probe)], COHORT[3:4])
    assert found.scores[(found.first == 0) & (found.second == 1)] == pytest.approx([1], abs=1e-6)


def test_templates_that_cancel_out_are_nobody_to_measure() -> None:
    with pytest.raises(EvaluationError, match="somebody: templates cancel out"):
        site_impostors([owned(COHORT[0], -COHORT[0])], COHORT[3:4])


def test_a_table_with_bounds_comparisons_and_misses() -> None:
    measured = measure_site(enrolled(30, 3), COHORT, MODELS)
    assert (measured.people, measured.photographs, measured.cohort, measured.genuine) == (30, 90, 400, 90)
    assert [point.bound for point in measured.points][:2] == [1e-2, 3e-3]
    for point in measured.points:
        assert point.comparisons == 30 * 400 + 90 * 29
        assert point.errors / point.comparisons <= point.bound
        assert point.fnmr is not None
    assert measured.space == "toy/1"


def test_people_who_resemble_each_other_raise_the_threshold() -> None:
    alike = [
        Template(one.template_id, one.person_id, one.space, unit((one.vector + COHORT[0])[None])[0], 0.9, b"")
        for one in enrolled(30, 3)
    ]
    different, family = (measure_site(one, None, MODELS).points[0] for one in (enrolled(30, 3), alike))
    assert family.threshold > different.threshold + 0.1


def test_single_photographs_tell_nothing_of_misses() -> None:
    measured = measure_site(enrolled(30, 1), COHORT, MODELS)
    assert measured.genuine == 0
    assert {point.fnmr for point in measured.points} == {None}


@pytest.mark.parametrize(
    ("templates", "cohort", "told"),
    [
        ([], COHORT, "nobody is enrolled"),
        (enrolled(1, 3), None, "nobody to compare with"),
        (enrolled(3, 2), None, "at least 300 are needed, since the pack has no cohort"),
    ],
)
def test_what_cannot_be_measured_is_refused(
    templates: list[Template], cohort: np.ndarray | None, told: str
) -> None:
    with pytest.raises(EvaluationError, match=told):
        measure_site(templates, cohort, MODELS)
