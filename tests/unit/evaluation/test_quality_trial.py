"""What a quality score is worth, on pictures with known answers."""

from dataclasses import replace

import numpy as np
import pytest

from edged.domain.types import Box, Face, Image, Quality
from edged.errors import EvaluationError
from edged.evaluation.embedding import Embedded
from edged.evaluation.protocols import Labelled
from edged.evaluation.quality_conditions import WORSE, blurred, lit, smeared
from edged.evaluation.quality_report import quality_report
from edged.evaluation.quality_trial import Judged, judged, judged_worse, references
from tests.unit.evaluation.conftest import GOOD, GREY_FACES, POINTS, crowd, embedded

FACE = Face(Box(30, 30, 40, 40), POINTS, 0.9)


def chance() -> np.random.Generator:
    return np.random.default_rng(4)


def picture() -> Image:
    """A dark and a light half, and noise."""
    halves = np.where(np.arange(100)[None, :, None] < 50, 90, 150) + chance().normal(0, 20, (100, 100, 3))
    return np.clip(halves, 0, 255).astype(np.uint8)


def sharpness(image: Image, axis: int) -> float:
    return float(np.abs(np.diff(image.astype(np.float32), axis=axis)).mean())


def test_every_way_of_making_a_photograph_worse_leaves_a_picture_with_the_face_in_it() -> None:
    for name, condition in WORSE.items():
        image, face = condition(picture(), FACE, chance())
        assert (image.dtype, image.ndim) == (np.uint8, 3), name
        x, y = face.box.centre
        assert 0 <= x < image.shape[1], name
        assert 0 <= y < image.shape[0], name


def test_blur_and_smear_take_detail_and_light_takes_level() -> None:
    plain = picture()
    some, more = (blurred(sigma)(plain, FACE, chance())[0] for sigma in (1, 3))
    assert sharpness(plain, 0) > 2 * sharpness(some, 0) > 3 * sharpness(more, 0)
    streaked = smeared(11)(plain, FACE, chance())[0]
    # One way more than across it.
    ways = sorted(sharpness(streaked, axis) for axis in (0, 1))
    assert ways[0] < 0.8 * ways[1] < 0.8 * sharpness(plain, 0)
    assert streaked.mean() == pytest.approx(plain.mean(), abs=2)
    assert lit(0.25)(plain, FACE, chance())[0].mean() == pytest.approx(plain.mean() / 4, abs=2)
    assert lit(2.5)(plain, FACE, chance())[0].max() == 255


def people(photographs: int) -> tuple[Embedded, list[Labelled]]:
    vectors = crowd(6, photographs, spread=0.1)
    found = replace(embedded(vectors), qualities=(replace(GOOD, score=0.99),) * len(vectors))
    return found, [Labelled(name.split("/")[0], name) for name in vectors]


def test_a_photograph_is_held_against_others_of_the_person() -> None:
    found, labelled = people(3)
    wanted = references(found, labelled)
    assert [one.image for one in wanted] == [one.image for one in labelled]
    first = wanted[0]
    others = found.vectors[1] + found.vectors[2]
    assert first.centre == pytest.approx(others / np.linalg.norm(others), abs=1e-6)
    (plain, *_) = judged(found, wanted)
    assert plain.cosine == plain.original == pytest.approx(float(found.vectors[0] @ first.centre))
    assert (plain.score, plain.refused) == (0.99, False)


def test_a_refused_photograph_is_judged_and_nobody_is_held_against_it() -> None:
    found, labelled = people(2)
    found = replace(found, refused={"p0/0": "blurred"})
    wanted = references(found, labelled)
    assert "p0/1" not in {one.image for one in wanted}
    assert next(one.refused for one in judged(found, wanted)) is True
    with pytest.raises(EvaluationError, match="two photographs"):
        references(*people(1))


