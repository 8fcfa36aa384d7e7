"""A network camera: RTSP or HTTP through FFmpeg.

FFmpeg waits 30 s by default, for the answer as for each frame; OpenCV's two timeouts hold only with the
FFmpeg backend named. A stream that timed out once fails at every later read: it must be opened again.

To open a stream takes seconds where a camera sends a whole picture only every few seconds, and it sends
something all the while. So the whole may take ``open_timeout_ms``, but a peer that is silent for
``read_timeout_ms`` is given up at any time: FFmpeg's own limit on one wait at the socket.
"""

import os
import threading
import time
from urllib.parse import quote, urlsplit

import cv2

from edged.config.sections import UrlSource
from edged.devices.camera import CameraTimeoutError
from edged.devices.video import VideoCamera, VideoHandle
from edged.domain.types import Image
from edged.errors import CameraError

# FFmpeg's options have no other way in than this variable, which OpenCV reads at each open.
_OPTIONS_VARIABLE = "OPENCV_FFMPEG_CAPTURE_OPTIONS"
_OPTIONS_LOCK = threading.Lock()


class UrlCamera(VideoCamera):
    """A stream. Neither its path nor its query is ever shown: cameras carry passwords in both."""

    def __init__(self, source: UrlSource) -> None:
        super().__init__(origin(source.url))
        self._source = source

    def open(self) -> None:
        """Connect and find the first picture's format. Raises ``CameraError``, also on a timeout."""
        self.close()
        source, video = self._source, VideoHandle(self._what)
        self._video = video
        options = [
            cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, source.open_timeout_ms,
            cv2.CAP_PROP_READ_TIMEOUT_MSEC, source.read_timeout_ms,
            # Each further decoder thread holds back a frame: H.264 at 10 fps was 0.2 s old with one
            # thread and 0.5 s with four, which no time stamp shows.
            cv2.CAP_PROP_N_THREADS, 1,
        ]  # fmt: skip
        target = self._target()
        started_at = time.monotonic()
        with _OPTIONS_LOCK:
            os.environ[_OPTIONS_VARIABLE] = (
                f"rtsp_transport;{source.rtsp_transport}|fflags;discardcorrupt"
                f"|timeout;{1000 * source.read_timeout_ms}"
            )
        if not video.open(target, cv2.CAP_FFMPEG, options):
            video.close()
            limit_ms = min(source.open_timeout_ms, source.read_timeout_ms)
            if timed_out(started_at, limit_ms):
                raise CameraTimeoutError(f"{self._what} did not answer within {limit_ms} ms")
            raise CameraError(f"{self._what} cannot be opened: unreachable, refused, or no video")

    def grab(self) -> None:
        """Wait for the next picture. Raises ``CameraTimeoutError`` or ``CameraError``."""
        started_at = time.monotonic()
        there = self._opened().grab()
        # After a stall FFmpeg hands out what it has of the picture: as old as the stall, and half of it.
        if timed_out(started_at, self._source.read_timeout_ms):
            raise CameraTimeoutError(f"{self._what} gave no frame within {self._source.read_timeout_ms} ms")
        if not there:
            raise CameraError(f"{self._what} ended the stream")

    def retrieve(self) -> Image:
        """Convert it. Raises ``CameraError``."""
        image = self._opened().retrieve()
        if image is None:
            raise CameraError(f"{self._what} ended the stream")
        return image

    def read(self) -> Image:
        """Return the next picture. Raises ``CameraTimeoutError`` or ``CameraError``."""
        self.grab()
        return self.retrieve()

    def _target(self) -> str:
        source = self._source
        if source.username is None:
            return source.url
        password = ""
        if source.password_file is not None:
            try:
                # Read at each opening, so that a changed password needs no restart.
                password = source.password_file.read_text(encoding="utf-8").rstrip("\r\n")
            except (OSError, UnicodeDecodeError) as exc:
                raise CameraError(
                    f"password_file of {self._what} cannot be read: {type(exc).__name__}"
                ) from None
        return with_credentials(source.url, source.username, password)


def origin(url: str) -> str:
    """Return ``scheme://host:port`` of ``url``: all of it that may be shown."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def with_credentials(url: str, username: str, password: str) -> str:
    """Put user and password into ``url``, percent-encoded, in the place of any it had."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return parts._replace(netloc=f"{quote(username, safe='')}:{quote(password, safe='')}@{host}").geturl()


def timed_out(started_at: float, limit_ms: int) -> bool:
    """Tell a timeout from a refusal: FFmpeg reports both alike, and only one of them takes its time."""
    return time.monotonic() - started_at >= 0.9 * limit_ms / 1000
