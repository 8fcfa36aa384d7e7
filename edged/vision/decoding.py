"""Detector geometry: letterbox, grid outputs to boxes and landmarks, suppression of doubles.

Pure functions of arrays. Coordinates are pixels of the network's input unless said otherwise;
boxes are (x, y, width, height) with the top-left corner.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

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
    heads = _by_head(outputs, input_size, {1: 2, 4: 1, 10: 1}, anchors=1)
    (first, second), (offsets,), (points,) = heads[1], heads[4], heads[10]
    # Which of the two is cls and which obj does not matter to their product. Neither is above 1, so each has
    # to reach the square of the score; few cells do.
    rows = np.flatnonzero(first[:, 0] >= (threshold**2 * _ROUNDED if threshold > 0 else -np.inf))
    scores = np.sqrt(np.clip(first[rows, 0], 0, 1) * np.clip(second[rows, 0], 0, 1))
    reached = scores >= threshold
    rows, scores = rows[reached], scores[reached]
    cells, strides = (grid[rows] for grid in _grid(input_size, anchors=1))
    offsets = offsets[rows]
    centres = (cells + offsets[:, :2]) * strides
    sizes = np.exp(np.minimum(offsets[:, 2:], _MAX_LOG_SIZE)) * strides
    marks = (points[rows].reshape(-1, 5, 2) + cells[:, None]) * strides[:, None]
    return Candidates(np.concatenate((centres - sizes / 2, sizes), axis=1), marks, scores)


def decode_scrfd(outputs: Sequence[FloatArray], input_size: tuple[int, int], threshold: float) -> Candidates:
    """Decode SCRFD's nine outputs for ``input_size`` (width, height), a multiple of 32.

    Two anchors a cell at ``cell * stride``; a box is the distances left, top, right, bottom and a
    landmark the offset from there, both in strides; scores are probabilities (InsightFace).
    Raises ``ModelError`` for outputs of another number or shape, or scores that are not finite.
    """
    heads = _by_head(outputs, input_size, {1: 1, 4: 1, 10: 1}, anchors=2)
    (scores,), (distances,), (points,) = heads[1], heads[4], heads[10]
    rows = np.flatnonzero(scores[:, 0] >= threshold)
    cells, strides = (grid[rows] for grid in _grid(input_size, anchors=2))
    anchors = cells * strides
    sides = distances[rows] * strides
    corners = anchors - sides[:, :2]
    marks = anchors[:, None] + points[rows].reshape(-1, 5, 2) * strides[:, None]
    return Candidates(np.concatenate((corners, sides[:, :2] + sides[:, 2:]), axis=1), marks, scores[rows, 0])


def suppress(candidates: Candidates, max_iou: float) -> Candidates:
    """Keep the best of any that overlap more than ``max_iou``; best score first."""
    if len(candidates.scores) < 2:
        return candidates
    kept = cv2.dnn.NMSBoxes(
        candidates.boxes.tolist(), candidates.scores.tolist(), 0.0, max_iou, top_k=MAX_CANDIDATES
    )
    return candidates.take(np.asarray(kept, np.intp).reshape(-1))


def _by_head(
    outputs: Sequence[FloatArray], input_size: tuple[int, int], heads: Mapping[int, int], *, anchors: int
) -> dict[int, list[FloatArray]]:
    """Put together what all strides say of one thing, finest first, whatever the outputs' order in the file.

    ``heads`` maps a last dimension to how many outputs a stride has of it; an array is (cells, last).
    """
    rows = tuple((input_size[0] // stride) * (input_size[1] // stride) * anchors for stride in STRIDES)
    order = _order(tuple(out.shape for out in outputs), rows, tuple(heads.items()))
    if order is None:
        raise ModelError(
            f"expected {sum(heads.values()) * len(STRIDES)} outputs of a {input_size[0]}x{input_size[1]} "
            f"detector, got {[out.shape for out in outputs][:16]}"
        )
    # A copy: nothing of what comes out lies in memory that a network may write to.
    numbers = np.concatenate([outputs[place].reshape(-1) for place in order])
    if not np.isfinite(numbers).all():
        raise ModelError("the detector gave numbers that are not finite")
    found: dict[int, list[FloatArray]] = {}
    start, cells = 0, sum(rows)
    for last, count in heads.items():
        end = start + count * cells * last
        found[last] = list(numbers[start:end].reshape(count, cells, last))
        start = end
    return found


@lru_cache(maxsize=8)
def _order(
    shapes: tuple[tuple[int, ...], ...], rows: tuple[int, ...], heads: tuple[tuple[int, int], ...]
) -> tuple[int, ...] | None:
    """Return the outputs' places by head and stride; None where they are not those of such a detector."""
    by_shape: dict[tuple[int, int], list[int]] = {}
    for place, shape in enumerate(shapes):
        if shape and shape[-1]:
            by_shape.setdefault((math.prod(shape[:-1]), shape[-1]), []).append(place)
    wanted = {(cells, last): count for last, count in heads for cells in rows}
    if len(shapes) != sum(wanted.values()) or any(
        len(by_shape.get(shape, ())) != count for shape, count in wanted.items()
    ):
        return None
    return tuple(
        by_shape[cells, last][number] for last, count in heads for number in range(count) for cells in rows
    )


@lru_cache(maxsize=8)
def _grid(input_size: tuple[int, int], *, anchors: int) -> tuple[FloatArray, FloatArray]:
    """Return column and row (N, 2), and the stride (N, 1), of every cell of all strides, finest first."""
    cells, strides = [], []
    for stride in STRIDES:
        columns, lines = input_size[0] // stride, input_size[1] // stride
        cell = np.arange(columns * lines * anchors) // anchors
        cells.append(np.stack([cell % columns, cell // columns], axis=1))
        strides.append(np.full((len(cell), 1), stride))
    grids = tuple(np.concatenate(one).astype(np.float32) for one in (cells, strides))
    for one in grids:
        one.flags.writeable = False
    return grids[0], grids[1]
