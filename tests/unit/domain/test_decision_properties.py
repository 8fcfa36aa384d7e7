"""What must hold of the engine whatever happens in front of the door.

Visits are made of vectors in a small space, matched against real snapshots; the calibration table is
toy but whole, so that thresholds, bars and vetoes are those that the gallery worker would make.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from edged.domain.access import AccessRules
from edged.domain.calibration import CalibrationPoint, threshold_for
from edged.domain.decision import DecisionEngine, DecisionPolicy
from edged.domain.gallery import GallerySnapshot, build_snapshot, with_bars
from edged.domain.lookalikes import Bar, lookalike_rule
from edged.domain.matching import best_match, limits_for
from edged.domain.people import Person, Template, Veto
from edged.domain.risk import Risk
from edged.domain.types import Decision, FloatArray, Outcome
from tests.unit.domain.conftest import GOOD, NOON, seen

DIMENSION = 4
RISK = Risk(1e-2)
MARGIN = 0.06
TABLE = (
    CalibrationPoint(1e-1, 0.2, 10**6),
    CalibrationPoint(1e-2, 0.35, 10**6),
    CalibrationPoint(1e-4, 0.5, 10**6),
)

# Grants near a limit are rare among all that may happen.
often = settings(max_examples=2 * settings().max_examples)

# Coarse, so that hypothesis meets equal and nearly equal vectors often.
parts = st.integers(-4, 4)
vectors = st.tuples(parts, parts, parts, parts).filter(any).map(lambda values: _unit(values))  # noqa: PLW0108 - defined below
crowds = st.lists(vectors, min_size=1, max_size=4)


def _unit(values: Sequence[float]) -> FloatArray:
    row = np.array(values, np.float32)
    return np.asarray(row / np.linalg.norm(row), np.float32)


@dataclass(frozen=True)
class Look:
    """One frame: what is seen of the face, when it was taken and how late it is judged."""

    vector: FloatArray
    at: float
    late: float
    track: int
    quality: float = 0.9

    @property
    def now(self) -> float:
        return self.at + self.late


@st.composite
def visits(draw: st.DrawFn, people: Sequence[FloatArray]) -> list[Look]:
    """Frames in the order of time: stretches of one face, mostly near somebody and near the limits.

    2.4 parts of another direction on one of the face's own leave a cosine of 0.38, about the threshold.
    """
    looks: list[Look] = []
    at = 0.0
    for _ in range(draw(st.integers(1, 4))):
        base, noise = draw(st.sampled_from(list(people))), draw(vectors)
        mixed = base + draw(st.sampled_from([0.0, 0.5, 1.2, 1.8, 2.1, 2.4, 2.7])) * noise
        vector = _unit(mixed) if np.linalg.norm(mixed) > 1e-3 else base
        step = draw(st.sampled_from([0.05, 0.1, 0.4]))
        track = draw(st.sampled_from([1, 1, 1, 2]))
        for _ in range(draw(st.integers(1, 5))):
            at += step
            looks.append(Look(vector, at, 0.04, track, draw(st.sampled_from([0.5, 0.9]))))
        at += draw(st.sampled_from([0.0, 0.0, 1.5]))
    return looks


def gallery(people: Sequence[FloatArray], vetoes: Sequence[tuple[int, FloatArray]] = ()) -> GallerySnapshot:
    ids = [f"p-{number}" for number in range(len(people))]
    snapshot = build_snapshot(
        "toy/1",
        DIMENSION,
        len(people),
        [Person(one, one) for one in ids],
        [
            Template(f"t-{one}", one, "toy/1", vector, 0.9, b"")
            for one, vector in zip(ids, people, strict=True)
        ],
        vetoes=[Veto(f"E{row}", f"p-{who}", "toy/1", face) for row, (who, face) in enumerate(vetoes)],
    )
    rule = lookalike_rule(TABLE, threshold=threshold(len(people)), min_margin=MARGIN, risk=RISK)
    return with_bars(snapshot, rule)


def threshold(people: int) -> float | None:
    return threshold_for(TABLE, people, RISK).cosine


def policy(people: int) -> DecisionPolicy:
    return DecisionPolicy(threshold(people), 3, 5, MARGIN, 10, 1, 2, 0.5)


def decided(
    looks: Sequence[Look], snapshot: GallerySnapshot, lowered: Sequence[float] = (), *, pooled: bool = True
) -> list[Decision]:
    """Judge ``looks`` one by one; ``lowered`` is taken from their scores."""
    engine = DecisionEngine(policy(len(snapshot.people)), AccessRules())
    decisions = []
    for number, look in enumerate(looks):
        match = best_match(snapshot, look.vector)
        if lowered:
            match = replace(match, score=match.score - lowered[number])
        quality = replace(GOOD, score=look.quality)
        observation = replace(
            seen(number, look.at, track=look.track),
            match=match,
            vector=look.vector if pooled else None,
            quality=quality,
        )
        decisions.append(engine.step(observation, snapshot, look.now, NOON))
    return decisions


def first_grants(decisions: Sequence[Decision]) -> dict[str | None, int]:
    """At which step each person was let in for the first time."""
    found: dict[str | None, int] = {}
    for number, decision in enumerate(decisions):
        if decision.outcome is Outcome.GRANT:
            found.setdefault(decision.person_id, number)
    return found


def assert_no_new_grant(before: dict[str | None, int], after: dict[str | None, int]) -> None:
    """Nobody is let in who was not, or sooner than they were."""
    assert all(person in before and before[person] <= step for person, step in after.items())


@often
@given(st.data(), crowds, vectors, st.floats(0, 1))
def test_enrolling_a_look_alike_lets_in_nobody_else(
    data: st.DataObject, people: list[FloatArray], direction: FloatArray, likeness: float
) -> None:
    model = data.draw(st.sampled_from(people))
    mixed = likeness * model + (1 - likeness) * direction
    twin = _unit(mixed) if np.linalg.norm(mixed) > 1e-3 else direction
    looks = data.draw(visits([*people, twin]))
    before = first_grants(decided(looks, gallery(people)))
    after = first_grants(decided(looks, gallery([*people, twin])))
    after.pop(f"p-{len(people)}", None)  # the newcomer themself
    assert_no_new_grant(before, after)


@often
@given(st.data(), crowds)
def test_a_raised_bar_lets_in_nobody_whom_everybodys_limits_keep_out(
    data: st.DataObject, people: list[FloatArray]
) -> None:
    """Whatever the bar: one below everybody's limits must not lower them either."""
    looks = data.draw(visits(people))
    score, margin = data.draw(st.sampled_from([0.0, 0.3, 0.5])), data.draw(st.sampled_from([0.0, 0.2]))
    plain = replace(gallery(people), bars={})
    barred = replace(plain, bars={f"p-{number}": Bar(score, margin, 0.6) for number in range(len(people))})
    assert_no_new_grant(first_grants(decided(looks, plain)), first_grants(decided(looks, barred)))


