"""Detector geometry: letterbox, grid outputs to boxes and landmarks, suppression of doubles.

Pure functions of arrays. Coordinates are pixels of the network's input unless said otherwise;
boxes are (x, y, width, height) with the top-left corner.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
import numpy.typing as npt

from edged.domain.types import FloatArray
from edged.errors import ModelError

STRIDES = (8, 16, 32)
# Black below a picture, or beside it, in an input cut to its proportions. With less, faces that touch the
# picture's lower edge score lower against other photographs of the same people than in the square input:
# YuNet, 1,800 pairs, by 0.0012 +- 0.0005 with 16 rows, SCRFD, 600 pairs, by 0.0026 +- 0.0006. With 48, what
# 4:3 gets, no lower: 0.0003 +- 0.0002 and 0.0008 +- 0.0003 higher. Faces farther up score alike with either.
_BLACK_PX = 32
# A crowd, or noise under a low threshold, must not make suppression (quadratic) run for long.
MAX_CANDIDATES = 1000
# exp of more is a box larger than any picture; it keeps a broken network from overflowing.
_MAX_LOG_SIZE = 12.0
# Well beyond what float32 rounds.
_ROUNDED = 0.999

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


@lru_cache(maxsize=32)
def letterbox(image_size: tuple[int, int], input_size: tuple[int, int]) -> Letterbox:
    """Fit ``image_size`` (width, height) into ``input_size``, keeping its proportions."""
    width, height = image_size
    scale = min(input_size[0] / width, input_size[1] / height)
    # A picture one pixel high still gets one row.
    scaled_width = min(input_size[0], max(1, round(width * scale)))
    scaled_height = min(input_size[1], max(1, round(height * scale)))
    return Letterbox(scaled_width, scaled_height, scaled_width / width, scaled_height / height)


@lru_cache(maxsize=32)
def canvas_size(fit: Letterbox, input_size: tuple[int, int]) -> tuple[int, int]:
    """Return the least (width, height) that ``fit``, made for ``input_size``, needs of it, in whole cells.

    A picture of 4:3 leaves a quarter of a square input black. What a network says of a place depends on its
    surroundings alone, and ``_BLACK_PX`` of that are enough of those.
    """
    width, height = (
        min(whole, math.ceil((side + _BLACK_PX) / STRIDES[-1]) * STRIDES[-1])
        for side, whole in zip((fit.width, fit.height), input_size, strict=True)
    )
    return width, height


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
    factors, offsets, points = _by_head(outputs, input_size, ((1, 2), (4, 1), (10, 1)), anchors=1)
    _check_finite(factors)
    # Which of the two is cls and which obj does not matter to their product. Neither is above 1, so each has
    # to reach the square of the score; few cells do.
    rows = np.flatnonzero(factors[0] >= (threshold**2 * _ROUNDED if threshold > 0 else -np.inf))
    chosen = np.minimum(np.maximum(factors[:, rows, 0], 0), 1)
    scores = np.sqrt(chosen[0] * chosen[1])
    reached = scores >= threshold
    rows, scores = rows[reached], scores[reached]
    sides, marks, grid = offsets[0, rows], points[0, rows], _grid(input_size, anchors=1)[rows]
    _check_finite(sides, marks)
    corners, stride = grid[:, :2], grid[:, 2:]
    sizes = np.exp(np.minimum(sides[:, 2:], _MAX_LOG_SIZE)) * stride
    boxes = np.concatenate((corners + sides[:, :2] * stride - sizes / 2, sizes), axis=1)
    marks = marks.reshape(-1, 5, 2) * stride[:, None] + corners[:, None]
    return Candidates(boxes, marks, scores)


def decode_scrfd(outputs: Sequence[FloatArray], input_size: tuple[int, int], threshold: float) -> Candidates:
    """Decode SCRFD's nine outputs for ``input_size`` (width, height), a multiple of 32.

    Two anchors a cell at ``cell * stride``; a box is the distances left, top, right, bottom and a
    landmark the offset from there, both in strides; scores are probabilities (InsightFace).
    Raises ``ModelError`` for outputs of another number or shape, or scores that are not finite.
    """
    likely, distances, points = _by_head(outputs, input_size, ((1, 1), (4, 1), (10, 1)), anchors=2)
    _check_finite(likely)
    rows = np.flatnonzero(likely[0] >= threshold)
    sides, marks, grid = distances[0, rows], points[0, rows], _grid(input_size, anchors=2)[rows]
    _check_finite(sides, marks)
    anchors, stride = grid[:, :2], grid[:, 2:]
    sides = sides * stride
    boxes = np.concatenate((anchors - sides[:, :2], sides[:, :2] + sides[:, 2:]), axis=1)
    marks = marks.reshape(-1, 5, 2) * stride[:, None] + anchors[:, None]
    return Candidates(boxes, marks, likely[0, rows, 0])


def suppress(candidates: Candidates, max_iou: float) -> Candidates:
    """Keep the best of any that overlap more than ``max_iou``; best score first."""
    if len(candidates.scores) < 2:
        return candidates
    kept = cv2.dnn.NMSBoxes(
        candidates.boxes.tolist(), candidates.scores.tolist(), 0.0, max_iou, top_k=MAX_CANDIDATES
    )
    return candidates.take(np.asarray(kept, np.intp).reshape(-1))


def _by_head(
    outputs: Sequence[FloatArray],
    input_size: tuple[int, int],
    heads: tuple[tuple[int, int], ...],
    *,
    anchors: int,
) -> list[FloatArray]:
    """Put together what all strides say of one thing, finest first, whatever the outputs' order in the file.

    ``heads`` has a last dimension and how many outputs a stride has of it: (numbers, count). For each comes
    an array (count, cells, numbers), a copy: nothing of it lies in memory that a network may write to.
    """
    rows = tuple((input_size[0] // stride) * (input_size[1] // stride) * anchors for stride in STRIDES)
    places = _places(tuple(out.shape for out in outputs), rows, heads)
    if places is None:
        raise ModelError(
            f"expected {sum(count for _, count in heads) * len(STRIDES)} outputs of a "
            f"{input_size[0]}x{input_size[1]} detector, got {[out.shape for out in outputs][:16]}"
        )
    return [
        np.concatenate([outputs[place] for place in group], axis=-2).reshape(count, -1, numbers)
        for (numbers, count), group in zip(heads, places, strict=True)
    ]


def _check_finite(*arrays: FloatArray) -> None:
    """Raise ``ModelError`` unless all numbers are finite.

    Asked of every score, so that a broken network is no empty corridor, and of all that is used of the rest.
    """
    if not all(np.isfinite(one).all() for one in arrays):
        raise ModelError("the detector gave numbers that are not finite")


@lru_cache(maxsize=32)
def _places(
    shapes: tuple[tuple[int, ...], ...], rows: tuple[int, ...], heads: tuple[tuple[int, int], ...]
) -> tuple[tuple[int, ...], ...] | None:
    """Return which outputs belong to each head, stride by stride; None where they are not a detector's."""
    by_shape: dict[tuple[int, int], list[int]] = {}
    for place, shape in enumerate(shapes):
        if len(shape) != len(shapes[0]) or len(shape) < 2 or math.prod(shape[:-2]) != 1:
            return None
        by_shape.setdefault((shape[-2], shape[-1]), []).append(place)
    wanted = {(cells, numbers): count for numbers, count in heads for cells in rows}
    if {shape: len(places) for shape, places in by_shape.items()} != wanted:
        return None
    return tuple(
        tuple(by_shape[cells, numbers][number] for number in range(count) for cells in rows)
        for numbers, count in heads
    )


@lru_cache(maxsize=32)
def _grid(input_size: tuple[int, int], *, anchors: int) -> FloatArray:
    """Return the corner of every cell of all strides, finest first, in pixels, and its stride: (N, 3)."""
    found = []
    for stride in STRIDES:
        columns, lines = input_size[0] // stride, input_size[1] // stride
        cell = np.arange(columns * lines * anchors) // anchors
        found.append(np.stack([cell % columns * stride, cell // columns * stride, cell * 0 + stride], axis=1))
    grid: FloatArray = np.concatenate(found).astype(np.float32)
    grid.flags.writeable = False
    return grid
