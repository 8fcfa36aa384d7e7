"""Open set by the size of the gallery."""

import numpy as np
import pytest

from edged.domain.calibration import CalibrationPoint
from edged.errors import EvaluationError
from edged.evaluation.gallery_sizes import gallery_sizes
from edged.evaluation.open_set import open_set
from edged.evaluation.protocols import Labelled
from tests.unit.evaluation.conftest import crowd, embedded

# From -0.5 at 1e-1 to 0.95 at 1e-6.
TABLE = [CalibrationPoint(10**-k, -0.5 + 0.29 * (k - 1), 10**8) for k in range(1, 7)]


def lists(enrolled: int = 60, strangers: int = 40) -> tuple[list[Labelled], list[Labelled]]:
    """Three photographs enrolled and one probe of each; four probes of every stranger."""
    enrol = [Labelled(f"p{who}", f"p{who}/{k}") for who in range(enrolled) for k in range(3)]
    probes = [Labelled(f"p{who}", f"p{who}/3") for who in range(enrolled)]
    outside = range(enrolled, enrolled + strangers)
    return enrol, probes + [Labelled("", f"p{who}/{k}") for who in outside for k in range(4)]


def test_the_enrolled_are_dealt_into_galleries_of_each_size() -> None:
    result = gallery_sizes(embedded(crowd(100, 4, spread=0.03)), *lists(), TABLE, sizes=(10, 25, 1000))
    assert (result.people, result.not_carried) == (60, (1000,))
    assert [(one.people, one.galleries, one.mated, one.searches) for one in result.sizes] == [
        (10, 6, 60, 960), (25, 2, 50, 320), (60, 1, 60, 160),
    ]  # fmt: skip
    for one in result.sizes:
        assert one.rank_one.value == 1
        assert [point.hindsight.fnir.value for point in one.points] == [0, 0]


def test_the_whole_gallery_is_that_of_the_open_set_protocol() -> None:
    photographs = embedded(crowd(100, 4, spread=0.25))
    (whole,) = gallery_sizes(photographs, *lists(), TABLE, sizes=()).sizes
    plain = open_set(photographs, *lists(), TABLE)
    assert whole.rank_one.value == pytest.approx(plain.rank_one)
    for point, other, claim in zip(whole.points, plain.points, plain.claims, strict=True):
        assert point.hindsight.threshold == pytest.approx(other.threshold, abs=1e-6)
        assert point.hindsight.fnir.value == pytest.approx(other.fnir)
        assert point.door is not None
        assert point.door.threshold == claim.threshold
        assert point.door.fnir.value == pytest.approx(claim.fnir)
        assert point.door.fpir.hits == claim.errors


def test_a_larger_gallery_needs_a_higher_threshold() -> None:
    sizes = gallery_sizes(embedded(crowd(100, 4, spread=0.2)), *lists(), TABLE, sizes=(5, 20)).sizes
    thresholds = [one.points[0].door.threshold for one in sizes if one.points[0].door]
    assert thresholds == sorted(thresholds)
    assert len(set(thresholds)) == 3
    hindsight = [one.points[0].hindsight.threshold for one in sizes]
    assert hindsight == sorted(hindsight)


def test_a_table_that_does_not_reach_so_far_disarms_the_door() -> None:
    table = [CalibrationPoint(1e-3, 0.3, 10**5)]
    small, whole = gallery_sizes(embedded(crowd(100, 4, spread=0.03)), *lists(), table, sizes=(5,)).sizes
    assert small.points[0].door is not None
    assert whole.points[0].door is None
    assert "needs FMR" in (whole.points[0].refusal or "")
    assert small.points[0].refusal is None


def test_so_few_strangers_cannot_set_a_threshold() -> None:
    (whole,) = gallery_sizes(embedded(crowd(100, 4, spread=0.03)), *lists(), sizes=()).sizes
    assert ["rule of" in (point.shortage or "") for point in whole.points] == [True, True]


def test_who_cannot_be_enrolled_is_missed_at_every_size() -> None:
    vectors = crowd(100, 4, spread=0.03)
    for k in range(3):
        del vectors[f"p0/{k}"]
    lacking = embedded(vectors, tuple(f"p0/{k}" for k in range(3)))
    small, whole = gallery_sizes(lacking, *lists(), sizes=(10,)).sizes
    assert whole.people == 59
    assert (whole.mated, whole.rank_one.hits) == (60, 59)
    assert (small.mated, small.rank_one.hits) == (51, 50)


def test_a_probe_without_a_face_is_missed_and_a_stranger_without_one_is_harmless() -> None:
    vectors = crowd(100, 4, spread=0.03)
    del vectors["p0/3"], vectors["p60/0"]
    (whole,) = gallery_sizes(embedded(vectors, ("p0/3", "p60/0")), *lists(), TABLE, sizes=()).sizes
    assert whole.rank_one.hits == 59
    assert whole.points[0].hindsight.fnir.hits == 1
    assert whole.strangers == 160


def test_the_same_seed_deals_the_same_galleries() -> None:
    photographs = embedded(crowd(100, 4, spread=0.3))
    deals = [gallery_sizes(photographs, *lists(), sizes=(7,), seed=seed).sizes[0] for seed in (1, 1, 2)]
    assert deals[0] == deals[1]
    assert deals[0] != deals[2]


def test_lists_without_strangers_are_refused() -> None:
    enrol, probes = lists()
    with pytest.raises(EvaluationError, match="strangers"):
        gallery_sizes(embedded(crowd(100, 4, spread=0.03)), enrol, probes[:60])


def test_many_probes_are_searched_in_parts() -> None:
    vectors = crowd(40, 60, spread=0.05)
    enrol = [Labelled(f"p{who}", f"p{who}/0") for who in range(20)]
    probes = [Labelled(f"p{who}", f"p{who}/{k}") for who in range(20) for k in range(1, 60)]
    probes += [Labelled("", f"p{who}/{k}") for who in range(20, 40) for k in range(60)]
    (whole,) = gallery_sizes(embedded(vectors), enrol, probes, sizes=()).sizes
    assert (whole.mated, whole.searches) == (1180, 1200)
    assert whole.rank_one.value > 0.99
    assert np.isfinite(whole.points[0].hindsight.threshold)
