"""The template that fits a detector: where its own five points lie on a well-placed face.

Detectors disagree about where an eye or a mouth corner is. Each photograph is placed on the standard
template, by the detector's own points or by those of a detector that the embedder is known to like,
and the detector's points are averaged there: the face stays where the embedder expects it, and the
detector's habit goes into the template.
"""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import numpy as np

from edged.domain.types import Face, FloatArray, Image
from edged.errors import EvaluationError
from edged.evaluation.embedding import Progress, main_face, read_image, reason_of, silent
from edged.vision.alignment import similarity, transformed

_MIN_FACES = 10
# Two detectors that disagree by more than this share of the eye distance found different faces.
_SAME_FACE = 1.0

Landmarks = Mapping[str, FloatArray]


def main_landmarks(
    detect: Callable[[Image], list[Face]],
    directory: Path,
    names: Iterable[str],
    progress: Progress = silent,
    pass_over: Callable[[Mapping[str, str]], None] = lambda _unreadable: None,
) -> dict[str, FloatArray]:
    """Return the (5, 2) points of the main face of every photograph that has one.

    Files that are no pictures are left out, and ``pass_over`` is told which, with the reasons.
    """
    wanted = sorted(set(names))
    found: dict[str, FloatArray] = {}
    unreadable: dict[str, str] = {}
    for done, name in enumerate(wanted, start=1):
        try:
            image = read_image(directory / name)
        except EvaluationError as exc:
            unreadable[name] = reason_of(exc, directory / name)
            continue
        finally:
            progress(done, len(wanted))
        face = main_face(detect(image), image)
        if face is not None:
            found[name] = face.landmarks
    pass_over(unreadable)
    return found


def fitted_template(
    landmarks: Landmarks, standard: FloatArray, reference: Landmarks | None = None
) -> tuple[FloatArray, int]:
    """Return the (5, 2) float32 mean of ``landmarks`` on ``standard``, and how many faces are in it.

    ``reference`` holds another detector's points of the same photographs, which then do the placing.
    Raises ``EvaluationError`` for fewer than ten faces.
    """
    placing = landmarks if reference is None else reference
    brought = [
        transformed(points, similarity(placing[name], standard))
        for name, points in landmarks.items()
        if name in placing and _same_face(points, placing[name])
    ]
    if len(brought) < _MIN_FACES:
        raise EvaluationError(
            f"expected at least {_MIN_FACES} faces to fit a template to, got {len(brought)}"
        )
    mean: FloatArray = np.mean(brought, axis=0).astype(np.float32)
    return mean, len(brought)


def _same_face(points: FloatArray, others: FloatArray) -> bool:
    eyes = float(np.linalg.norm(points[1] - points[0]))
    return float(np.linalg.norm(points.mean(axis=0) - others.mean(axis=0))) < _SAME_FACE * eyes
