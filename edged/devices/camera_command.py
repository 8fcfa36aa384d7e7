"""A program that writes frames to its standard output: CSI cameras, GStreamer pipelines, ffmpeg.

Being a process of its own, it can hang or crash without taking the daemon along.
"""

import time

import cv2
import numpy as np

from edged.config.sections import CommandSource
from edged.devices.camera import CameraFormatError
from edged.devices.child import Child
from edged.devices.mjpeg import MjpegSplitter
from edged.domain.picture_size import check_picture
from edged.domain.types import Image
from edged.errors import CameraError, PictureError

_CHUNK = 1 << 16
# The largest frame that the configuration can state.
_MAX_PIXELS = 7680 * 4320
# A 4K JPEG at quality 95 has some 4 MB.
_MAX_JPEG_BYTES = 16 << 20
# A USB cable or a dropped buffer damages single pictures; a second of damage is another fault.
_MAX_DAMAGED = 15


class CommandCamera:
    """Reads frames from a command.

    ``first_frame_seconds`` bounds the wait for the first frame after the start, ``frame_seconds``
    for each later one.
    """

    live = True

    def __init__(self, source: CommandSource, *, first_frame_seconds: float, frame_seconds: float) -> None:
        self._source = source
        self._first_frame_seconds = first_frame_seconds
        self._frame_seconds = frame_seconds
        self._patience = first_frame_seconds
        self._running: tuple[Child, _JpegFrames | _RawFrames] | None = None

    def open(self) -> None:
        """Start the command. Raises ``CameraError`` when it cannot be started."""
        self.close()
        jpeg = self._source.format == "mjpeg"
        frames = _JpegFrames(self._source) if jpeg else _RawFrames(self._source)
        self._patience = self._first_frame_seconds
        self._running = Child(self._source.argv), frames

    def grab(self) -> None:
        """Wait for the next frame. Raises ``CameraError``, with the command's last words when it ended."""
        child, frames = self._playing()
        frames.grab(child, time.monotonic() + self._patience)
        self._patience = self._frame_seconds

    def retrieve(self) -> Image | None:
        """Decode it; None where it is damaged. Raises ``CameraFormatError``, also for the last of many."""
        child, frames = self._playing()
        return frames.retrieve(child)

    def read(self) -> Image:
        """Return the next frame. Raises ``CameraError``, with the command's last words when it ended."""
        child, frames = self._playing()
        image = frames.read(child, time.monotonic() + self._patience)
        self._patience = self._frame_seconds
        return image

    def close(self) -> None:
        """End the command and what it started."""
        running, self._running = self._running, None
        if running is not None:
            running[0].close()

    def _playing(self) -> "tuple[Child, _JpegFrames | _RawFrames]":
        if self._running is None:
            raise CameraError(f"command {self._source.argv[0]!r} is not running")
        return self._running


class _RawFrames:
    """Frames of a known size, one behind the other: planar I420 (BT.601) or packed BGR."""

    def __init__(self, source: CommandSource) -> None:
        if source.width is None or source.height is None:
            raise CameraFormatError(f"format {source.format} needs width and height")
        self._bgr = source.format == "bgr"
        # I420 holds a full plane of Y and a quarter plane each of U and V.
        self._shape = (
            (source.height, source.width, 3) if self._bgr else (source.height * 3 // 2, source.width)
        )
        if not self._bgr and (source.width % 2 or source.height % 2):
            raise CameraFormatError(f"i420 needs an even size, got {source.width}x{source.height}")
        self._data = bytearray()

    def grab(self, child: Child, deadline: float) -> None:
        size = int(np.prod(self._shape))
        data = bytearray()
        while len(data) < size:
            data += child.read(size - len(data), deadline)
        self._data = data

    def read(self, child: Child, deadline: float) -> Image:
        self.grab(child, deadline)
        return self.retrieve(child)

    def retrieve(self, _child: Child) -> Image:
        frame: Image = np.frombuffer(self._data, np.uint8).reshape(self._shape)
        if not self._bgr:
            frame = cv2.cvtColor(frame, cv2.COLOR_YUV2BGR_I420)
        return frame


class _JpegFrames:
    """JPEG pictures, one behind the other."""

    def __init__(self, source: CommandSource) -> None:
        self._width, self._height = source.width, source.height
        self._splitter = MjpegSplitter(_MAX_JPEG_BYTES)
        self._damaged = 0
        self._data = b""

    def grab(self, child: Child, deadline: float) -> None:
        while (data := self._splitter.next()) is None:
            self._splitter.feed(child.read(_CHUNK, deadline))
        self._data = data

    def read(self, child: Child, deadline: float) -> Image:
        while True:
            self.grab(child, deadline)
            if (image := self.retrieve(child)) is not None:
                return image

    def retrieve(self, child: Child) -> Image | None:
        image = self._decoded(child, self._data)
        if image is not None:
            self._check_size(child, image.shape[1], image.shape[0])
            self._damaged = 0
            return image
        self._damaged += 1
        if self._damaged > _MAX_DAMAGED:
            raise CameraFormatError(
                f"command {child.name!r}: {self._damaged} pictures in a row cannot be decoded{child.quoted()}"
            )
        return None

    def _decoded(self, child: Child, data: bytes) -> Image | None:
        """Return the picture, None where it is damaged. Raises ``CameraFormatError`` on another size."""
        try:
            self._check_size(child, *check_picture(data, max_pixels=_MAX_PIXELS))
            image: Image | None = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
        except PictureError as exc:
            if exc.reason == "too_large":
                raise CameraFormatError(f"command {child.name!r} writes a picture of {exc}") from exc
            return None
        except cv2.error:
            return None
        return image

    def _check_size(self, child: Child, width: int, height: int) -> None:
        if (self._width or width, self._height or height) != (width, height):
            raise CameraFormatError(
                f"command {child.name!r} writes {width}x{height}, "
                f"expected {self._width or 'any'}x{self._height or 'any'}"
            )
