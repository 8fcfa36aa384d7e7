"""One pass over photographs: every protocol reads its result."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from edged.domain.types import Face, FloatArray, Image, Quality
from edged.errors import EvaluationError
from edged.vision.pipeline import FacePipeline

# Large enough to use two threads well, small enough to stay in a Raspberry Pi's cache.
_BATCH = 8

Progress = Callable[[int, int], None]


def silent(_done: int, _total: int) -> None:
    """Report nothing."""


@dataclass(frozen=True, slots=True, eq=False)
class Embedded:
    """What the pipeline made of photographs.

    Row i of ``vectors`` (N, D) and ``landmarks`` (N, 5, 2), and ``qualities[i]``, belong to
    ``names[i]``. ``without_face`` are the photographs that have no row; ``shortfalls`` counts the
    reasons for which faces would be refused. They have rows all the same.
    """

    names: tuple[str, ...]
    vectors: FloatArray
    landmarks: FloatArray
    qualities: tuple[Quality, ...]
    without_face: tuple[str, ...]
    shortfalls: Mapping[str, int]
    rows: Mapping[str, int] = field(default_factory=dict)

    @property
    def face_rate(self) -> float:
        """Share of the photographs in which a face was found."""
        return len(self.names) / (len(self.names) + len(self.without_face))


def embed_photographs(
    pipeline: FacePipeline, directory: Path, names: Iterable[str], progress: Progress = silent
) -> Embedded:
    """Detect, align, judge and embed the main face of every photograph, each name once.

    ``names`` are paths below ``directory``. Raises ``EvaluationError`` for a file that is no picture.
    """
    wanted = sorted(set(names))
    collected = _Pass(pipeline)
    for done, name in enumerate(wanted, start=1):
        collected.add(name, read_image(directory / name))
        progress(done, len(wanted))
    return collected.result()


def main_face(faces: Iterable[Face], image: Image) -> Face | None:
    """Return the face a photograph is of: large counts for it, off-centre against it; None of none."""
    middle = np.array([image.shape[1] / 2, image.shape[0] / 2])

    def prominence(face: Face) -> float:
        return face.box.area - 2 * float(np.sum((np.array(face.box.centre) - middle) ** 2))

    return max(faces, key=prominence, default=None)


def read_image(path: Path) -> Image:
    """Return the (H, W, 3) uint8 BGR picture of a file. Raises ``EvaluationError``."""
    try:
        raw = np.frombuffer(path.read_bytes(), np.uint8)
    except OSError as exc:
        raise EvaluationError(f"{path}: cannot be read: {exc.strerror or exc}") from exc
    image = cv2.imdecode(raw, cv2.IMREAD_COLOR) if raw.size else None
    if image is None:
        raise EvaluationError(f"{path}: not a picture")
    return np.asarray(image, np.uint8)


class _Pass:
    def __init__(self, pipeline: FacePipeline) -> None:
        self._pipeline = pipeline
        self._names: list[str] = []
        self._landmarks: list[FloatArray] = []
        self._qualities: list[Quality] = []
        self._missing: list[str] = []
        self._waiting: list[Image] = []
        self._vectors = [np.empty((0, pipeline.dimension), np.float32)]

    def add(self, name: str, image: Image) -> None:
        face = main_face(self._pipeline.detect(image), image)
        if face is None:
            self._missing.append(name)
            return
        aligned = self._pipeline.align(image, face)
        self._names.append(name)
        self._landmarks.append(face.landmarks)
        self._qualities.append(self._pipeline.assess(face, aligned))
        self._waiting.append(aligned)
        if len(self._waiting) == _BATCH:
            self._flush()

    def result(self) -> Embedded:
        self._flush()
        reasons = [self._pipeline.shortfall(quality) for quality in self._qualities]
        counts = {reason: reasons.count(reason) for reason in sorted({one for one in reasons if one})}
        return Embedded(
            tuple(self._names),
            np.concatenate(self._vectors),
            np.array(self._landmarks, np.float32).reshape(-1, 5, 2),
            tuple(self._qualities),
            tuple(self._missing),
            counts,
            {name: row for row, name in enumerate(self._names)},
        )

    def _flush(self) -> None:
        self._vectors.append(self._pipeline.embed(self._waiting))
        self._waiting.clear()
