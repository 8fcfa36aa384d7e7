"""What a camera is, whatever stands behind it.

A camera is opened, read and closed by one thread; ``close`` alone may come from another thread, to
wake a ``read`` that waits. Opening again after closing is a fresh start. A read or open that was
overtaken by ``close`` raises when it returns, and touches nothing that was opened since.
"""

from typing import Protocol

from edged.domain.types import Image
from edged.errors import CameraError


class EndOfStream(CameraError):  # noqa: N818 - no fault: a replay has shown all it has
    """A replay is over. A live source never raises this."""


class CameraTimeoutError(CameraError):
    """No frame came in time."""


class CameraFormatError(CameraError):
    """What came is not the picture that the configuration describes."""


class Camera(Protocol):
    """A source of pictures.

    ``live`` is True where the pictures show the present. A live source never shows the same picture
    twice, so a repeated one is a fault; a replay repeats pictures by design.
    """

    @property
    def live(self) -> bool:
        """Whether the pictures show the present."""

    def open(self) -> None:
        """Start. Raises ``CameraError``."""

    def grab(self) -> None:
        """Block until the next picture is there and leave it as it came: most need not be decoded.

        Raises ``EndOfStream`` when a replay is over, ``CameraTimeoutError`` when no frame came,
        ``CameraFormatError`` when it is not the expected picture, ``CameraError`` when it is gone.
        """

    def retrieve(self) -> Image | None:
        """Return the picture of the last ``grab``, (H, W, 3) uint8 BGR; None where this one is damaged.

        Call it once a ``grab`` at most. Raises as ``grab`` does.
        """

    def read(self) -> Image:
        """Block until the next whole picture and return it. Raises as ``grab`` does."""

    def close(self) -> None:
        """Stop and free the device; wakes a ``read`` in another thread. Harmless when closed."""
