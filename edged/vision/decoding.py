"""Detector geometry: letterbox, grid outputs to boxes and landmarks, suppression of doubles.

Pure functions of arrays. Coordinates are pixels of the network's input unless said otherwise;
boxes are (x, y, width, height) with the top-left corner.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from edged.domain.types import FloatArray
from edged.errors import ModelError

STRIDES = (8, 16, 32)
# A crowd, or noise under a low threshold, must not make suppression (quadratic) run for long.
MAX_CANDIDATES = 1000
# exp of more is a box larger than any picture; it keeps a broken network from overflowing.
_MAX_LOG_SIZE = 12.0

IntArray = npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Letterbox:
    """How a picture sits in the network's input: scaled to ``width`` x ``height``, top-left, black below.

    ``scale_x`` and ``scale_y`` differ a little where the scaled size had to be rounded to pixels.
    """

    width: int
    height: int
    scale_x: float
    scale_y: float

    def to_image(self, points: FloatArray) -> FloatArray:
        """Map (..., 2) points of the input to pixels of the picture."""
        return np.divide(points, (self.scale_x, self.scale_y), dtype=np.float32)

    def to_input(self, points: FloatArray) -> FloatArray:
        """Map (..., 2) pixels of the picture to points of the input."""
        return np.multiply(points, (self.scale_x, self.scale_y), dtype=np.float32)


def letterbox(image_size: tuple[int, int], input_size: tuple[int, int]) -> Letterbox:
    """Fit ``image_size`` (width, height) into ``input_size``, keeping its proportions."""
    width, height = image_size
    scale = min(input_size[0] / width, input_size[1] / height)
    # A picture one pixel high still gets one row.
    scaled_width = min(input_size[0], max(1, round(width * scale)))
    scaled_height = min(input_size[1], max(1, round(height * scale)))
    return Letterbox(scaled_width, scaled_height, scaled_width / width, scaled_height / height)


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """``boxes`` (N, 4), ``landmarks`` (N, 5, 2), ``scores`` (N,) float32."""

    boxes: FloatArray
    landmarks: FloatArray
    scores: FloatArray

    def take(self, rows: IntArray) -> "Candidates":
        """Return the candidates of ``rows``, in that order."""
        return Candidates(self.boxes[rows], self.landmarks[rows], self.scores[rows])


Decoder = Callable[[Sequence[FloatArray], tuple[int, int], float], Candidates]


def decode_yunet(outputs: Sequence[FloatArray], input_size: tuple[int, int], threshold: float) -> Candidates:
    """Decode YuNet's twelve outputs for ``input_size`` (width, height), a multiple of 32.

    A cell gives ``score = sqrt(cls * obj)``, a box centred ``(cell + d) * stride`` with size
    ``exp(s) * stride``, landmarks ``(cell + d) * stride`` (libfacedetection, MIT).
    Raises ``ModelError`` for outputs of another number or shape, or scores that are not finite.
    """
    parts = []
    for stride, heads in _by_stride(outputs, input_size, {1: 2, 4: 1, 10: 1}, anchors=1):
        (first, second), (offsets,), (points,) = heads[1], heads[4], heads[10]
        # Which of the two is cls and which obj does not matter to their product.
        scores = np.sqrt(np.clip(first, 0, 1) * np.clip(second, 0, 1))[:, 0]
        rows = np.flatnonzero(scores >= threshold)
        cells = _cells(input_size, stride, rows, anchors=1)
        centres = (cells + offsets[rows, :2]) * stride
        sizes = np.exp(np.minimum(offsets[rows, 2:], _MAX_LOG_SIZE)) * stride
        marks = (points[rows].reshape(-1, 5, 2) + cells[:, None]) * stride
        parts.append((np.hstack([centres - sizes / 2, sizes]), marks, scores[rows]))
    return _joined(parts)


def decode_scrfd(outputs: Sequence[FloatArray], input_size: tuple[int, int], threshold: float) -> Candidates:
    """Decode SCRFD's nine outputs for ``input_size`` (width, height), a multiple of 32.

    Two anchors a cell at ``cell * stride``; a box is the distances left, top, right, bottom and a
    landmark the offset from there, both in strides; scores are probabilities (InsightFace).
    Raises ``ModelError`` for outputs of another number or shape, or scores that are not finite.
    """
    parts = []
    for stride, heads in _by_stride(outputs, input_size, {1: 1, 4: 1, 10: 1}, anchors=2):
        (scores,), (distances,), (points,) = heads[1], heads[4], heads[10]
        rows = np.flatnonzero(scores[:, 0] >= threshold)
        anchors = _cells(input_size, stride, rows, anchors=2) * stride
        sides = distances[rows] * stride
        corners = anchors - sides[:, :2]
        marks = anchors[:, None] + points[rows].reshape(-1, 5, 2) * stride
        parts.append((np.hstack([corners, sides[:, :2] + sides[:, 2:]]), marks, scores[rows, 0]))
    return _joined(parts)


def suppress(candidates: Candidates, max_iou: float) -> Candidates:
    """Keep the best of any that overlap more than ``max_iou``; best score first."""
    kept = cv2.dnn.NMSBoxes(
        candidates.boxes.tolist(), candidates.scores.tolist(), 0.0, max_iou, top_k=MAX_CANDIDATES
    )
    return candidates.take(np.asarray(kept, np.intp).reshape(-1))


def _by_stride(
    outputs: Sequence[FloatArray], input_size: tuple[int, int], heads: dict[int, int], *, anchors: int
) -> list[tuple[int, dict[int, list[FloatArray]]]]:
    """Sort outputs by stride and last dimension, whatever their order in the file.

    ``heads`` maps a last dimension to how many outputs a stride has of it.
    """
    flat = [out.reshape(-1, out.shape[-1]) for out in outputs]
    found = []
    for stride in STRIDES:
        rows = (input_size[0] // stride) * (input_size[1] // stride) * anchors
        found.append((stride, {last: [out for out in flat if out.shape == (rows, last)] for last in heads}))
    counts_match = all(
        len(group[last]) == count for _, group in found for last, count in heads.items()
    ) and len(outputs) == sum(heads.values()) * len(STRIDES)
    if not counts_match:
        raise ModelError(
            f"expected {sum(heads.values()) * len(STRIDES)} outputs of a {input_size[0]}x{input_size[1]} "
            f"detector, got {[out.shape for out in outputs][:16]}"
        )
    if not all(np.isfinite(out).all() for out in flat):
        raise ModelError("the detector gave numbers that are not finite")
    return found


def _cells(input_size: tuple[int, int], stride: int, rows: IntArray, *, anchors: int) -> FloatArray:
    """Column and row (N, 2) of the grid cells that the flat ``rows`` belong to."""
    columns = input_size[0] // stride
    cell = rows // anchors
    return np.stack([cell % columns, cell // columns], axis=1).astype(np.float32)


def _joined(parts: Sequence[tuple[FloatArray, FloatArray, FloatArray]]) -> Candidates:
    boxes, marks, scores = (np.concatenate(column).astype(np.float32) for column in zip(*parts, strict=True))
    return Candidates(boxes, marks, scores)
