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

    ``channels`` is the order the network wants.
    """
    blob: FloatArray = cv2.dnn.blobFromImages(
        list(images), scalefactor=scale, mean=(mean, mean, mean), swapRB=channels == "rgb"
    )
    return blob


def feed(session: AnySession, images: Sequence[Image], feeding: Feeding) -> list[FloatArray]:
    """Run ``session`` on N BGR pictures (H, W, 3) uint8 of one size; return its outputs.

    A compiled file brings ``feeding`` with it. Raises ``ModelError`` where the run fails.
    """
    if isinstance(session, PixelSession):
        return session.run_pixels(images[0][None] if len(images) == 1 else np.stack(images))
    return session.run(to_tensor(images, channels=feeding.channels, mean=feeding.mean, scale=feeding.scale))


def check_size(session: AnySession, size: tuple[int, int]) -> None:
    """Check that ``session`` takes pictures of ``size`` (width, height). Raises ``ModelError``."""
    width, height = size
    shape = session.input_shape
    wanted = (3, height, width)
    if len(shape) != 4 or any(
        isinstance(have, int) and have != want for have, want in zip(shape[1:], wanted, strict=True)
    ):
        raise ModelError(f"expected a model with input (N, 3, {height}, {width}), got {shape}")
