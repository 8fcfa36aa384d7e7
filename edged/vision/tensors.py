"""Pictures to network input: size, channel order, mean, scale, layout."""

from collections.abc import Sequence
from typing import Literal, Protocol

import cv2
import numpy as np

from edged.domain.types import FloatArray, Image
from edged.errors import ModelError
from edged.vision.session import PixelSession, Session

Channels = Literal["bgr", "rgb"]
# A file as its pack holds it, or compiled.
AnySession = Session | PixelSession


class Feeding(Protocol):
    """What a descriptor says of a network's input; see ``ModelSpec``."""

    @property
    def channels(self) -> Channels:
        """The order of the colours."""

    @property
    def mean(self) -> float:
        """What is taken off a pixel of 0..255."""

    @property
    def scale(self) -> float:
        """What the rest is multiplied by."""


def check_image(image: Image) -> None:
    """Raise ``ValueError`` unless ``image`` is a non-empty (H, W, 3) uint8 array."""
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or image.size == 0:
        raise ValueError(f"expected a uint8 picture (H, W, 3), got {image.dtype} {image.shape}")


def to_tensor(images: Sequence[Image], *, channels: Channels, mean: float, scale: float) -> FloatArray:
    """Return (N, 3, H, W) float32 ``(x - mean) * scale`` of N BGR pictures of one size.

    ``channels`` is the order the network wants. These are the numbers of ``cv2.dnn.blobFromImages``, which
    takes three times as long for a face of 112 x 112 and four times for four of them.
    Raises ``ValueError`` where the pictures differ in size.
    """
    shape = images[0].shape
    if any(image.shape != shape for image in images):  # OpenCV would write such a one somewhere else
        raise ValueError(f"expected pictures of one size {shape}, got {[one.shape for one in images][:16]}")
    planes = np.empty((len(images), 3, *shape[:2]), np.uint8)
    order = _order(channels)
    for image, colours in zip(images, planes, strict=True):
        cv2.split(image, [colours[place] for place in order])
    tensor = np.empty(planes.shape, np.float32)
    _to_numbers(planes, tensor, np.float32(mean), np.float32(scale))
    return tensor


def _order(channels: Channels) -> tuple[int, int, int]:
    """Return which plane of the input blue, green and red are."""
    return (2, 1, 0) if channels == "rgb" else (0, 1, 2)


def _to_numbers(planes: Image, numbers: FloatArray, mean: np.float32, scale: np.float32) -> None:
    """Fill ``numbers`` with what a network is fed for ``planes``, both (..., H, W) and parted by colour.

    Bytes are parted before they become floats: a quarter of what would be moved otherwise.
    """
    if mean:
        np.subtract(planes, mean, out=numbers, dtype=np.float32)
    else:
        np.copyto(numbers, planes)
    if scale != 1:
        numbers *= scale


def feed(session: AnySession, images: Sequence[Image], feeding: Feeding) -> list[FloatArray]:
    """Run ``session`` on N BGR pictures (H, W, 3) uint8 of one size; return its outputs.

    A compiled file brings ``feeding`` with it. Raises ``ModelError`` where the run fails.
    """
    return feed_in_parts(session, images, feeding, len(images))[0]


def feed_in_parts(
    session: AnySession, images: Sequence[Image], feeding: Feeding, step: int
) -> list[list[FloatArray]]:
    """Run ``session`` on ``step`` of the pictures at a time; return the outputs of each run.

    All are made ready before the first run: what follows a run finds nothing of itself in the caches, and
    takes three times as long. Raises ``ModelError`` where a run fails.
    """
    if isinstance(session, PixelSession):
        pixels = images[0][None] if len(images) == 1 else np.stack(images)
        return [session.run_pixels(pixels[at : at + step]) for at in range(0, len(images), step)]
    tensor = to_tensor(images, channels=feeding.channels, mean=feeding.mean, scale=feeding.scale)
    return [session.run(tensor[at : at + step]) for at in range(0, len(images), step)]


class NetworkInput:
    """What a network is fed of one picture, in memory that is kept: each picture takes the last one's place.

    ``pixels`` (H, W, 3) uint8 BGR, black at first, is to be drawn into. Fresh memory costs more than the
    numbers that go into it: of 320 x 320 float32 0.75 ms a picture, kept 0.09. Outputs are never kept so:
    what a run returned stays as it is. Binding memory to the network (``io_binding``), for its outputs too,
    gained nothing that could be measured. Not for several threads at once.
    """

    def __init__(self, session: AnySession, feeding: Feeding, size: tuple[int, int]) -> None:
        width, height = size
        self.pixels: Image = np.zeros((height, width, 3), np.uint8)
        self._session = session
        if isinstance(session, PixelSession):
            return
        self._mean, self._scale = np.float32(feeding.mean), np.float32(feeding.scale)
        self._planes = np.empty((3, height, width), np.uint8)
        self._split = [self._planes[place] for place in _order(feeding.channels)]
        self._tensor = np.empty((1, 3, height, width), np.float32)
        self.clear()

    def clear(self) -> None:
        """Make all of it black."""
        self.pixels[...] = 0
        if not isinstance(self._session, PixelSession):
            self._convert(len(self.pixels))

    def run(self, rows: int) -> list[FloatArray]:
        """Run the network on ``pixels``, of which the upper ``rows`` changed; return its outputs.

        Raises ``ModelError`` where the run fails.
        """
        if isinstance(self._session, PixelSession):
            return self._session.run_pixels(self.pixels[None])
        self._convert(rows)
        return self._session.run(self._tensor)

    def _convert(self, rows: int) -> None:
        cv2.split(self.pixels[:rows], [plane[:rows] for plane in self._split])
        _to_numbers(self._planes[:, :rows], self._tensor[0, :, :rows], self._mean, self._scale)


def check_size(session: AnySession, size: tuple[int, int]) -> None:
    """Check that ``session`` takes pictures of ``size`` (width, height). Raises ``ModelError``."""
    width, height = size
    shape = session.input_shape
    wanted = (3, height, width)
    if len(shape) != 4 or any(
        isinstance(have, int) and have != want for have, want in zip(shape[1:], wanted, strict=True)
    ):
        raise ModelError(f"expected a model with input (N, 3, {height}, {width}), got {shape}")
