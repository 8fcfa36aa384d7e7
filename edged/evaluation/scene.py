"""A replay scene made of photographs: people walk up to the door one after the other.

The frames go to a folder for the folder camera. Between two visits the corridor is empty for long
enough that every track ends.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np

from edged.domain.types import Image
from edged.errors import EnrolmentError

FRAME_SIZE = (640, 480)
_JPEG_QUALITY = 92
# From arm's length off to right in front: the photograph grows from 0.6 to 0.95 of the picture's height.
_NEAR, _FAR = 0.95, 0.6


def write_scene(
    visits: Sequence[Sequence[Path]],
    folder: Path,
    *,
    frames_a_visit: int = 12,
    gap_frames: int = 15,
    seed: int = 1,
) -> int:
    """Write the frames of all ``visits`` (the photographs of one visitor each); return their number.

    Raises ``EnrolmentError`` with reason ``unreadable`` for a photograph that does not decode.
    """
    folder.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(seed)
    count = 0
    for image in _frames(visits, frames_a_visit, gap_frames, noise):
        cv2.imwrite(str(folder / f"{count:06d}.jpg"), image, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
        count += 1
    return count


def _frames(
    visits: Sequence[Sequence[Path]], frames_a_visit: int, gap_frames: int, noise: np.random.Generator
) -> Iterator[Image]:
    corridor = _corridor()
    for photos in visits:
        pictures = [_read(path) for path in photos]
        for _ in range(gap_frames):
            yield _grainy(corridor, noise)
        for step in range(frames_a_visit):
            picture = pictures[step * len(pictures) // frames_a_visit]
            nearness = step / max(1, frames_a_visit - 1)
            yield _grainy(_placed(corridor, picture, _FAR + (_NEAR - _FAR) * nearness), noise)
    for _ in range(gap_frames):
        yield _grainy(corridor, noise)


def _corridor() -> Image:
    """Return an empty corridor: light above, darker floor."""
    width, height = FRAME_SIZE
    column = np.linspace(190, 110, height, dtype=np.float32)
    return np.repeat(np.repeat(column[:, None, None], width, axis=1), 3, axis=2).astype(np.uint8)


def _placed(corridor: Image, picture: Image, share: float) -> Image:
    width, height = FRAME_SIZE
    factor = share * height / picture.shape[0]
    small = cv2.resize(picture, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    small = small[:height, :width]
    top, left = (height - small.shape[0]) // 2, (width - small.shape[1]) // 2
    frame = corridor.copy()
    frame[top : top + small.shape[0], left : left + small.shape[1]] = small
    return frame


def _grainy(image: Image, noise: np.random.Generator) -> Image:
    """Add a sensor's grain, so that no two frames are equal."""
    grain = noise.normal(0, 2, image.shape[:2]).astype(np.float32)[:, :, None]
    return np.asarray(np.clip(image.astype(np.float32) + grain, 0, 255), np.uint8)


def _read(path: Path) -> Image:
    picture = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if picture is None:
        raise EnrolmentError("unreadable", f"{path}: not a picture that OpenCV can decode")
    return np.asarray(picture, np.uint8)
