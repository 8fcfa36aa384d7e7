"""Would-be grants against badges."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edged.domain.shadow import MIN_BADGES, Comparison, Passage, WouldBe, compare

ADA, BEN = "p-ada", "p-ben"


def would(at: float, person_id: str = ADA) -> WouldBe:
    return WouldBe(at, person_id, f"event-{at:g}")


def held(would_be: list[WouldBe], *passages: Passage) -> Comparison:
    return compare(would_be, passages, window_seconds=10)


def test_a_badge_and_a_face_at_one_time_agree() -> None:
    found = held([would(100)], Passage(107, ADA))
    assert (found.badges, found.agreed, found.missed) == (1, 1, 0)
    assert found.wrong == found.unexplained == ()


def test_a_badge_without_a_name_agrees_with_anybody() -> None:
    assert held([would(100, BEN)], Passage(100, None)).agreed == 1


def test_somebody_else_at_the_time_of_a_badge_is_wrong() -> None:
    found = held([would(100, BEN)], Passage(100, ADA))
    assert found.wrong == (would(100, BEN),)
    assert not found.may_arm


def test_two_who_come_together_are_not_mixed_up() -> None:
    found = held([would(100, BEN), would(103, ADA)], Passage(101, ADA), Passage(102, BEN))
    assert (found.agreed, found.wrong) == (2, ())


def test_a_badge_that_nobody_was_seen_with_is_missed() -> None:
    found = held([would(100)], Passage(100, ADA), Passage(111, ADA))
    assert (found.agreed, found.missed) == (1, 1)


def test_a_face_without_a_passage_is_for_a_person_to_explain() -> None:
    found = held([would(100)], Passage(200, ADA))
    assert found.unexplained == (would(100),)
    assert "without a passage" in found.advice


def test_a_second_face_behind_a_badge_is_explained_by_it() -> None:
    assert held([would(100, ADA), would(101, BEN)], Passage(100, ADA)).unexplained == ()


def test_an_exit_explains_a_face_and_is_never_missed() -> None:
    found = held([would(100)], Passage(95, None, "exit"), Passage(500, None, "exit"))
    assert (found.badges, found.missed, found.unexplained) == (0, 0, ())
    assert found.missed_bound is None


def week(visits: int, missed: int) -> Comparison:
    passages = [Passage(100.0 * n, ADA) for n in range(visits)]
    return held([would(100.0 * n) for n in range(missed, visits)], *passages)


def test_a_week_without_fault_may_be_armed() -> None:
    found = week(60, 2)
    assert found.may_arm
    assert found.missed_bound == pytest.approx(6.296 / 60, rel=1e-3)


@pytest.mark.parametrize(
    ("visits", "missed", "told"), [(MIN_BADGES - 1, 0, "too few"), (60, 4, "6.7%"), (0, 0, "too few")]
)
def test_little_evidence_or_many_misses_are_no_reason_to_arm(visits: int, missed: int, told: str) -> None:
    found = week(visits, missed)
    assert not found.may_arm
    assert told in found.advice


times = st.floats(0, 1000)


@given(
    st.lists(st.builds(WouldBe, times, st.sampled_from([ADA, BEN]), st.uuids().map(str)), max_size=12),
    st.lists(
        st.builds(Passage, times, st.sampled_from([ADA, BEN, None]), st.sampled_from(["badge", "exit"])),
        max_size=12,
    ),
)
def test_every_badge_and_every_face_is_counted_at_most_once(
    would_be: list[WouldBe], passages: list[Passage]
) -> None:
    found = held(would_be, *passages)
    assert found.agreed + len(found.wrong) + found.missed == found.badges
    assert found.agreed + len(found.wrong) + len(found.unexplained) <= len(would_be)
    assert not set(found.wrong) & set(found.unexplained)
