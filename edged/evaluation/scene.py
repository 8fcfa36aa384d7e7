"""A replay scene made of photographs: people walk up to the door one after the other.

The frames go to a folder for the folder camera. Between two visits the corridor is empty for long
enough that every track ends.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from edged.domain.types import FloatArray, Image
from edged.errors import EnrolmentError, EvaluationError
from edged.evaluation.embedding import read_image
from edged.evaluation.scene_corridor import corridor
from edged.evaluation.scene_print import Grip, held_up, printed
from edged.evaluation.scene_visitor import Figure, figure, placed

FRAME_SIZE = (640, 480)
_JPEG_QUALITY = 92
# From arm's length off to right in front: the photograph grows from 0.6 to 0.95 of the picture's height.
_NEAR, _FAR = 0.95, 0.6
# Who walks sways by a few pixels and tilts the head by a degree or two, twice on the way.
_SWAY_PX, _TILT_DEGREES, _STEPS = 9.0, 1.6, 2.0


@dataclass(frozen=True, slots=True)
class Visit:
    """Somebody comes to the door: ``photos`` of the visitor, one after the other.

    ``printed`` is a photograph that the visitor holds up before the own face.
    """

    photos: Sequence[Path]
    printed: Path | None = None


def write_scene(
    visits: Sequence[Visit | Sequence[Path]],
    folder: Path,
    *,
    frames_a_visit: int = 12,
    gap_frames: int = 15,
    seed: int = 1,
) -> int:
    """Write the frames of all ``visits`` (a sequence of photographs is a visit too); return their number.

    Raises ``EnrolmentError`` with reason ``unreadable`` for a photograph that does not decode.
    """
    folder.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(seed)
    count = 0
    calls = [visit if isinstance(visit, Visit) else Visit(visit) for visit in visits]
    for image in _frames(calls, frames_a_visit, gap_frames, noise):
        cv2.imwrite(str(folder / f"{count:06d}.jpg"), image, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
        count += 1
    return count


def _frames(
    visits: Sequence[Visit], frames_a_visit: int, gap_frames: int, noise: np.random.Generator
) -> Iterator[Image]:
    empty = corridor(FRAME_SIZE)
    for visit in visits:
        figures = [figure(_read(path)) for path in visit.photos]
        sheet = None if visit.printed is None else printed(_read(visit.printed))
        for _ in range(gap_frames):
            yield _grainy(empty, noise)
        for step in range(frames_a_visit):
            person = figures[step * len(figures) // frames_a_visit]
            nearness = step / max(1, frames_a_visit - 1)
            yield _grainy(_lit(_visitor(empty, person, sheet, nearness), nearness), noise)
    for _ in range(gap_frames):
        yield _grainy(empty, noise)


def _visitor(empty: Image, person: Figure, sheet: FloatArray | None, nearness: float) -> Image:
    """Return the corridor with the visitor, ``nearness`` 0 where the face is small, 1 right in front."""
    swing = float(np.sin(2 * np.pi * _STEPS * nearness))
    share = _FAR + (_NEAR - _FAR) * nearness
    frame = placed(empty, person, share, aside_px=_SWAY_PX * swing, turn=_TILT_DEGREES * swing)
    if sheet is None:
        return frame
    # The sheet's upper edge stays between the holder's eyes and nose.
    grip = Grip(
        top=1 - 0.60 * share,
        height=0.62 * share,
        lean=2.5 - 2.0 * swing,
        aside_px=1.4 * _SWAY_PX * swing,
        skin=person.colour_at(0.5, 0.5),
        sleeve=person.colour_at(0.5, 0.95),
    )
    return held_up(frame, sheet, grip)


def _lit(image: Image, nearness: float) -> Image:
    """Let the light change a little on the way: brighter at the door, between two lamps darker."""
    level = 0.90 + 0.12 * nearness + 0.03 * np.sin(9 * nearness)
    return np.asarray(np.clip(image.astype(np.float32) * level, 0, 255), np.uint8)


def _grainy(image: Image, noise: np.random.Generator) -> Image:
    """Add a sensor's grain, so that no two frames are equal."""
    grain = noise.normal(0, 2, image.shape[:2]).astype(np.float32)[:, :, None]
    return np.asarray(np.clip(image.astype(np.float32) + grain, 0, 255), np.uint8)


def _read(path: Path) -> Image:
    try:
        return read_image(path)
    except EvaluationError as exc:
        raise EnrolmentError("unreadable", str(exc)) from exc