def test_pictures_made_worse_are_held_against_themselves() -> None:
    vectors = {"a/0": np.array([0.5, 0.86], np.float32), "a/1": np.array([0.6, 0.8], np.float32)}
    found = replace(
        embedded(vectors), qualities=(GOOD, GOOD), landmarks=np.stack([POINTS, POINTS]).astype(np.float32)
    )
    wanted = references(found, [Labelled("a", name) for name in vectors])
    steps: list[tuple[int, int]] = []
    worse = judged_worse(GREY_FACES, found, wanted, lambda _: picture(), lambda *step: steps.append(step))
    assert {one.condition for one in worse} == set(WORSE)
    assert steps == [(1, 2), (2, 2)]
    assert {one.original for one in worse} == {
        float(found.vectors[row] @ wanted[row].centre) for row in (0, 1)
    }
    night = [one for one in worse if one.condition == "light x 0.12"]
    assert [(one.quality, one.score, one.cosine) for one in night] == [(None, 0.0, 0.0)] * 2
    assert all(one.refused for one in worse if one.condition == "light x 0.25")
    again = judged_worse(GREY_FACES, found, wanted, lambda _: picture())
    assert again == worse


def pictures(score: float, cosine: float, count: int, original: float = 0.8) -> list[Judged]:
    return [Judged("blur", replace(GOOD, score=score), cosine, original)] * count


def test_a_score_that_says_what_is_left_is_found_right() -> None:
    plain = pictures(1, 0.8, 90) + pictures(0.75, 0.6, 10)
    worse = pictures(0.5, 0.4, 20) + pictures(0.75, 0.6, 20) + [Judged("blur", None, 0.0, 0.8)]
    report = quality_report(plain, worse, 0.5)
    assert report.good == pytest.approx(0.8)
    assert [(one.score, round(one.share, 6), one.pictures) for one in report.bins] == [
        (0.75, 0.75, 10),
        (1, 1, 90),
    ]
    assert [round(one.share, 6) for one in report.drawn_bins] == [0.5, 0.75]
    assert (report.error, report.monotone) == (pytest.approx(0, abs=1e-9), True)
    (condition,) = report.conditions
    assert (condition.pictures, condition.without_face) == (41, 1)
    assert condition.share == pytest.approx(0.625)
    # All twenty misses are the pictures of the lowest score: throwing half away throws them all away.
    assert [one.missed.hits for one in report.drawn_discard] == [20, 20, 20, 18, 16, 12, 8, 0]


def test_the_share_is_told_by_what_was_measured() -> None:
    plain = [
        Judged("", replace(GOOD, score=1 - yaw / 100, yaw=float(yaw)), 0.8 if yaw < 25 else 0.4, 0.8)
        for yaw in range(50)
    ]
    parts = [one for one in quality_report(plain, [], 0.5).parts if one.part == "yaw"]
    assert sum(one.pictures for one in parts) == 50
    assert (parts[0].low, parts[-1].high) == (0, 49)
    assert (parts[0].share, parts[-1].share) == (pytest.approx(1), pytest.approx(0.5))


def test_a_score_that_tells_nothing_is_found_out() -> None:
    report = quality_report(pictures(1, 0.8, 10), pictures(0.5, 0.8, 20) + pictures(0.9, 0.4, 20), 0.5)
    assert report.monotone is False
    assert report.error == pytest.approx((0.5 + 0.4) / 2)
    assert report.drawn_discard[-1].missed.value > report.drawn_discard[0].missed.value


def test_without_good_photographs_there_is_nothing_to_hold_against() -> None:
    with pytest.raises(EvaluationError, match="expected photographs with a quality"):
        quality_report(pictures(0.5, 0.4, 5), [], 0.5)
    plain = quality_report(pictures(1, 0.8, 5), [], 0.5)
    assert (plain.drawn_bins, plain.drawn_discard, plain.error, plain.monotone) == ((), (), None, None)


def test_quality_is_a_share_of_a_good_photograph() -> None:
    assert Judged("", None, 0.5, 0.5).score == 0
    assert Judged("", Quality(0.7, 90, 40, 100, 120, 0, 0, 0), 0.5, 0.5).score == 0.7
