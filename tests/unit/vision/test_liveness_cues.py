"""Cues that need no network, on drawings of what they look for and of what they must not take for it."""

import math
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from edged.config.sections import LivenessConfig, ModelsConfig
from edged.domain.liveness import Cue, face_liveness
from edged.domain.types import Box, Face, Image
from edged.errors import ModelError
from edged.vision.liveness_border import border_support
from edged.vision.liveness_meter import FaceLiveness
from edged.vision.liveness_parallax import ParallaxWatch
from edged.vision.liveness_screen import screen_peak
from tests.fakes.model_packs import write_liveness_pack

BOX = Box(270, 150, 100, 130)
FACE = Face(BOX, np.zeros((5, 2), np.float32), 0.9)
NEAR = Face(Box(240, 110, 160, 200), np.zeros((5, 2), np.float32), 0.9)


def wall(seed: int = 1, contrast: float = 25) -> Image:
    """A soft, textured background with a head before it."""
    noise = np.random.default_rng(seed).normal(0, 1, (480, 640)).astype(np.float32)
    soft = cv2.GaussianBlur(noise, (0, 0), 6)
    picture = np.repeat((140 + contrast * soft / soft.std())[..., None], 3, axis=2)
    cv2.ellipse(picture, (320, 215), (62, 85), 0, 0, 360, (120, 140, 180), -1, cv2.LINE_AA)
    cv2.ellipse(picture, (320, 480), (170, 170), 0, 180, 360, (60, 50, 40), -1, cv2.LINE_AA)
    return np.asarray(np.clip(cv2.GaussianBlur(picture, (0, 0), 1), 0, 255), np.uint8)


def sheet(left: int, top: int, right: int, bottom: int, lean: float = 0.0) -> Image:
    """The head on a white sheet."""
    picture, middle = wall(contrast=8), (320.0, 240.0)
    corners = np.array([[left, top], [right, top], [right, bottom], [left, bottom]], np.float32)
    turn = cv2.getRotationMatrix2D(middle, lean, 1.0)
    turned = corners @ turn[:, :2].T + turn[:, 2]
    cv2.fillConvexPoly(picture, np.round(turned).astype(np.int32), (235, 240, 240), cv2.LINE_AA)
    cv2.ellipse(picture, (320, 215), (62, 85), 0, 0, 360, (120, 140, 180), -1, cv2.LINE_AA)
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), 0.8), np.uint8)


def lines() -> Image:
    """A head before a door frame: lines that run on past every corner they could make."""
    picture = wall()
    for x in (180, 460):
        cv2.line(picture, (x, 0), (x, 480), (60, 60, 60), 6)
    cv2.line(picture, (0, 70), (640, 70), (60, 60, 60), 6)
    cv2.ellipse(picture, (320, 215), (62, 85), 0, 0, 360, (120, 140, 180), -1, cv2.LINE_AA)
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), 0.8), np.uint8)


@pytest.mark.parametrize("lean", [0.0, 5.0, -9.0])
def test_a_sheet_around_the_face_has_a_border(lean: float) -> None:
    assert border_support(sheet(230, 90, 410, 400, lean), BOX) > 0.8


def test_a_sheet_that_reaches_beyond_the_picture_has_two_edges_left() -> None:
    assert border_support(sheet(150, -40, 490, 520), NEAR.box) > 0.8


def test_a_soft_background_has_no_border() -> None:
    assert border_support(wall(), BOX) < 0.5


def test_lines_that_run_on_are_less_of_a_border_than_those_that_meet() -> None:
    assert border_support(lines(), BOX) < border_support(sheet(180, 70, 460, 400), BOX) - 0.2