@often
@given(st.data(), crowds, st.lists(st.tuples(st.integers(0, 3), vectors), min_size=1, max_size=3))
def test_a_veto_lets_in_nobody(
    data: st.DataObject, people: list[FloatArray], faces: list[tuple[int, FloatArray]]
) -> None:
    vetoes = [(who % len(people), face) for who, face in faces]
    looks = data.draw(visits([*people, *(face for _, face in vetoes)]))
    assert_no_new_grant(
        first_grants(decided(looks, gallery(people))), first_grants(decided(looks, gallery(people, vetoes)))
    )


@often
@given(st.data(), crowds, vectors, vectors, st.sampled_from([0.0, 0.02, 0.1, 0.5]))
def test_lower_scores_and_newcomers_take_no_veto_back(
    data: st.DataObject, people: list[FloatArray], face: FloatArray, newcomer: FloatArray, less: float
) -> None:
    vetoes = [(data.draw(st.integers(0, len(people) - 1)), face)]
    looks = data.draw(visits([*people, face, newcomer]))
    before = first_grants(decided(looks, gallery(people, vetoes)))
    lowered = [data.draw(st.sampled_from([0.0, less])) for _ in looks]
    assert_no_new_grant(before, first_grants(decided(looks, gallery(people, vetoes), lowered)))
    after = first_grants(decided(looks, gallery([*people, newcomer], vetoes)))
    after.pop(f"p-{len(people)}", None)
    assert_no_new_grant(before, after)


