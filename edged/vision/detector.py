"""Faces in a picture of any size."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import msgspec
import numpy as np

from edged.domain.types import Box, Face, FloatArray, Image
from edged.errors import ModelError
from edged.vision.decoding import (
    STRIDES,
    Candidates,
    Decoder,
    Letterbox,
    canvas_size,
    decode_scrfd,
    decode_yunet,
    letterbox,
    suppress,
)
from edged.vision.packs import ModelSpec
from edged.vision.tensors import AnySession, NetworkInput, check_image, check_size, to_tensor


@dataclass(frozen=True, slots=True)
class _Family:
    """How a family of detectors is decoded, and the overlap its authors suppress at."""

    decode: Decoder
    max_iou: float


_FAMILIES = {"yunet": _Family(decode_yunet, 0.3), "scrfd": _Family(decode_scrfd, 0.4)}
# A face smaller than this has no five distinct points.
_MIN_SIDE_PX = 1.0


class FaceDetector:
    """A detector network behind a letterbox.

    ``threshold`` is the lowest score that counts as a face. A network that takes any size is shown no more of
    the letterbox than the picture fills, at the same scale: a tenth less work for 4:3.
    """

    def __init__(self, session: AnySession, spec: ModelSpec, *, threshold: float) -> None:
        """Raise ``ModelError`` when file and descriptor disagree about the input."""
        if spec.decoder not in _FAMILIES:
            raise ModelError(f"{spec.decoder} is no detector; known: {', '.join(_FAMILIES)}")
        if any(side % STRIDES[-1] for side in spec.input):
            raise ModelError(f"expected a detector input in multiples of {STRIDES[-1]}, got {spec.input}")
        check_size(session, spec.input)
        self.session = session
        self._spec = spec
        self._family = _FAMILIES[spec.decoder]
        self._threshold = threshold
        self._any_size = not any(isinstance(side, int) for side in session.input_shape[2:])
        self._shown = spec.input
        self._input = NetworkInput(session, spec, spec.input)
        self._drawn = (0, 0)

    @property
    def landmarks(self) -> str:
        """The convention of the five points, which picks the template for alignment."""
        return self._spec.landmarks or self._spec.decoder

    def at_half_size(self) -> "FaceDetector | None":
        """Return a detector of the same network that looks at pictures half as wide and high.

        None for a network that takes one size alone.
        """
        size = half_size(self.input_size)
        if size is None or not self._any_size:
            return None
        spec = msgspec.structs.replace(self._spec, input=size)
        half = FaceDetector(self.session, spec, threshold=self._threshold)
        half.detect(np.zeros((size[1], size[0], 3), np.uint8))  # nobody waits for the first run of a size
        return half

    @property
    def input_size(self) -> tuple[int, int]:
        """Width and height of what the network looks at, at most."""
        return self._spec.input

    def shown_of(self, image_size: tuple[int, int]) -> tuple[int, int]:
        """Return the width and height of what the network is shown of a picture of ``image_size``."""
        return self._room(letterbox(image_size, self._spec.input))

    def detect(self, image: Image) -> list[Face]:
        """Return the faces of ``image`` (H, W, 3) uint8 BGR in its own pixels, best score first.

        Raises ``ValueError`` for another kind of array, ``ModelError`` if the network misbehaves.
        """
        check_image(image)
        fit = letterbox((image.shape[1], image.shape[0]), self._spec.input)
        self._draw(image, fit)
        outputs = self._input.run(fit.height)
        found = self._family.decode(outputs, self._shown, self._threshold)
        return _faces(suppress(found, self._family.max_iou), fit)

    def _draw(self, image: Image, fit: Letterbox) -> None:
        if self._drawn != (fit.width, fit.height):
            self._make_room(fit)
        _draw(image, fit, self._input.pixels)

    def _room(self, fit: Letterbox) -> tuple[int, int]:
        return canvas_size(fit, self._spec.input) if self._any_size else self._spec.input

    def _make_room(self, fit: Letterbox) -> None:
        """Have an input for ``fit``, black where nothing will be drawn."""
        wanted = self._room(fit)
        if wanted == self._shown:
            self._input.clear()  # of what a picture of other proportions left
        else:
            # One alone is kept: the frames of a camera are of one size.
            self._shown, self._input = wanted, NetworkInput(self.session, self._spec, wanted)
        self._drawn = fit.width, fit.height


def half_size(size: tuple[int, int]) -> tuple[int, int] | None:
    """Return half of an input (width, height), as near as the grid allows; None where nothing is left."""
    coarsest = STRIDES[-1]
    width, height = (side // 2 // coarsest * coarsest for side in size)
    return (width, height) if width and height else None


def network_input(image: Image, spec: ModelSpec) -> FloatArray:
    """Return what a detector is fed for ``image`` (H, W, 3) uint8 BGR: (1, 3, height, width) float32.

    Raises ``ValueError`` for another kind of array.
    """
    check_image(image)
    fit = letterbox((image.shape[1], image.shape[0]), spec.input)
    boxed = np.zeros((spec.input[1], spec.input[0], 3), np.uint8)
    _draw(image, fit, boxed)
    return to_tensor([boxed], channels=spec.channels, mean=spec.mean, scale=spec.scale)


def _draw(image: Image, fit: Letterbox, canvas: Image) -> None:
    """Scale ``image`` into the top-left corner of ``canvas``, at once and in place."""
    # Averaging keeps small faces of a large frame free of aliasing; it needs real shrinking to help.
    method = cv2.INTER_AREA if fit.scale_x < 0.5 else cv2.INTER_LINEAR
    cv2.resize(image, (fit.width, fit.height), dst=canvas[: fit.height, : fit.width], interpolation=method)


def _faces(found: Candidates, fit: Letterbox) -> list[Face]:
    marks = fit.to_image(found.landmarks)
    marks.flags.writeable = False
    # Two corners a row: numbers by themselves are faster than arrays of two.
    corners = fit.to_image(found.boxes.reshape(-1, 2, 2).cumsum(axis=1)).tolist()
    faces = []
    for row, ((x, y), (right, bottom)) in enumerate(corners):
        width, height = right - x, bottom - y
        if min(width, height) < _MIN_SIDE_PX or _flat(marks[row].tolist()):
            continue
        faces.append(Face(Box(x, y, width, height), marks[row], float(found.scores[row])))
    return faces


def _flat(points: Sequence[Sequence[float]]) -> bool:
    """Tell whether all points lie in one column or one row."""
    return any(max(side) <= min(side) for side in zip(*points, strict=True))