def test_the_border_does_not_depend_on_the_size_of_the_picture() -> None:
    small = np.asarray(
        cv2.resize(sheet(230, 90, 410, 400), None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    )
    assert border_support(small, Box(135, 75, 50, 65)) == pytest.approx(
        border_support(sheet(230, 90, 410, 400), BOX), abs=0.12
    )


@pytest.mark.parametrize(
    "box",
    [Box(600, 300, 50, 65), Box(500, 200, 300, 380), Box(1240, 680, 90, 120), Box(60, -300, 200, 20)],
    ids=["small", "large", "in a corner", "outside"],
)
def test_the_end_of_what_is_looked_at_is_no_border(box: Box) -> None:
    assert border_support(np.full((720, 1280, 3), 200, np.uint8), box) == 0.0


def test_what_is_far_from_the_face_does_not_count() -> None:
    picture = sheet(230, 90, 410, 400)
    wide = np.hstack([picture, np.zeros_like(picture)])
    assert border_support(wide, BOX) == border_support(np.hstack([picture, picture]), BOX)


def test_a_face_of_no_width_has_no_border_to_look_for() -> None:
    with pytest.raises(ValueError, match="expected a face"):
        border_support(wall(), Box(10, 10, float("nan"), 20))


@pytest.mark.parametrize("cycles", [0.12, 0.3, 0.45])
def test_stripes_of_one_frequency_stand_out(cycles: float) -> None:
    x = np.arange(640)[None, :, None]
    grain = np.random.default_rng(1).normal(0, 2, (480, 640, 1))
    plain, striped = wall() + grain, wall() + grain + 6 * np.cos(2 * np.pi * cycles * x)
    before, after = (screen_peak(np.clip(one, 0, 255).astype(np.uint8), BOX) for one in (plain, striped))
    assert before < 7
    assert after > 12


@pytest.mark.parametrize("box", [Box(300, 200, 20, 20), Box(-60, 100, 50, 50), Box(630, 470, 80, 80)])
def test_a_face_too_small_or_outside_shows_no_stripes(box: Box) -> None:
    assert screen_peak(wall(), box) == 1.0


def test_one_colour_shows_no_stripes() -> None:
    assert screen_peak(np.full((480, 640, 3), 99, np.uint8), BOX) < 2


def moved(scene: Callable[[int], Image], steps: int, face: Callable[[int], Box]) -> float | None:
    watch, found = ParallaxWatch(), None
    for step in range(steps):
        one = Face(face(step), np.zeros((5, 2), np.float32), 0.9)
        found = watch.update(1, step * 0.1, scene(step), one)
    return found


def before_a_wall(step: int) -> Image:
    """A head that moves before a background that stays."""
    picture = wall(contrast=45)
    cv2.ellipse(picture, (320, 215), (64, 87), 0, 0, 360, (140, 140, 140), -1)
    cv2.ellipse(picture, (320 + 6 * step, 215), (62, 85), 0, 0, 360, (120, 140, 180), -1, cv2.LINE_AA)
    return picture


def in_one_piece(step: int) -> Image:
    """A picture that is moved as a whole."""
    shift = np.array([[1, 0, 6 * step], [0, 1, 0]], np.float32)
    return np.asarray(
        cv2.warpAffine(wall(contrast=45), shift, (640, 480), borderMode=cv2.BORDER_REFLECT), np.uint8
    )


def to_the_right(step: int) -> Box:
    return Box(BOX.x + 6 * step, BOX.y, BOX.width, BOX.height)


def test_a_picture_that_is_moved_carries_its_background_along() -> None:
    assert moved(in_one_piece, 8, to_the_right) == pytest.approx(0, abs=0.15)


def test_a_head_leaves_its_background_behind() -> None:
    assert moved(before_a_wall, 8, to_the_right) > 0.8


def test_who_stands_still_gives_no_evidence() -> None:
    assert moved(in_one_piece, 8, lambda _step: BOX) is None


def test_a_wall_without_texture_gives_no_evidence() -> None:
    assert moved(lambda _step: np.full((480, 640, 3), 140, np.uint8), 8, to_the_right) is None


def test_too_few_moves_and_pauses_give_no_evidence() -> None:
    assert moved(in_one_piece, 3, to_the_right) is None
    watch = ParallaxWatch()
    assert [watch.update(1, float(step), in_one_piece(step), FACE) for step in range(6)] == [None] * 6


def test_a_forgotten_track_starts_anew() -> None:
    watch = ParallaxWatch()
    for step in range(8):
        found = watch.update(1, step * 0.1, in_one_piece(step), Face(to_the_right(step), FACE.landmarks, 0.9))
    assert found is not None
    watch.forget(1)
    assert watch.update(1, 0.8, in_one_piece(8), Face(to_the_right(8), FACE.landmarks, 0.9)) is None


def meter(*cues: Cue, score: float | None = None) -> FaceLiveness:
    class Networks:
        def score(self, image: Image, face: Face) -> float:
            assert score is not None
            return score

    return FaceLiveness(None if score is None else Networks(), cues)  # type: ignore[arg-type] - a fake


def test_a_clean_face_is_alive_and_a_sheet_is_not() -> None:
    cues = meter(Cue.BORDER, Cue.SCREEN)
    assert face_liveness(cues.measure(1, 0.0, wall(), FACE)) > 0.9
    assert face_liveness(cues.measure(1, 0.0, sheet(230, 90, 410, 400), FACE)) < 0.5


def test_sure_networks_do_not_outweigh_a_border_that_is_plain_to_see() -> None:
    sure = meter(Cue.BORDER, score=1.0)
    assert face_liveness(sure.measure(1, 0.0, sheet(150, -40, 490, 520), NEAR)) < 0.5


@pytest.mark.parametrize(("score", "alive"), [(1.0, True), (0.5, True), (0.001, True), (0.0, False)])
def test_networks_alone_have_to_be_quite_sure(score: float, alive: bool) -> None:
    found = meter(score=score).measure(1, 0.0, wall(), FACE)
    assert set(found) == {Cue.MODEL}
    assert (face_liveness(found) >= 0.5) is alive


def test_a_higher_score_of_the_networks_is_more_evidence() -> None:
    found = [meter(score=score).measure(1, 0.0, wall(), FACE)[Cue.MODEL] for score in np.linspace(0, 1, 21)]
    assert found == sorted(found)
    assert all(math.isfinite(value) for value in found)


def test_a_score_off_the_scale_is_an_error() -> None:
    with pytest.raises(ModelError, match="from 0 to 1"):
        meter(score=math.nan).measure(1, 0.0, wall(), FACE)


def test_off_opens_nothing_and_cues_need_no_pack() -> None:
    assert FaceLiveness.load(ModelsConfig(), LivenessConfig(pack="missing")) is None
    cues = FaceLiveness.load(ModelsConfig(), LivenessConfig(mode="required", cues=("border",)))
    assert cues is not None
    assert cues.pack_name is None
    assert set(cues.measure(1, 0.0, wall(), FACE)) == {Cue.BORDER}


def test_a_network_of_another_kind_fails_at_the_start(tmp_path: Path) -> None:
    folder = write_liveness_pack(tmp_path, over=(1, 2))
    with pytest.raises(ModelError, match=r"expected one output \(1, 3\)"):
        FaceLiveness.load(
            ModelsConfig(directory=tmp_path, threads=1), LivenessConfig(mode="advisory", pack=folder.name)
        )


def test_nothing_to_measure_is_told() -> None:
    with pytest.raises(ModelError, match="nothing to measure"):
        FaceLiveness.load(ModelsConfig(), LivenessConfig(mode="advisory", cues=()))


def test_a_missing_pack_is_named() -> None:
    with pytest.raises(ModelError, match="no model pack 'nowhere'"):
        FaceLiveness.load(ModelsConfig(), LivenessConfig(mode="advisory", pack="nowhere"))
