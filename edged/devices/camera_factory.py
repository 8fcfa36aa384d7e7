"""Build the camera that the configuration asks for."""

import cv2

from edged.config.sections import (
    CameraConfig,
    CommandSource,
    FileSource,
    FolderSource,
    UrlSource,
    V4l2Source,
)
from edged.devices.camera import Camera
from edged.devices.camera_command import CommandCamera
from edged.devices.camera_file import FileCamera, FolderCamera
from edged.devices.camera_url import UrlCamera
from edged.devices.camera_v4l2 import V4l2Camera
from edged.domain.types import Image

_TURNS = {90: cv2.ROTATE_90_CLOCKWISE, 180: cv2.ROTATE_180, 270: cv2.ROTATE_90_COUNTERCLOCKWISE}


class RotatedCamera:
    """Turns the pictures of another camera clockwise by 90, 180 or 270 degrees."""

    def __init__(self, camera: Camera, degrees: int) -> None:
        self._camera = camera
        self._turn = _TURNS[degrees]

    @property
    def live(self) -> bool:
        """As the camera behind it."""
        return self._camera.live

    def open(self) -> None:
        """Open the camera behind it."""
        self._camera.open()

    def grab(self) -> None:
        """Wait for its next picture."""
        self._camera.grab()

    def retrieve(self) -> Image | None:
        """Return that picture, turned."""
        image = self._camera.retrieve()
        return None if image is None else self._turned(image)

    def read(self) -> Image:
        """Return its next picture, turned."""
        return self._turned(self._camera.read())

    def _turned(self, image: Image) -> Image:
        turned: Image = cv2.rotate(image, self._turn)
        return turned

    def close(self) -> None:
        """Close the camera behind it."""
        self._camera.close()


def open_camera(config: CameraConfig) -> Camera:
    """Return the camera of ``config``; nothing is touched before its ``open``."""
    camera = _camera_of(config)
    return RotatedCamera(camera, config.rotate) if config.rotate else camera


def _camera_of(config: CameraConfig) -> Camera:
    match config.source:
        case V4l2Source() as source:
            return V4l2Camera(source)
        case UrlSource() as source:
            return UrlCamera(source)
        case FileSource() as source:
            return FileCamera(source)
        case FolderSource() as source:
            return FolderCamera(source)
        case CommandSource() as source:
            return CommandCamera(
                source,
                first_frame_seconds=config.first_frame_timeout_ms / 1000,
                frame_seconds=config.no_frame_timeout_ms / 1000,
            )
