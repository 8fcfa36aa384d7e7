"""OpenCV's video capture behind a handle that survives being closed by another thread."""

import os
from collections.abc import Sequence

# FFmpeg prints peer addresses, and now and then whole URLs, to standard error at every failed attempt.
# The log of edged says the same once and without secrets. Read when the backend starts.
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")

import cv2

from edged.devices.handle import Handle
from edged.domain.types import Image
from edged.errors import CameraError

# The warnings repeat what CameraError says.
cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_ERROR)


class VideoHandle:
    """One ``cv2.VideoCapture``. ``what`` names the source in messages and holds no secret."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._capture = cv2.VideoCapture()
        self._handle = Handle(self._capture.release)

    def open(self, target: str, backend: int, options: Sequence[int] = ()) -> bool:
        """Open ``target``; False if the backend refuses. Raises ``CameraError`` when closed meanwhile.

        And for a name that is no text, at which OpenCV 5.0.0 ends the process.
        """
        try:
            target.encode()
        except UnicodeEncodeError:
            raise CameraError(f"{self._what}: OpenCV opens no name that is not UTF-8") from None
        with self._handle.use():
            try:
                return bool(self._capture.open(target, backend, list(options)))
            except cv2.error as exc:
                raise CameraError(f"{self._what}: OpenCV refuses the options (code {exc.code})") from None

    def grab(self) -> bool:
        """Fetch the next picture without handing it out; False when there is none.

        FFmpeg decodes it all the same and saves the conversion to BGR; Video4Linux leaves it packed. Raises
        ``CameraError`` where decoding fails, or when closed meanwhile.
        """
        with self._handle.use():
            try:
                return bool(self._capture.grab())
            except cv2.error as exc:
                raise CameraError(f"{self._what}: decoding failed (code {exc.code})") from exc

    def retrieve(self) -> Image | None:
        """Return what ``grab`` fetched, (H, W, 3) uint8 BGR, or None when it cannot be decoded.

        Raises ``CameraError`` where OpenCV fails at it, or when closed meanwhile.
        """
        with self._handle.use():
            try:
                ok, image = self._capture.retrieve()
            except cv2.error as exc:
                raise CameraError(f"{self._what}: decoding failed (code {exc.code})") from exc
            return image if ok else None

    def configure(self, options: Sequence[tuple[int, float]]) -> None:
        """Set each ``(cv2.CAP_PROP_*, value)`` in this order; what the device lacks, it ignores."""
        with self._handle.use():
            for number, value in options:
                self._capture.set(number, value)

    def property(self, number: int) -> float:
        """Return a ``cv2.CAP_PROP_*``, 0 where it is unknown."""
        with self._handle.use():
            return float(self._capture.get(number))

    def close(self) -> None:
        """Release, at once or when the reading thread leaves."""
        self._handle.close()


class VideoCamera:
    """What every camera behind a ``VideoHandle`` does once ``open`` has set ``_video``; ``what`` names it."""

    live = True

    def __init__(self, what: str) -> None:
        self._what = what
        self._video: VideoHandle | None = None

    def close(self) -> None:
        """Let the camera go, at once or when the reading thread leaves."""
        video, self._video = self._video, None
        if video is not None:
            video.close()

    def _opened(self) -> VideoHandle:
        video = self._video  # once: another thread may close it meanwhile
        if video is None:
            raise CameraError(f"{self._what} is not open")
        return video
