"""One photograph as a few frames of a video: a head that moves a little before a camera that makes noise.

The sizes of the changes are those between neighbouring frames of somebody who stands at a door: a few percent
of the face, a few degrees, the flicker of a lamp. They are far smaller than those of ``conditions``.
"""

import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from edged.domain.types import Face, FloatArray, Image, Quality
from edged.errors import EvaluationError
from edged.evaluation.embedding import Progress, main_face, read_image, silent
from edged.vision.pipeline import FacePipeline

_SHIFT = 0.02  # of the face's width, one standard deviation
_SCALE = 0.02
_ROLL_DEGREES = 2.0
_GAIN = 0.05
_NOISE = 2.0  # of 255
# Another face in the picture must not take the place of the one that the visit is about.
_SAME_FACE_IOU = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """What one frame shows of a face: ``vector`` (D,) as it is, ``shortfall`` why a door would not use it."""

    quality: Quality
    vector: FloatArray
    shortfall: str | None = None


def looks(
    pipeline: FacePipeline,
    directory: Path,
    names: Iterable[str],
    frames: int,
    progress: Progress = silent,
    *,
    seed: int = 1,
) -> dict[str, tuple[Look | None, ...]]:
    """Return ``frames`` looks at the main face of each photograph, the first of them at it as it is.

    ``names`` are paths below ``directory``. A look is None where no face is found. A file that is no picture
    is left out. The changes of a photograph depend on ``seed`` and its name alone.
    """
    found: dict[str, tuple[Look | None, ...]] = {}
    wanted = sorted(set(names))
    for done, name in enumerate(wanted, start=1):
        chance = np.random.default_rng((seed, zlib.crc32(name.encode())))
        try:
            image = read_image(directory / name)
        except EvaluationError:
            continue
        finally:
            progress(done, len(wanted))
        found[name] = tuple(_looks(pipeline, image, frames, chance))
    return found


def _looks(
    pipeline: FacePipeline, image: Image, frames: int, chance: np.random.Generator
) -> list[Look | None]:
    first = main_face(pipeline.detect(image), image)
    if first is None:
        return [None] * frames
    faces: list[Face | None] = [first]
    pictures = [image]
    for _ in range(frames - 1):
        pictures.append(moved(image, first, chance))
        faces.append(_same_face(pipeline.detect(pictures[-1]), first))
    aligned = [
        pipeline.align(picture, face)
        for picture, face in zip(pictures, faces, strict=True)
        if face is not None
    ]
    vectors = iter(pipeline.embed(aligned))
    ready = iter(aligned)
    return [None if face is None else _look(pipeline, face, next(ready), next(vectors)) for face in faces]


def moved(image: Image, face: Face, chance: np.random.Generator) -> Image:
    """Return ``image`` (H, W, 3) with ``face`` a little moved, scaled, leant and lit otherwise; and noise."""
    matrix = cv2.getRotationMatrix2D(
        face.box.centre, chance.normal(0, _ROLL_DEGREES), 1 + chance.normal(0, _SCALE)
    )
    matrix[:, 2] += chance.normal(0, _SHIFT * face.box.width, 2)
    size = (image.shape[1], image.shape[0])
    warped = cv2.warpAffine(image, matrix, size, borderMode=cv2.BORDER_REPLICATE)
    lit = warped * (1 + chance.normal(0, _GAIN)) + chance.normal(0, _NOISE, warped.shape)
    return np.asarray(np.clip(lit, 0, 255), np.uint8)


def _same_face(faces: Iterable[Face], wanted: Face) -> Face | None:
    best = max(faces, key=lambda face: face.box.iou(wanted.box), default=None)
    return best if best is not None and best.box.iou(wanted.box) >= _SAME_FACE_IOU else None


def _look(pipeline: FacePipeline, face: Face, aligned: Image, vector: FloatArray) -> Look:
    quality = pipeline.assess(face, aligned)
    return Look(quality, vector, pipeline.shortfall(quality))
