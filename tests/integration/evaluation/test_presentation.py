"""Drawn presentations: what is held up is where it is said to be, live ones are what they were."""

from collections.abc import Sequence

import cv2
import numpy as np
import pytest

from edged.domain.liveness import Cue
from edged.domain.presentation import Species
from edged.domain.types import Box, Face, Image
from edged.errors import EvaluationError
from edged.evaluation.presentation import FRAME_SIZE, Presentation, attack, live, visit, without_wedges
from edged.evaluation.presentation_glare import GLASS_EDGE, GLOSS_EDGE, mirrored
from edged.evaluation.presentation_rates import Shown, rates, threshold_passing
from edged.evaluation.presentation_screen import PHONE, grid
from edged.evaluation.presentation_trial import Portrait, PresentationTrial
from edged.evaluation.scene_visitor import cut_out, figure
from tests.integration.evaluation.test_scene import portrait

RED = (0, 0, 255)


def chance(seed: int = 1) -> np.random.Generator:
    return np.random.default_rng(seed)


def face_at(x: float, y: float, side: float = 40) -> Face:
    return Face(Box(x - side / 2, y - side / 2, side, side), np.zeros((5, 2), np.float32), 0.9)


@pytest.mark.parametrize("species", Species)
def test_an_attack_shows_the_photograph_within_its_corners(species: Species) -> None:
    photo = np.full((160, 160, 3), RED, np.uint8)
    held = [next(attack(photo, species, figure(portrait()), chance(seed))) for seed in range(4)]
    for one in held:
        assert one.image.shape[1::-1] == FRAME_SIZE
        assert one.corners is not None
        inside = np.zeros(one.image.shape[:2], np.uint8)
        cv2.fillConvexPoly(inside, np.round(one.corners).astype(np.int32), 1)
        red = one.image[..., 2] - one.image[..., :2].max(axis=2).astype(int) > 90  # skin is not as red
        assert red[cv2.erode(inside, np.ones((9, 9))) > 0].mean() > 0.25
        assert red[cv2.dilate(inside, np.ones((9, 9))) == 0].sum() < 50
    assert len({one.image.tobytes() for one in held}) == 4


def test_glass_mirrors_a_light_sharply_and_paper_softly() -> None:
    dark = np.full((300, 300, 3), 40, np.float32)
    steps = []
    for edge in (GLASS_EDGE, GLOSS_EDGE):
        lit = [mirrored(dark, chance(seed), 1.0, edge) for seed in range(8)]
        assert all(one.max() > dark.max() + 60 and (one >= dark - 1e-3).all() for one in lit)
        steps.append(np.mean([np.abs(np.diff(one, axis=1)).max() / (one.max() - 40) for one in lit]))
    assert steps[0] > 2 * steps[1]
    assert mirrored(dark, chance(), 0.0, GLASS_EDGE) is dark


def test_the_same_chance_gives_the_same_attack() -> None:
    one, two = (
        list(attack(portrait(), Species.PHONE, figure(portrait()), chance(3), frames)) for frames in (1, 3)
    )
    # However many frames follow, the first is the same.
    assert np.array_equal(one[0].image, two[0].image)
    assert (len(one), len(two)) == (1, 3)


def test_what_is_held_up_sways_with_whoever_holds_it() -> None:
    held = list(attack(portrait(), Species.PRINT, figure(portrait()), chance(3), 5))
    places = [one.corners[:, 0].mean() for one in held if one.corners is not None]
    assert 5 < max(places) - min(places) < 45
    still = list(live(portrait(), chance(), 3))
    assert np.abs(still[2].image.astype(int) - still[0].image).mean() < 6
    assert not np.array_equal(still[2].image, still[0].image)


def test_a_live_photograph_is_itself_but_for_the_camera() -> None:
    shown = next(live(portrait(), chance()))
    assert shown.corners is None
    assert shown.image.shape == portrait().shape
    assert 0.3 < np.abs(shown.image.astype(int) - portrait()).mean() < 6


def test_a_visit_stands_in_the_corridor() -> None:
    person = cut_out(portrait())
    assert person is not None
    shown = next(visit(person, chance()))
    assert (shown.image.shape[1::-1], shown.corners) == (FRAME_SIZE, None)


def test_black_wedges_at_the_edge_are_filled_and_black_within_is_kept() -> None:
    photo = portrait()
    cv2.fillConvexPoly(photo, np.array([[0, 0], [60, 0], [0, 40]]), (0, 0, 0))
    photo[90:100, 70:90] = 0
    filled = without_wedges(photo)
    assert filled[5, 5].min() > 60
    assert filled[92:98, 75:85].max() == 0
    assert without_wedges(portrait()) is not None
    assert np.array_equal(without_wedges(portrait()), portrait())


def test_the_grid_of_a_screen_beats_within_its_corners_alone() -> None:
    grey = np.full((480, 640, 3), 120, np.uint8)
    corners = np.array([[200, 100], [400, 100], [400, 420], [200, 420]], np.float32)
    striped = grid(grey, PHONE, corners, 0.1)
    assert striped[150:400, 230:380].std() > 4
    assert np.array_equal(striped[:90], grey[:90])
    assert abs(float(striped[150:400, 230:380].mean()) - 120) < 2


