"""The camera of a demo: a webcam, a stream or a video file, named in one word and tried before the show."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from edged.config.sections import CameraConfig
from edged.devices.camera_factory import open_camera
from edged.errors import CameraError
from edged.workers.camera_probe import CameraProbe

Source = Mapping[str, object]

# A USB camera shows its first picture within a second, a stream within a few.
_PATIENCE_SECONDS = 10.0
# What nearly every webcam can do, the better one first.
_SIZES = ((1280, 720), (640, 480))


def sources(text: str) -> Sequence[Source]:
    """Return the ``camera.source`` sections that ``text`` may mean, the one to prefer first.

    A number is a Video4Linux device, an address a stream, a file a recording; the rest is the path of a
    device. Raises ``CameraError`` where there is no such file.
    """
    if text.startswith(("rtsp://", "rtsps://", "http://", "https://")):
        return ({"type": "url", "url": text},)
    path = Path(f"/dev/video{text}" if text.isdigit() else text).absolute()
    if path.is_file():
        return ({"type": "file", "path": str(path)},)
    if not path.exists():
        there = ", ".join(sorted(str(one) for one in Path("/dev").glob("video*"))) or "no camera at all"
        raise CameraError(
            f"--camera {text}: {path} is not there; this machine has {there}. "
            "Expected a number (0), a device, the address of a stream or a video file"
        )
    return tuple(
        {"type": "v4l2", "device": str(path), "width": width, "height": height} for width, height in _SIZES
    )


def first_working(configs: Sequence[CameraConfig], *, patience_seconds: float = _PATIENCE_SECONDS) -> int:
    """Return the index of the first of ``configs`` that gives a picture.

    Raises ``CameraError`` with what was wrong with the last one.
    """
    problem = "nothing to try"
    for index, config in enumerate(configs):
        try:
            with CameraProbe(open_camera(config), config) as probe:
                probe.frame(patience_seconds)
        except CameraError as exc:
            problem = str(exc)
        else:
            return index
    raise CameraError(f"the camera gives no picture: {problem}")
