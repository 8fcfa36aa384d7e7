"""An int8 detector against its float32 one: the same faces, in the same places."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from edged.domain.types import Face, Image
from edged.errors import EvaluationError
from edged.evaluation.embedding import main_face

# Points of the share of pictures in which the main face is found.
MAX_LOSS = 0.005
# Mean distance of a landmark from where float32 has it, in eye distances.
MAX_LANDMARK_SHIFT = 0.03
# Faces that float32 does not see, as a share of those it sees.
MAX_INVENTED = 0.01
# With fewer, half a point is less than one face.
MIN_FACES = 200
_SAME_FACE_IOU = 0.5
_SMALL = 3

Detect = Callable[[Image], list[Face]]


@dataclass(frozen=True, slots=True)
class DetectorFigures:
    """What ``pictures`` gave.

    ``float32_found`` and ``int8_found`` are the shares of pictures with a face; ``recall`` the share of
    float32's main faces that int8 finds as well. ``landmark_shift`` (mean) and ``landmark_shift_p95``
    are in eye distances, ``iou`` is the mean overlap of these boxes. ``invented`` counts int8's faces
    that float32 does not have, as a share of all of float32's.
    """

    pictures: int
    float32_found: float
    int8_found: float
    recall: float
    iou: float
    landmark_shift: float
    landmark_shift_p95: float
    invented: float

    def problems(self) -> list[str]:
        """Return why int8 must not take the place of float32; empty where it may."""
        found = []
        # All written so that NaN fails too.
        if not self.int8_found >= self.float32_found - MAX_LOSS:
            found.append(
                f"a face is found in {self.int8_found:.2%} of the pictures in int8 and in "
                f"{self.float32_found:.2%} in float32: more than {100 * MAX_LOSS:g} points fewer"
            )
        if not self.recall >= 1 - 2 * MAX_LOSS:
            found.append(
                f"int8 finds {self.recall:.2%} of float32's faces, expected at least {1 - 2 * MAX_LOSS:.0%}"
            )
        if not self.landmark_shift <= MAX_LANDMARK_SHIFT:
            found.append(
                f"landmarks lie {self.landmark_shift:.3f} eye distances off float32's on average, "
                f"expected at most {MAX_LANDMARK_SHIFT:g}"
            )
        if not self.invented <= MAX_INVENTED:
            found.append(
                f"int8 sees {self.invented:.2%} faces more that float32 does not have, "
                f"expected at most {MAX_INVENTED:.0%}"
            )
        return found


def views(image: Image) -> tuple[Image, Image]:
    """Return a picture as it is, and a third of its size in the corner of an empty one: a far face."""
    far = np.zeros_like(image)
    height, width = (max(1, side // _SMALL) for side in image.shape[:2])
    far[:height, :width] = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    return image, far


def compare_detectors(float32: Detect, int8: Detect, pictures: Iterable[Image]) -> DetectorFigures:
    """Send ``pictures`` through both. Raises ``EvaluationError`` where float32 finds too few faces."""
    found, seen, invented, total = [], [], 0, 0
    matches: list[tuple[Face, Face]] = []
    for picture in pictures:
        before, after = float32(picture), int8(picture)
        main = main_face(before, picture)
        found.append(main is not None)
        seen.append(bool(after))
        matches += _matching(main, after)
        total += len(before)
        invented += sum(not _counterpart(one, before) for one in after)
    if sum(found) < MIN_FACES:
        raise EvaluationError(
            f"too few faces to measure a detector with: {sum(found)} in {len(found)} pictures, expected at "
            f"least {MIN_FACES} (with fewer, half a point is less than one face)"
        )
    shifts = [_landmark_shift(one, other) for one, other in matches]
    return DetectorFigures(
        pictures=len(found),
        float32_found=float(np.mean(found)),
        int8_found=float(np.mean(seen)),
        recall=len(matches) / sum(found),
        iou=_mean([one.box.iou(other.box) for one, other in matches]),
        landmark_shift=_mean(shifts),
        landmark_shift_p95=float(np.percentile(shifts, 95)) if shifts else float("nan"),
        invented=invented / total,
    )


def _matching(main: Face | None, faces: Sequence[Face]) -> Iterator[tuple[Face, Face]]:
    if main is not None and (other := _counterpart(main, faces)) is not None:
        yield main, other


def _counterpart(face: Face, others: Sequence[Face]) -> Face | None:
    best = max(others, key=lambda one: face.box.iou(one.box), default=None)
    return best if best is not None and face.box.iou(best.box) >= _SAME_FACE_IOU else None


def _landmark_shift(one: Face, other: Face) -> float:
    distances = np.linalg.norm(one.landmarks - other.landmarks, axis=1)
    return float(distances.mean()) / max(one.eye_distance, 1e-6)


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if values else float("nan")
