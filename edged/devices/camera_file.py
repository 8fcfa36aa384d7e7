"""Replays: a video file, or a folder of photographs. They pace themselves."""

import logging
from collections.abc import Generator
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np

from edged.config.sections import FileSource, FolderSource
from edged.devices.camera import CameraFormatError, EndOfStream
from edged.devices.handle import Handle
from edged.devices.pacing import Pacer
from edged.devices.video import VideoHandle
from edged.domain.picture_size import check_picture
from edged.domain.types import Image
from edged.errors import CameraError, PictureError

logger = logging.getLogger(__name__)

PICTURE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"})
_TIFF = (b"II*\x00", b"MM\x00*")
# Containers without a rate report 0, raw streams as much as 90000; a file is shown like television then.
_FALLBACK_FPS = 25.0
_MAX_FPS = 240.0


class _ReplayCamera:
    """What every replay does once ``open`` has set ``_replay``."""

    live = False

    def __init__(self, path: Path) -> None:
        self._path = path
        self._replay: _Replay | None = None

    def grab(self) -> None:
        """Wait until the next picture is due. Raises ``EndOfStream`` after the last one."""
        self._playing().grab()

    def retrieve(self) -> Image | None:
        """Return that picture."""
        return self._playing().retrieve()

    def read(self) -> Image:
        """Return the next picture when it is due. Raises ``EndOfStream`` after the last one."""
        return self._playing().read()

    def close(self) -> None:
        """Stop; a ``read`` that waits for its turn ends at once."""
        replay, self._replay = self._replay, None
        if replay is not None:
            replay.close()

    def _playing(self) -> "_Replay":
        replay = self._replay  # once: another thread may close it meanwhile
        if replay is None:
            raise CameraError(f"{self._path} is not open")
        return replay


class FileCamera(_ReplayCamera):
    """A video file at its own speed or a stated one."""

    def __init__(self, source: FileSource) -> None:
        super().__init__(source.path)
        self._source = source

    def open(self) -> None:
        """Open the file. Raises ``CameraError`` when it is missing, ``CameraFormatError`` when no video."""
        self.close()
        tape = _Tape(self._source.path, loop=self._source.loop)
        self._replay = _Replay(tape, self._source.fps or tape.fps)


class FolderCamera(_ReplayCamera):
    """Photographs in the order of their names, turned as their EXIF orientation asks."""

    def __init__(self, source: FolderSource) -> None:
        super().__init__(source.path)
        self._source = source

    def open(self) -> None:
        """List the folder. Raises ``CameraError`` when it cannot be read or holds no photograph."""
        self.close()
        self._replay = _Replay(_Album(self._source), self._source.fps)


def read_picture(path: Path) -> Image | None:
    """Return the photograph upright, (H, W, 3) uint8 BGR; None if it is damaged, too large or no picture."""
    try:
        content = path.read_bytes()
        if not content.startswith(_TIFF):  # of these OpenCV alone keeps the limit, see ``edged``
            check_picture(content)
        image: Image | None = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    except (OSError, PictureError, cv2.error):
        return None
    return image


class _Recording(Protocol):
    def advance(self) -> bool: ...

    def picture(self) -> Image | None: ...

    def close(self) -> None: ...


class _Tape:
    """The pictures of a video file, from the start again where it loops."""

    def __init__(self, path: Path, *, loop: bool) -> None:
        if not path.is_file():
            raise CameraError(f"{path} is not a file")
        self._path = path
        self._loop = loop
        self._count = 0
        self._video = self._start()

    @property
    def fps(self) -> float:
        own = self._video.property(cv2.CAP_PROP_FPS)
        return own if 0 < own <= _MAX_FPS else _FALLBACK_FPS

    def advance(self) -> bool:
        there = self._video.grab()
        if not there:
            self._check_whole()
            if not self._loop:
                return False
            self._video.close()
            self._video = self._start()
            there = self._video.grab()
        self._count += 1
        return there

    def picture(self) -> Image | None:
        return self._video.retrieve()

    def close(self) -> None:
        self._video.close()

    def _start(self) -> VideoHandle:
        self._count = 0
        video = VideoHandle(str(self._path))
        # Frames of a camera's size are decoded faster than threads could share them out.
        if not video.open(str(self._path), cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1]):
            video.close()
            raise CameraFormatError(f"{self._path} is no video that can be read")
        return video

    def _check_whole(self) -> None:
        if self._count == 0:
            raise CameraFormatError(f"{self._path} holds no picture that can be decoded")
        promised = self._video.property(cv2.CAP_PROP_FRAME_COUNT)
        # The count of a container is an estimate; a tenth missing is damage.
        if self._count < 0.9 * promised:
            logger.warning("video ended early frames=%d promised=%d", self._count, promised)


class _Album:
    """The photographs of a folder, each held for a number of turns."""

    def __init__(self, source: FolderSource) -> None:
        self._source = source
        try:
            entries = sorted(source.path.iterdir())
        except OSError as exc:
            raise CameraError(f"{source.path} cannot be listed: {exc.strerror}") from exc
        self._paths = [path for path in entries if path.suffix.lower() in PICTURE_SUFFIXES]
        if not self._paths:
            known = ", ".join(sorted(PICTURE_SUFFIXES))
            raise CameraError(f"{source.path} holds no photograph; expected one of {known}")
        self._pictures = self._turn_pages()
        self._shown: Image | None = None

    def advance(self) -> bool:
        # Whether there is a next one shows only in decoding it.
        self._shown = next(self._pictures, None)
        return self._shown is not None

    def picture(self) -> Image | None:
        return self._shown

    def close(self) -> None:
        self._pictures.close()

    def _turn_pages(self) -> Generator[Image]:
        while True:
            shown = 0
            for number, path in enumerate(self._paths, 1):
                image = read_picture(path)
                if image is None:
                    # Photographs are often named after the people on them: the log gets the number alone.
                    logger.warning("photograph skipped, unreadable number=%d of=%d", number, len(self._paths))
                    continue
                shown += 1
                for _ in range(self._source.hold_frames):
                    yield image
            if shown == 0:
                raise CameraFormatError(
                    f"{self._source.path}: none of its {len(self._paths)} photographs can be read"
                )
            if not self._source.loop:
                return


class _Replay:
    """Pictures of a recording handed out one a turn."""

    def __init__(self, recording: _Recording, fps: float) -> None:
        self._recording = recording
        self._handle = Handle(recording.close)
        self._pacer = Pacer(fps, self._handle.closing)

    def grab(self) -> None:
        with self._handle.use():
            self._pacer.wait()
            self._handle.check()
            there = self._recording.advance()
        if not there:
            raise EndOfStream("the replay is over")

    def retrieve(self) -> Image | None:
        with self._handle.use():
            return self._recording.picture()

    def read(self) -> Image:
        while True:
            self.grab()
            if (image := self.retrieve()) is not None:
                return image

    def close(self) -> None:
        self._handle.close()
