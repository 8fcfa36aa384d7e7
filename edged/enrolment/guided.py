"""Enrol at the camera: tell the person what to do until five good and different frames are there."""

import time
from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass

from edged.devices.camera import Camera, EndOfStream
from edged.domain.analysis import FaceAnalyser
from edged.domain.types import FloatArray, Image, Quality
from edged.enrolment.checks import PhotoCheck
from edged.enrolment.sources import FramePhoto
from edged.errors import EnrolmentError

# Estimates from five landmarks are off by some degrees, so straight and turned do not touch. A turn of
# more than 32 degrees is past what people do on their way through a door.
_STRAIGHT_DEGREES = 9.0
_TURNED_DEGREES = (12.0, 32.0)
# One step from 1 m to 0.8 m makes a face a quarter larger.
_STEP_RATIO = 1.15
# Five turns and steps take a willing person about fifteen seconds.
DEADLINE_SECONDS = 60.0

_ADVICE = {
    "no_face": "look at the camera",
    "several_faces": "one person at a time, please",
    "too_small": "come closer",
    "blurred": "hold still",
    "too_dark": "turn towards the light, or switch one on",
    "too_bright": "too much light: step away from it",
    "extreme_pose": "look towards the camera",
}


@dataclass(frozen=True, slots=True)
class Guidance:
    """What to say: ``taken`` of ``wanted`` frames are there."""

    text: str
    taken: int
    wanted: int


# What to do until the quality of the face fits a wanted picture; None where it does.
_Pose = Callable[[Quality, Sequence[Quality]], str | None]


def _straight(quality: Quality, _taken: Sequence[Quality]) -> str | None:
    return None if abs(quality.yaw) <= _STRAIGHT_DEGREES else "look straight at the camera"


def _turned(side: str, sign: int) -> _Pose:
    """Ask for a turn to the person's own ``side``; positive yaw is to the picture's right, their left."""

    def correction(quality: Quality, _taken: Sequence[Quality]) -> str | None:
        least, most = _TURNED_DEGREES
        if sign * quality.yaw < least:
            return f"turn a little to the {side}"
        return None if sign * quality.yaw <= most else "turn back a little"

    return correction


def _other_distance(quality: Quality, taken: Sequence[Quality]) -> str | None:
    if (advice := _straight(quality, taken)) is not None:
        return advice
    ratio = quality.face_px / taken[0].face_px
    return None if not 1 / _STEP_RATIO < ratio < _STEP_RATIO else "come one step closer, or go one step back"


_POSES: tuple[_Pose, ...] = (
    _straight,
    _turned("left", 1),
    _turned("right", -1),
    _other_distance,
    _straight,
)
WANTED = len(_POSES)


class GuidedCapture:
    """Looks at frames and says what is missing. ``level`` is the cosine below which it is another face."""

    def __init__(self, pipeline: FaceAnalyser, check: PhotoCheck, level: float) -> None:
        self._pipeline = pipeline
        self._check = check
        self._level = level
        self._qualities: list[Quality] = []
        self._first: FloatArray | None = None
        self.frames: list[FramePhoto] = []

    @property
    def done(self) -> bool:
        """Whether all pictures are there."""
        return len(self.frames) == WANTED

    def step(self, image: Image) -> Guidance:
        """Look at one frame, (H, W, 3) uint8 BGR; keep a copy of it if it is the one that is wanted."""
        advice = self._look(image)
        if advice is None:
            taken = len(self.frames) + 1
            self.frames.append(FramePhoto(f"frame {taken}", image.copy()))
            advice = "thank you, that is all" if self.done else "good"
        return Guidance(advice, len(self.frames), WANTED)

    def _look(self, image: Image) -> str | None:
        """Return what to do, or None where the frame was taken up."""
        try:
            face = self._check.choose(self._pipeline.detect(image))
        except EnrolmentError as exc:
            return _ADVICE[exc.reason]
        aligned = self._pipeline.align(image, face)
        quality = self._pipeline.assess(face, aligned)
        reason = self._pipeline.shortfall(quality)
        if reason is not None:
            return _ADVICE[reason]
        advice = _POSES[len(self.frames)](quality, self._qualities)
        if advice is not None:
            return advice
        vector = self._pipeline.embed([aligned])[0]
        if self._first is None:
            self._first = vector
        elif float(self._first @ vector) < self._level:
            return "this is another face than before: one person at a time, please"
        self._qualities.append(quality)
        return None


def capture(
    guide: GuidedCapture,
    frames: Iterable[Image],
    say: Callable[[Guidance], None],
    *,
    deadline_seconds: float = DEADLINE_SECONDS,
    clock: Callable[[], float] = time.monotonic,
) -> tuple[FramePhoto, ...]:
    """Drive ``guide`` with ``frames`` until it is done; ``say`` hears each change of advice.

    Raises ``EnrolmentError`` (capture_incomplete) when the frames or ``deadline_seconds`` end first.
    """
    deadline = clock() + deadline_seconds
    said: Guidance | None = None
    for image in frames:
        guidance = guide.step(image)
        if guidance != said:
            say(guidance)
            said = guidance
        if guide.done:
            return tuple(guide.frames)
        if clock() > deadline:
            break
    last = f"; the last advice was: {said.text}" if said else ""
    raise EnrolmentError(
        "capture_incomplete", f"{len(guide.frames)} of {WANTED} good frames within the time{last}"
    )


def frames_of(camera: Camera) -> Generator[Image, None, None]:
    """Open ``camera``, yield its frames to the end, close it. Raises ``CameraError``."""
    try:
        camera.open()
        while True:
            yield camera.read()
    except EndOfStream:
        return
    finally:
        camera.close()