def test_the_presented_face_is_not_the_holders() -> None:
    corners = np.array([[200, 100], [400, 100], [400, 420], [200, 420]], np.float32)
    held = Presentation(np.zeros((480, 640, 3), np.uint8), corners)
    holder, photo = face_at(300, 60, 90), face_at(300, 250)
    assert held.presented([holder, photo]) is photo
    assert held.presented([holder]) is None


def shown(kind: str, attacking: bool, *evidence: float | None) -> list[Shown]:
    return [
        Shown(kind, attacking, () if one is None else ({Cue.BORDER: one, Cue.SCREEN: 0.0},))
        for one in evidence
    ]


SHOWN = [
    *shown("print", True, -9.0, -9.0, 0.0, None),
    *shown("phone", True, -9.0),
    *shown("photograph", False, 0.0, 0.0, 0.0, -9.0),
]


def test_rates_are_by_kind_over_the_presentations_with_a_face() -> None:
    found = rates(SHOWN, 0.5)
    assert {kind: (one.errors, one.trials) for kind, one in found.apcer.items()} == {
        "print": (1, 3),
        "phone": (0, 1),
    }
    assert (found.bpcer["photograph"].errors, found.bpcer["photograph"].trials) == (1, 4)
    assert found.no_face == {"print": 1}
    assert (found.rejected, found.passed, found.worst_apcer) == (0.75, 0.75, pytest.approx(1 / 3))


def test_sets_of_cues_are_compared_where_as_many_live_ones_pass() -> None:
    threshold = threshold_passing(SHOWN, 0.75, [Cue.BORDER])
    assert rates(SHOWN, threshold, [Cue.BORDER]).passed == 0.75
    assert rates(SHOWN, threshold_passing(SHOWN, 0.75, [Cue.SCREEN]), [Cue.SCREEN]).rejected == 0
    with pytest.raises(ValueError, match="live presentations"):
        threshold_passing(shown("print", True, 0.0), 0.9, [Cue.BORDER])


def test_a_visit_is_the_mean_of_its_frames() -> None:
    border = shown("print", True, -9.0, 0.0)
    both = Shown("print", True, tuple(found for one in border for found in one.frames))
    assert both.score() == pytest.approx((border[0].score() + border[1].score()) / 2)
    # Of frames about which a cue says nothing it found nothing, one by one.
    assert both.score([Cue.PARALLAX]) == pytest.approx(border[1].score([Cue.SCREEN]))


class Meter:
    """Takes large pictures for attacks."""

    def __init__(self) -> None:
        self.forgotten: list[int] = []

    def measure(self, track_id: int, at: float, image: Image, face: Face) -> dict[Cue, float]:
        border = {Cue.BORDER: -9.0 if image.shape[1] == FRAME_SIZE[0] else 0.0}
        # Of the second frame on there is a second cue, which finds nothing.
        return border | ({Cue.PARALLAX: 0.0} if at > 0 else {})

    def forget(self, track_id: int) -> None:
        self.forgotten.append(track_id)


def everywhere(image: Image) -> Sequence[Face]:
    height, width = image.shape[:2]
    return [face_at(x, y) for x in range(0, width, 40) for y in range(0, height, 40)]


def test_each_photograph_is_shown_live_as_a_visit_and_as_each_attack() -> None:
    meter = Meter()
    portraits = [Portrait(f"{index}", portrait) for index in range(3)]
    trial = PresentationTrial(everywhere, meter, portraits, [Species.PRINT, Species.REPLAY])
    trial.run()
    kinds = [(one.kind, one.attack) for one in trial.shown[:4]]
    assert kinds == [("photograph", False), ("visit", False), ("print", True), ("replay", True)]
    assert len(trial.shown) == len(meter.forgotten) == 12
    report = trial.report(0.5)
    assert (report.photographs, report.whole.rejected) == (3, 1.0)
    assert report.whole.bpcer["photograph"].errors == 0
    assert (set(report.ablation), report.at_threshold) == ({"border"}, {})


def test_what_each_cue_adds_is_told_at_the_threshold_and_where_as_many_pass() -> None:
    portraits = [Portrait(f"{index}", portrait) for index in range(2)]
    trial = PresentationTrial(everywhere, Meter(), portraits, [Species.PRINT], frames=3)
    trial.run()
    assert {len(one.frames) for one in trial.shown} == {3}
    report = trial.report(0.5)
    assert report.frames == 3
    assert set(report.at_threshold) == {"border"}
    assert report.at_threshold["border"].rejected == report.whole.rejected == 1.0
    assert {name: one.rejected for name, one in report.ablation.items()} == {"border": 1.0, "parallax": 0.0}


def test_nothing_to_show_and_no_face_at_all_are_told() -> None:
    with pytest.raises(EvaluationError, match="expected photographs"):
        PresentationTrial(everywhere, Meter(), [], Species)
    blind = PresentationTrial(lambda _image: [], Meter(), [Portrait("a", portrait)], [Species.PRINT])
    blind.run()
    with pytest.raises(EvaluationError, match="no face was found"):
        blind.report(0.5)
