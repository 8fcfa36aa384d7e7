"""Attacks on a door's camera, made from photographs: a print, a phone, a tablet and a replay held up.

Each species is rendered from what happens on its way: the medium (paper or screen) with its border, its
tone curve and light, its perspective in the hands of somebody else, the grid of a screen as the camera
samples it, the blur of a second lens. A live presentation is the photograph itself. Both then pass the
same camera, so that neither its grain nor its compression tells them apart.

What this cannot show is a real camera before real media: figures from it compare cues and find mistakes;
the figure of a door is measured at the door.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

import cv2
import numpy as np

from edged.domain.presentation import Species
from edged.domain.types import Face, FloatArray, Image
from edged.evaluation.embedding import main_face
from edged.evaluation.presentation_glare import GLASS_EDGE, GLASS_SHARE, GLOSS_EDGE, GLOSS_SHARE, mirrored
from edged.evaluation.presentation_screen import PHONE, REPLAY, TABLET, Screen, grid, lit_screen
from edged.evaluation.scene_corridor import corridor
from edged.evaluation.scene_print import Grip, corners_in, held_up, printed
from edged.evaluation.scene_visitor import Figure, placed

FRAME_SIZE = (640, 480)
# A sensor's grain in office light, grey levels, and what a network camera's JPEG leaves.
_GRAIN, _QUALITY = (1.0, 3.0), (80, 95)
# One in four is brought so near that its border leaves the picture on two sides or more.
_NEAR_SHARE = 0.25
_BLACK = 6
# Somebody who waits sways by so many pixels, in so many frames to and fro; what is in their hands by more, as
# in ``scene``.
_SWAY_PX, _SWAY_FRAMES, _HAND = (5.0, 14.0), (8.0, 14.0), 1.4


@dataclass(frozen=True, slots=True)
class Hold:
    """A medium that somebody holds up: its ``sheet`` (H, W, 3) float32, how, and which screen it is."""

    sheet: FloatArray
    grip: Grip
    screen: Screen | None = None

    @property
    def aspect(self) -> float:
        """Width by height."""
        height, width = self.sheet.shape[:2]
        return float(width / height)


@dataclass(frozen=True, slots=True)
class Presentation:
    """What the camera sees: ``image`` (H, W, 3) uint8 BGR, and the ``corners`` (4, 2) of the medium in it.

    They are None where a living person stands before it.
    """

    image: Image
    corners: FloatArray | None = None

    def presented(self, faces: Iterable[Face]) -> Face | None:
        """Return the face that is presented: not that of whoever holds it up."""
        if self.corners is None:
            return main_face(faces, self.image)
        medium = self.corners.reshape(-1, 1, 2).astype(np.float32)
        held = [face for face in faces if cv2.pointPolygonTest(medium, face.box.centre, False) >= 0]
        return max(held, key=lambda face: face.box.area, default=None)


def live(photo: Image, chance: np.random.Generator, frames: int = 1) -> Iterator[Presentation]:
    """Yield ``photo`` (H, W, 3) uint8 BGR as the camera gives it: what it shows does not move."""
    clean = without_wedges(photo)
    for _ in range(frames):
        yield Presentation(camera(clean, chance))


def visit(person: Figure, chance: np.random.Generator, frames: int = 1) -> Iterator[Presentation]:
    """Yield 640 x 480 frames of ``person`` in the corridor that attacks are shown in, swaying a little."""
    empty, share = corridor(FRAME_SIZE), float(chance.uniform(0.6, 0.95))
    aside, turn = float(chance.uniform(-60, 60)), float(chance.uniform(-3, 3))
    for sway in _swaying(chance, frames):
        frame = placed(empty, person, share, aside_px=aside + sway, turn=turn)
        yield Presentation(camera(frame, chance))


def attack(
    photo: Image, species: Species, holder: Figure, chance: np.random.Generator, frames: int = 1
) -> Iterator[Presentation]:
    """Yield 640 x 480 frames in which ``holder`` holds ``photo`` before the own face, and sways with it."""
    hold = _MEDIA[species](without_wedges(photo), holder, chance)
    if chance.random() < _NEAR_SHARE:
        hold = replace(hold, grip=_near(hold.grip, chance))
    empty, share = corridor(FRAME_SIZE), float(chance.uniform(0.75, 0.95))
    for sway in _swaying(chance, frames):
        grip = replace(hold.grip, aside_px=hold.grip.aside_px + _HAND * sway)
        frame = placed(empty, holder, share, aside_px=sway)
        corners = corners_in(frame, grip, hold.aspect)
        seen = rephotographed(frame, replace(hold, grip=grip), chance)
        yield Presentation(camera(seen, chance), corners)


def _swaying(chance: np.random.Generator, frames: int) -> Iterator[float]:
    """Yield how far aside each frame is, in pixels; the first not at all."""
    yield 0.0
    if frames > 1:
        # Drawn apart, so that the first frame is the same however many follow.
        own = chance.spawn(1)[0]
        width, period = own.uniform(*_SWAY_PX), own.uniform(*_SWAY_FRAMES)
        for number in range(1, frames):
            yield float(width * np.sin(2 * np.pi * number / period))


def rephotographed(frame: Image, hold: Hold, chance: np.random.Generator) -> Image:
    """Return ``frame`` with the medium held up in it, as a lens sees it."""
    picture = held_up(frame, hold.sheet, hold.grip)
    if hold.screen is not None:
        corners = corners_in(frame, hold.grip, hold.aspect)
        picture = grid(picture, hold.screen, corners, float(chance.uniform(0.01, 0.08)))
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), float(chance.uniform(0.4, 1.0))), np.uint8)


def camera(picture: Image, chance: np.random.Generator) -> Image:
    """Add the grain of a sensor and the losses of JPEG."""
    grain = chance.normal(0, chance.uniform(*_GRAIN), picture.shape)
    noisy = np.asarray(np.clip(picture + grain, 0, 255), np.uint8)
    quality = int(chance.integers(*_QUALITY))
    _, data = cv2.imencode(".jpg", noisy, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)


def without_wedges(photo: Image) -> Image:
    """Fill the black wedges that aligned collections have at their edges: no camera gives them.

    They would pass for the edge of a screen in live and attacking pictures alike.
    """
    dark = (photo.max(axis=2) <= _BLACK).astype(np.uint8)
    dark = cv2.morphologyEx(dark, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    count, labels = cv2.connectedComponents(dark)
    edge = np.unique(np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]]))
    touching = [label for label in edge if label and label < count]
    if not touching:
        return photo
    hole = cv2.dilate(np.isin(labels, touching).astype(np.uint8), np.ones((5, 5), np.uint8))
    return np.asarray(cv2.inpaint(photo, hole, 5, cv2.INPAINT_TELEA), np.uint8)


def _print(photo: Image, holder: Figure, chance: np.random.Generator) -> Hold:
    border = int(chance.choice([0, 8, 16, 22]))
    sheet = printed(photo, border_px=border, zoom=float(chance.uniform(1.0, 1.5)))
    contrast, light = chance.uniform(0.85, 1.0), chance.uniform(0.85, 1.05)
    faded = np.asarray(np.clip(((sheet - 128) * contrast + 128) * light, 0, 255), np.float32)
    # Drawn apart, so that everything else stays the same with and without a light.
    shiny = mirrored(faded, chance.spawn(1)[0], GLOSS_SHARE, GLOSS_EDGE)
    return Hold(shiny, replace(_grip(holder, chance, (0.50, 0.68)), bend_px=float(chance.uniform(0, 10))))


def _shown_on(screen: Screen, heights: tuple[float, float]) -> "_Medium":
    def medium(photo: Image, holder: Figure, chance: np.random.Generator) -> Hold:
        sheet = mirrored(lit_screen(photo, screen, chance), chance.spawn(1)[0], GLASS_SHARE, GLASS_EDGE)
        return Hold(sheet, replace(_grip(holder, chance, heights), bend_px=0.0), screen)

    return medium


def _grip(holder: Figure, chance: np.random.Generator, heights: tuple[float, float]) -> Grip:
    height = float(chance.uniform(*heights))
    return Grip(
        top=float(chance.uniform(0.25, 0.40)),
        height=height,
        lean=float(chance.uniform(-6, 6)),
        aside_px=float(chance.uniform(-30, 30)),
        skin=holder.colour_at(0.5, 0.5),
        sleeve=holder.colour_at(0.5, 0.95),
    )


def _near(grip: Grip, chance: np.random.Generator) -> Grip:
    """Bring the medium so near that its lower edge and at least one other leave the picture."""
    growth = float(chance.uniform(1.7, 2.4))
    return replace(grip, height=grip.height * growth, top=float(chance.uniform(-0.25, 0.02)))


_Medium = Callable[[Image, Figure, np.random.Generator], Hold]
_MEDIA: Mapping[Species, _Medium] = {
    Species.PRINT: _print,
    Species.PHONE: _shown_on(PHONE, (0.60, 0.85)),
    Species.TABLET: _shown_on(TABLET, (0.55, 0.75)),
    Species.REPLAY: _shown_on(REPLAY, (0.50, 0.65)),
}
