from collections.abc import Iterator

import numpy as np
import pytest

from edged.devices.camera import EndOfStream
from edged.domain.types import Image
from edged.enrolment.checks import PhotoCheck
from edged.enrolment.guided import WANTED, Guidance, GuidedCapture, capture, frames_of
from edged.enrolment.sources import FramePhoto
from edged.errors import CameraError, EnrolmentError
from tests.unit.enrolment.scene import STRAIGHT, Square, SquarePipeline, picture

FAR, NEAR = 40, 60


def look(yaw: int = 0, side: int = FAR, who: int = 1) -> Image:
    return picture(Square(who, 0, STRAIGHT + yaw, side))


def guide() -> GuidedCapture:
    pipeline = SquarePipeline()
    return GuidedCapture(pipeline, PhotoCheck(pipeline, bytes), 0.318)


def told(frames: list[Image]) -> tuple[tuple[FramePhoto, ...], list[str]]:
    said: list[Guidance] = []
    taken = capture(guide(), frames, said.append)
    return taken, [guidance.text for guidance in said]


def test_a_willing_person_is_done_in_five_frames() -> None:
    taken, said = told([look(), look(20), look(-20), look(side=NEAR), look()])
    assert len(taken) == WANTED == 5
    assert said[-1].startswith("thank you")


def test_each_mistake_has_its_advice_once() -> None:
    nobody = np.zeros((80, 100, 3), np.uint8)
    crowd = picture(Square(1), Square(2))
    frames = [
        nobody, nobody, crowd,
        *[picture(Square(1, red=red)) for red in (1, 2, 3, 4, 5)],
        look(20), look(),
        look(), look(40), look(20),
        look(20), look(-20),
        look(), look(side=NEAR), look(),
    ]  # fmt: skip
    _, said = told(frames)
    assert said == [
        "look at the camera",
        "one person at a time, please",
        "come closer",
        "hold still",
        "turn towards the light, or switch one on",
        "too much light: step away from it",
        "look towards the camera",
        "look straight at the camera",
        "good",
        "turn a little to the left",
        "turn back a little",
        "good",
        "turn a little to the right",
        "good",
        "come one step closer, or go one step back",
        "good",
        "thank you, that is all",
    ]


def test_another_person_in_between_is_not_taken() -> None:
    taken, said = told([look(), look(20, who=2), look(20), look(-20), look(side=NEAR), look()])
    assert any("another face" in text for text in said)
    assert len({int(frame.image.max(axis=(0, 1))[0]) for frame in taken}) == 1


def test_frames_that_end_early_are_incomplete() -> None:
    with pytest.raises(EnrolmentError, match=r"2 of 5.*turn a little to the right") as caught:
        told([look(), look(20), look(20)])
    assert caught.value.reason == "capture_incomplete"


def test_the_deadline_ends_a_capture_without_a_face() -> None:
    now = iter(range(100))

    def frames() -> Iterator[Image]:
        while True:
            yield np.zeros((80, 100, 3), np.uint8)

    with pytest.raises(EnrolmentError, match="0 of 5"):
        capture(guide(), frames(), lambda _guidance: None, deadline_seconds=10, clock=lambda: next(now))


def test_a_kept_frame_does_not_change_with_the_cameras_buffer() -> None:
    buffer = look()
    one = guide()
    one.step(buffer)
    buffer[:] = 0
    assert one.frames[0].image.any()


class ListCamera:
    """Replays pictures; raises ``fault`` or the end after them."""

    live = False

    def __init__(self, pictures: list[Image], fault: Exception | None = None) -> None:
        self._pictures = iter(pictures)
        self._fault = fault or EndOfStream("the replay is over")
        self.is_open = False

    def open(self) -> None:
        self.is_open = True

    def grab(self) -> None:
        assert self.is_open
        try:
            self._image = next(self._pictures)
        except StopIteration:
            raise self._fault from None

    def retrieve(self) -> Image:
        return self._image

    def read(self) -> Image:
        self.grab()
        return self.retrieve()

    def close(self) -> None:
        self.is_open = False


def test_the_camera_is_closed_however_the_frames_end() -> None:
    camera = ListCamera([look(), look()])
    frames = frames_of(camera)
    next(frames)
    assert camera.is_open
    frames.close()  # type: ignore[attr-defined]
    assert not camera.is_open
    assert len(list(frames_of(ListCamera([look(), look()])))) == 2
    broken = ListCamera([look()], CameraError("unplugged"))
    with pytest.raises(CameraError, match="unplugged"):
        list(frames_of(broken))
    assert not broken.is_open
