"""A USB camera through Video4Linux."""

import logging
from dataclasses import dataclass
from pathlib import Path

import cv2

from edged.config.sections import V4l2Source
from edged.devices.camera import CameraFormatError, CameraTimeoutError
from edged.devices.video import VideoCamera, VideoHandle
from edged.domain.types import Image
from edged.errors import CameraError

logger = logging.getLogger(__name__)

# The driver fills one buffer while the other is read; more only make the picture older.
_BUFFERS = 2
# Drivers round 30 fps to 29.97 or 30.03; more than this is another mode.
_FPS_TOLERANCE = 0.05


@dataclass(frozen=True, slots=True)
class VideoMode:
    """Picture size in pixels, frames a second, and the four letters of the pixel format."""

    width: int
    height: int
    fps: float
    fourcc: str

    def __str__(self) -> str:
        return f"{self.width}x{self.height} {self.fourcc} at {self.fps:g} fps"


class V4l2Camera(VideoCamera):
    """A camera of ``/dev``; best named by its path below ``/dev/v4l/by-id``."""

    def __init__(self, source: V4l2Source) -> None:
        super().__init__(source.device)
        self._source = source

    def open(self) -> None:
        """Open and set the mode. Raises ``CameraError``, ``CameraFormatError`` for another size."""
        self.close()
        source = self._source
        if not Path(source.device).exists():
            raise CameraError(f"{source.device} is not there: unplugged, or known by another name")
        video = self._video = VideoHandle(source.device)
        try:
            self._set_mode(video)
        except CameraError:
            video.close()
            raise

    def grab(self) -> None:
        """Wait for the next picture. Raises ``CameraTimeoutError`` when the driver gives none."""
        if not self._opened().grab():
            raise CameraTimeoutError(f"{self._source.device} gave no frame: stalled or unplugged")

    def retrieve(self) -> Image:
        """Unpack it. Raises ``CameraTimeoutError`` where that fails: half a picture is a stall as well."""
        image = self._opened().retrieve()
        if image is None:
            raise CameraTimeoutError(f"{self._source.device} gave no frame: stalled or unplugged")
        return image

    def read(self) -> Image:
        """Return the next picture. Raises ``CameraTimeoutError`` when the driver gives none."""
        self.grab()
        return self.retrieve()

    def _set_mode(self, video: VideoHandle) -> None:
        source = self._source
        # Not as parameters of open(): one that a camera lacks would fail it without saying which.
        if not video.open(source.device, cv2.CAP_V4L2):
            raise CameraError(f"{source.device} cannot be opened: in use, no permission, or no camera")
        # The pixel format goes first: the sizes and rates on offer depend on it.
        options = [
            (cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*source.fourcc)),
            (cv2.CAP_PROP_FRAME_WIDTH, source.width),
            (cv2.CAP_PROP_FRAME_HEIGHT, source.height),
            (cv2.CAP_PROP_FPS, source.fps),
            (cv2.CAP_PROP_BUFFERSIZE, _BUFFERS),
        ]
        video.configure(options)
        check_mode(_mode_of(video), VideoMode(source.width, source.height, source.fps, source.fourcc))


def check_mode(got: VideoMode, expected: VideoMode) -> None:
    """Compare what the driver set with what was asked for.

    Another rate or pixel format costs speed and is logged. Raises ``CameraFormatError`` for another
    size: faces would be smaller than the configuration was made for.
    """
    if (got.width, got.height) != (expected.width, expected.height):
        raise CameraFormatError(
            f"got {got}, expected {expected}: "
            "set camera.source to a mode that `v4l2-ctl --list-formats-ext` shows"
        )
    same_rate = abs(got.fps - expected.fps) <= _FPS_TOLERANCE * expected.fps
    if not same_rate or got.fourcc != expected.fourcc:
        logger.warning("camera mode differs got=%r expected=%r", str(got), str(expected))


def _mode_of(video: VideoHandle) -> VideoMode:
    code = int(video.property(cv2.CAP_PROP_FOURCC))
    letters = bytes(code >> shift & 0xFF for shift in (0, 8, 16, 24)) if code > 0 else b"????"
    return VideoMode(
        int(video.property(cv2.CAP_PROP_FRAME_WIDTH)),
        int(video.property(cv2.CAP_PROP_FRAME_HEIGHT)),
        video.property(cv2.CAP_PROP_FPS),
        letters.decode("ascii", "replace"),
    )
