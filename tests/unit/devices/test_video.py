"""What cameras behind a ``VideoHandle`` have in common."""

import pytest

from edged.devices.video import VideoCamera, VideoHandle
from edged.errors import CameraError


class ClosedMeanwhile(VideoCamera):
    """Another thread closes it right after the first look at what is open."""

    def __init__(self, video: VideoHandle) -> None:
        self._looks = iter([video])
        super().__init__("a camera")

    @property
    def _video(self) -> VideoHandle | None:  # type: ignore[override]
        return next(self._looks, None)

    @_video.setter
    def _video(self, _video: VideoHandle | None) -> None:
        pass


def test_a_camera_that_is_closed_while_it_is_asked_says_so_itself() -> None:
    video = VideoHandle("a camera")
    camera = ClosedMeanwhile(video)
    asked = camera._opened()
    assert asked is video
    video.close()
    with pytest.raises(CameraError):
        asked.grab()
    with pytest.raises(CameraError, match="a camera is not open"):
        camera._opened()


def test_a_name_that_is_no_text_does_not_end_the_process() -> None:
    handle = VideoHandle("camera")
    with pytest.raises(CameraError, match="not UTF-8"):
        handle.open("x\udcff.mp4", 0)
