"""Frozen and blind cameras."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edged.domain.picture import CameraState, PictureFacts, PictureWatch


def lively(number: int) -> PictureFacts:
    return PictureFacts(str(number).encode(), dark=20, bright=200)


def watch(*, live: bool = True, frozen_after: int = 5, blind_after: int = 3) -> PictureWatch:
    return PictureWatch(live=live, frozen_after=frozen_after, blind_after=blind_after)


def test_a_repeated_picture_is_never_fresh_and_freezes_after_the_limit() -> None:
    judge = watch()
    assert judge.step(lively(1)).fresh
    verdicts = [judge.step(lively(1)) for _ in range(5)]
    assert not any(verdict.fresh for verdict in verdicts)
    assert [verdict.state for verdict in verdicts] == [CameraState.UP] * 4 + [CameraState.FROZEN]


def test_one_new_picture_thaws_the_camera() -> None:
    judge = watch()
    for _ in range(10):
        judge.step(lively(1))
    verdict = judge.step(lively(2))
    assert (verdict.state, verdict.fresh) == (CameraState.UP, True)


@given(st.integers(1, 8))
def test_a_driver_that_goes_round_its_buffers_is_frozen_too(buffers: int) -> None:
    judge = watch()
    verdicts = [judge.step(lively(turn % buffers)) for turn in range(buffers + 5)]
    assert sum(verdict.fresh for verdict in verdicts) == buffers
    assert verdicts[-1].state is CameraState.FROZEN


def test_a_replay_may_repeat_itself() -> None:
    judge = watch(live=False)
    assert all(judge.step(lively(1)) == judge.step(lively(1)) for _ in range(20))
    assert judge.step(lively(1)).fresh


@pytest.mark.parametrize(
    ("dark", "bright", "blind"),
    [
        (0, 19.9, True), (0, 45, False),  # black, and merely dark
        (241, 255, True), (200, 255, False),  # white, and merely bright
        (90, 101, True), (90, 103, False),  # flat, and merely dull
    ],
)  # fmt: skip
def test_black_white_and_flat_pictures_are_blind(dark: float, bright: float, blind: bool) -> None:
    assert PictureFacts(b"", dark, bright).blind is blind


def test_blind_needs_a_run_and_ends_at_the_first_good_picture() -> None:
    judge = watch()
    black = [PictureFacts(bytes([number]), 2, 9) for number in range(4)]
    states = [judge.step(facts).state for facts in [*black[:2], lively(1), *black]]
    assert states[:-2] == [CameraState.UP] * 5
    assert states[-2:] == [CameraState.BLIND] * 2
    assert judge.step(lively(2)).state is CameraState.UP


def test_a_covered_lens_without_noise_is_blind_rather_than_frozen() -> None:
    judge = watch()
    verdicts = [judge.step(PictureFacts(b"black", 0, 0)) for _ in range(10)]
    assert verdicts[-1].state is CameraState.BLIND
    assert not verdicts[-1].fresh


def test_how_long_a_camera_may_stand_still_does_not_hang_on_how_often_somebody_looks() -> None:
    judge = watch(frozen_after=6, blind_after=6)
    frozen = [judge.step(lively(1), passed=2).state for _ in range(4)]
    assert frozen == [CameraState.UP] * 3 + [CameraState.FROZEN]
    black = PictureFacts(b"black", 5, 10)
    # Of what lay before the first one nothing is known.
    assert [judge.step(black, passed=9).state for _ in range(2)] == [CameraState.UP, CameraState.BLIND]
