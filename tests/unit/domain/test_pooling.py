"""The mean of a track's faces, and what it asks beside the single frames."""

import math
from dataclasses import replace

import numpy as np
import pytest

from edged.domain.access import AccessRules
from edged.domain.centres import weight_of, weighted_centre
from edged.domain.decision import DecisionEngine
from edged.domain.gallery import GallerySnapshot, build_snapshot
from edged.domain.matching import best_match
from edged.domain.people import Person, Template
from edged.domain.pooling import Pool
from edged.domain.types import Decision, FloatArray, Observation, Outcome, Reason
from tests.unit.domain.conftest import GOOD, NOON, seen
from tests.unit.domain.test_decision import POLICY


def axis(*parts: float) -> FloatArray:
    """A unit vector of eight parts."""
    vector = np.zeros(8, np.float32)
    vector[: len(parts)] = parts
    return np.asarray(vector / np.linalg.norm(vector), np.float32)


ADA, BEN, STRANGER = axis(1), axis(0, 1), axis(0, 0, 0, 1)


def look(seq: int, vector: FloatArray, gallery: GallerySnapshot, quality: float = 0.9) -> Observation:
    return replace(
        seen(seq, seq * 0.1),
        match=best_match(gallery, vector),
        vector=vector,
        quality=replace(GOOD, score=quality),
    )


def judged(looks: list[Observation], gallery: GallerySnapshot) -> list[Decision]:
    engine = DecisionEngine(POLICY, AccessRules())
    return [engine.step(one, gallery, one.captured_at + 0.05, NOON) for one in looks]


def test_a_better_face_counts_for_more() -> None:
    centre = weighted_centre([(ADA, 1.0), (BEN, 0.5)])
    assert centre == pytest.approx(axis(1, 0.5))


@pytest.mark.parametrize("quality", [0.0, -1.0, math.nan])
def test_a_face_without_quality_still_counts(quality: float) -> None:
    assert 0 < weight_of(quality) < weight_of(0.5)
    assert weighted_centre([(ADA, quality)]) == pytest.approx(ADA)


def test_faces_that_cancel_out_have_no_centre() -> None:
    assert weighted_centre([(ADA, 0.7), (-ADA, 0.7)]) is None


def test_a_poor_template_pulls_its_person_less() -> None:
    templates = [
        Template("t1", "p-ada", "toy/1", ADA, 1.0, b""),
        Template("t2", "p-ada", "toy/1", BEN, 0.25, b""),
    ]
    snapshot = build_snapshot("toy/1", 8, 1, [Person("p-ada", "Ada")], templates)
    assert snapshot.matrix[0] == pytest.approx(axis(1, 0.25))


def test_the_mean_is_of_the_newest_faces_only(gallery: GallerySnapshot) -> None:
    pool = Pool()
    for one in (look(1, BEN, gallery), look(30, ADA, gallery)):
        pool.add(one, 2.0)
    match = pool.match(gallery, "p-ada", since=0.0)
    assert match is not None
    assert (match.person_id, match.score) == ("p-ada", pytest.approx(1))
    assert pool.match(gallery, "p-ada", since=3.1) is None


def test_where_another_is_nearer_the_margin_is_negative(gallery: GallerySnapshot) -> None:
    pool = Pool()
    pool.add(look(1, axis(0.5, 1), gallery), 2.0)
    match = pool.match(gallery, "p-ada", since=0.0)
    assert match is not None
    assert (match.second_id, match.margin < 0) == ("p-ben", True)


def test_frames_of_somebody_else_on_the_track_keep_the_door_shut(gallery: GallerySnapshot) -> None:
    """The vote alone lets in after three agreeing frames of the last five, whatever the first two were."""
    looks = [look(seq, STRANGER, gallery) for seq in range(1, 8)] + [
        look(seq, axis(0.5, 0, 0, 0, 1), gallery) for seq in range(8, 11)
    ]
    alone = judged([replace(one, vector=None) for one in looks], gallery)
    assert alone[-1].outcome is Outcome.GRANT
    decisions = judged(looks, gallery)
    assert Outcome.GRANT not in {one.outcome for one in decisions}
    assert decisions[-1].trace[-1].name == "mean_score"
    assert not decisions[-1].trace[-1].passed


def test_two_people_who_share_a_track_are_ambiguous(gallery: GallerySnapshot) -> None:
    """Three faces of one and two better ones of the other weigh the same."""
    halves = [look(seq, ADA if seq % 2 else BEN, gallery, 0.6 if seq % 2 else 0.9) for seq in range(1, 6)]
    decision = judged(halves, gallery)[-1]
    assert (decision.outcome, decision.reason) == (Outcome.DENY, Reason.AMBIGUOUS)
    assert decision.trace[-1].name == "mean_margin"


def test_a_new_gallery_begins_a_new_mean(gallery: GallerySnapshot) -> None:
    engine = DecisionEngine(POLICY, AccessRules())
    for one in (look(seq, STRANGER, gallery) for seq in range(1, 6)):
        engine.step(one, gallery, one.captured_at, NOON)
    changed = replace(gallery, version=2)
    decisions = [
        engine.step(one, changed, one.captured_at, NOON)
        for one in (look(seq, ADA, changed) for seq in (6, 7, 8))
    ]
    assert decisions[-1].outcome is Outcome.GRANT
