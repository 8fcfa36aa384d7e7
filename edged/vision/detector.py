"""Faces in a picture of any size."""

from dataclasses import dataclass

import cv2
import numpy as np

from edged.domain.types import Box, Face, FloatArray, Image
from edged.errors import ModelError
from edged.vision.decoding import (
    STRIDES,
    Candidates,
    Decoder,
    Letterbox,
    decode_scrfd,
    decode_yunet,
    letterbox,
    suppress,
)
from edged.vision.packs import ModelSpec
from edged.vision.tensors import AnySession, check_image, check_size, feed, to_tensor


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

    ``threshold`` is the lowest score that counts as a face.
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

    @property
    def landmarks(self) -> str:
        """The convention of the five points, which picks the template for alignment."""
        return self._spec.landmarks or self._spec.decoder

    def detect(self, image: Image) -> list[Face]:
        """Return the faces of ``image`` (H, W, 3) uint8 BGR in its own pixels, best score first.

        Raises ``ValueError`` for another kind of array, ``ModelError`` if the network misbehaves.
        """
        check_image(image)
        fit = letterbox((image.shape[1], image.shape[0]), self._spec.input)
        boxed = _boxed(image, fit, self._spec.input)
        outputs = feed(self.session, [boxed], self._spec)
        found = self._family.decode(outputs, self._spec.input, self._threshold)
        return _faces(suppress(found, self._family.max_iou), fit)


def network_input(image: Image, spec: ModelSpec) -> FloatArray:
    """Return what a detector is fed for ``image`` (H, W, 3) uint8 BGR: (1, 3, height, width) float32.

    Raises ``ValueError`` for another kind of array.
    """
    check_image(image)
    fit = letterbox((image.shape[1], image.shape[0]), spec.input)
    boxed = _boxed(image, fit, spec.input)
    return to_tensor([boxed], channels=spec.channels, mean=spec.mean, scale=spec.scale)


def _boxed(image: Image, fit: Letterbox, input_size: tuple[int, int]) -> Image:
    """Scale ``image`` into the top-left corner of a black picture of ``input_size``."""
    canvas = np.zeros((input_size[1], input_size[0], 3), np.uint8)
    # Averaging keeps small faces of a large frame free of aliasing; it needs real shrinking to help.
    method = cv2.INTER_AREA if fit.scale_x < 0.5 else cv2.INTER_LINEAR
    cv2.resize(image, (fit.width, fit.height), dst=canvas[: fit.height, : fit.width], interpolation=method)
    return canvas


def _faces(found: Candidates, fit: Letterbox) -> list[Face]:
    corners = fit.to_image(found.boxes[:, :2])
    ends = fit.to_image(found.boxes[:, :2] + found.boxes[:, 2:])
    marks = fit.to_image(found.landmarks)
    marks.flags.writeable = False
    faces = []
    for row, score in enumerate(found.scores):
        width, height = (float(side) for side in ends[row] - corners[row])
        spread = float(np.ptp(marks[row], axis=0).min())
        if min(width, height) < _MIN_SIDE_PX or spread <= 0:
            continue
        x, y = (float(value) for value in corners[row])
        faces.append(Face(Box(x, y, width, height), marks[row], float(score)))
    return faces