@often
@given(st.data(), crowds, vectors)
def test_a_vetoed_face_never_enters_as_that_person(
    data: st.DataObject, people: list[FloatArray], face: FloatArray
) -> None:
    who = data.draw(st.integers(0, len(people) - 1))
    looks = data.draw(visits([face]))
    exact = [replace(look, vector=face) for look in looks]
    assert f"p-{who}" not in first_grants(decided(exact, gallery(people, [(who, face)])))


@often
@given(st.data(), crowds)
def test_lower_scores_let_in_nobody(data: st.DataObject, people: list[FloatArray]) -> None:
    looks = data.draw(visits(people))
    lowered = data.draw(st.lists(st.sampled_from([0.0, 0.0, 0.02, 0.1, 0.5]), min_size=24, max_size=24))
    snapshot = gallery(people)
    assert_no_new_grant(
        first_grants(decided(looks, snapshot)), first_grants(decided(looks, snapshot, lowered))
    )


def shows(look: Look, person_id: str, snapshot: GallerySnapshot) -> bool:
    """Whether the frame is evidence for the person: nearest, and above the person's own limits."""
    match = best_match(snapshot, look.vector)
    limits = limits_for(person_id, snapshot, threshold(len(snapshot.people)), MARGIN)
    reached = limits.score is not None and match.score >= limits.score and match.margin >= limits.margin
    return match.person_id == person_id and reached


@often
@given(st.data(), crowds)
def test_fewer_frames_of_a_person_do_not_let_that_person_in(
    data: st.DataObject, people: list[FloatArray]
) -> None:
    """Only frames that show the person can be missing: one in between that shows nobody may be the denial."""
    looks = data.draw(visits(people))
    snapshot = gallery(people)
    who = data.draw(st.integers(0, len(people) - 1))
    gone = {
        number
        for number, look in enumerate(looks)
        if shows(look, f"p-{who}", snapshot) and data.draw(st.booleans())
    }
    left = [number for number in range(len(looks)) if number not in gone]
    before = first_grants(decided(looks, snapshot))
    after = first_grants(decided([looks[number] for number in left], snapshot))
    steps = {person: left[step] for person, step in after.items() if person == f"p-{who}"}
    assert_no_new_grant(before, steps)


@often
@given(st.data(), crowds)
def test_the_mean_of_a_track_lets_in_nobody_whom_the_frames_alone_keep_out(
    data: st.DataObject, people: list[FloatArray]
) -> None:
    looks = data.draw(visits(people))
    snapshot = gallery(people)
    alone = first_grants(decided(looks, snapshot, pooled=False))
    assert_no_new_grant(alone, first_grants(decided(looks, snapshot)))


@often
@given(
    st.data(), crowds, st.lists(st.sampled_from([*[0.1] * 9, -0.05, -0.4, -3.0]), min_size=24, max_size=24)
)
def test_time_that_goes_backwards_lets_in_nobody(
    data: st.DataObject, people: list[FloatArray], strides: list[float]
) -> None:
    looks = data.draw(visits(people))
    snapshot = gallery(people)
    engine = DecisionEngine(policy(len(people)), AccessRules())
    now, latest = 100.0, float("-inf")
    for number, (look, stride) in enumerate(zip(looks, strides, strict=False)):
        now += stride
        captured_at = now + 0.01 if number % 3 == 2 else now - look.late  # now and then from the future
        observation = replace(
            seen(number, captured_at), match=best_match(snapshot, look.vector), vector=look.vector
        )
        decision = engine.step(observation, snapshot, now, NOON)
        assert not (decision.outcome is Outcome.GRANT and (now < latest or captured_at > now))
        latest = max(latest, now)
