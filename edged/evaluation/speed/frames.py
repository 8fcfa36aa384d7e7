"""Where the frames of a benchmark come from: a camera that shows a file or a folder without a pause."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edged.config.sections import FileSource, FolderSource
from edged.devices.camera import Camera
from edged.devices.camera_file import PICTURE_SUFFIXES, FileCamera, FolderCamera
from edged.domain.picture import PictureWatch
from edged.domain.types import Image
from edged.evaluation.protocols import images_below
from edged.vision.picture import measure

# More pictures than these tell nothing new.
_MOST_PICTURES = 64
# A replay waits for its turn; at this rate its turn is always now.
_NEVER_WAITS = 1e9
_FROZEN_AFTER, _BLIND_AFTER = 45, 30


class FrameSource:
    """Hands out frames as the capture thread does: decoded, and looked at for a camera that hangs."""

    def __init__(self, camera: Camera) -> None:
        self._camera = camera
        self._watch = PictureWatch(live=camera.live, frozen_after=_FROZEN_AFTER, blind_after=_BLIND_AFTER)

    def next(self) -> Image:
        """Return the next frame (H, W, 3) uint8 BGR. Raises ``CameraError``."""
        image = self._camera.read()
        self._watch.step(measure(image))
        return image


@contextmanager
def open_source(path: Path) -> Iterator[FrameSource]:
    """Show the video ``path``, or the pictures below it, again and again.

    Raises ``EvaluationError`` for a folder without pictures, ``CameraError`` for what cannot be shown.
    """
    with tempfile.TemporaryDirectory(prefix="edged-bench-") as folder:
        camera = _camera(path, Path(folder))
        camera.open()
        try:
            yield FrameSource(camera)
        finally:
            camera.close()


def _camera(path: Path, folder: Path) -> Camera:
    if path.is_file() and path.suffix.lower() not in PICTURE_SUFFIXES:
        return FileCamera(FileSource(path=path, fps=_NEVER_WAITS, loop=True))
    pictures = [path] if path.is_file() else images_below(path)[:_MOST_PICTURES]
    for number, picture in enumerate(pictures):
        (folder / f"{number:06d}{picture.suffix.lower()}").symlink_to(picture.absolute())
    return FolderCamera(FolderSource(path=folder, fps=_NEVER_WAITS, loop=True))
