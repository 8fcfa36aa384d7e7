"""The mean of a track's faces, and what it asks beside the single frames."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

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


def test_of_codes_the_runner_up_counts_for_the_most_it_may_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edged.domain.gallery.COMPACT_FROM", 1)  # and their templates cannot be read again
    noise = np.random.default_rng(5).standard_normal((3, 8)).astype(np.float32)
    ada, ben, off = (row / np.linalg.norm(row) for row in noise)
    people = [Person(name, name, created_at=NOON) for name in ("p-ada", "p-ben")]
    templates = [
        Template(one.person_id, one.person_id, "s", vector, 0.9, b"", NOON)
        for one, vector in zip(people, (ada, ben), strict=True)
    ]
    gallery = build_snapshot("s", 8, 1, people, templates)
    face = (ben + 0.3 * off) / np.linalg.norm(ben + 0.3 * off)
    pool = Pool()
    pool.add(look(1, face, gallery), 10)
    match = pool.match(gallery, "p-ada", since=0)
    assert match is not None
    assert match.second_id == "p-ben"
    exact = face.astype(np.float64)
    assert match.score < ada @ exact
    assert match.second_score > ben @ exact


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


@given(st.integers(0, 2**32 - 1), st.integers(1, 70), st.floats(0.05, 3.0), st.sampled_from([8, 128, 512]))
@settings(deadline=None)
def test_the_mean_is_that_of_the_vectors_put_together(
    seed: int, frames: int, seconds: float, dimension: int
) -> None:
    """However long the visit, what is kept was copied in time, and nothing older counts."""
    random = np.random.default_rng(seed)
    people = [Person("p-ada", "Ada"), Person("p-ben", "Ben")]
    own = random.normal(size=(2, dimension))
    own /= np.linalg.norm(own, axis=1, keepdims=True)
    templates = [
        Template(one.person_id, one.person_id, "toy/1", row.astype(np.float32), 1.0, b"")
        for one, row in zip(people, own, strict=True)
    ]
    gallery, pool = build_snapshot("toy/1", dimension, 1, people, templates), Pool()
    at, kept = 0.0, []
    for seq in range(frames):
        at += random.choice([0.07, 0.1, 0.1, 0.4])
        vector = own[0] + random.normal(size=dimension) / dimension**0.5
        vector = (vector / np.linalg.norm(vector)).astype(np.float32)
        quality = replace(GOOD, score=float(random.uniform()))
        pool.add(replace(seen(seq, at), vector=vector, quality=quality), seconds)
        kept.append((at, vector.copy(), quality.score))
        vector[:] = 0  # a pool keeps what it was given, whatever becomes of it
    since = at - random.uniform(0, 1.2 * seconds)
    recent = [(vector, score) for then, vector, score in kept if then >= since and at - then <= seconds]
    match = pool.match(gallery, "p-ada", since=since)
    centre = weighted_centre(recent)
    assert centre is not None
    weights = np.array([weight_of(score) for _, score in recent], np.float32)
    plain = weights @ np.stack([vector for vector, _ in recent]) / weights.sum()
    np.testing.assert_array_equal(centre, plain / float(np.linalg.norm(plain)))
    wanted = best_match(gallery, centre)
    assert match is not None
    if wanted.person_id == "p-ada":
        assert match == wanted


def test_faces_that_came_in_another_order_count_by_their_time(gallery: GallerySnapshot) -> None:
    pool = Pool()
    for at, vector in ((1.0, ADA), (0.2, BEN), (1.1, ADA)):
        pool.add(replace(look(1, vector, gallery), captured_at=at), 2.0)
    match = pool.match(gallery, "p-ada", since=0.5)
    assert match is not None
    assert match.score == pytest.approx(1)


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
