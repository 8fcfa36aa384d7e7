"""One pass over photographs: every protocol reads its result."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import cv2
import numpy as np

from edged.domain.picture_size import check_picture
from edged.domain.types import Face, FloatArray, Image, Quality
from edged.errors import EvaluationError, PictureError, printable
from edged.vision.pipeline import FacePipeline

# Large enough to use two threads well, small enough to stay in a Raspberry Pi's cache.
_BATCH = 8
# What a detector finds in the mirror image is the same face where the boxes overlap so far.
_SAME_FACE_IOU = 0.5

Progress = Callable[[int, int], None]


def silent(_done: int, _total: int) -> None:
    """Report nothing."""


@dataclass(frozen=True, slots=True, eq=False)
class Embedded:
    """What the pipeline made of photographs.

    Row i of ``vectors`` (N, D) and ``landmarks`` (N, 5, 2), and ``qualities[i]``, belong to
    ``names[i]``. ``without_face`` are the photographs that have no row; ``shortfalls`` counts the
    reasons for which faces would be refused, ``refused`` has the reason of each. They have rows all
    the same. ``unreadable`` has the files that are no pictures, each with what is wrong with it: they
    are nobody's failure to be found and count nowhere. ``mirrors`` (N, D) are the vectors of the
    mirrored faces where they were asked for.
    """

    names: tuple[str, ...]
    vectors: FloatArray
    landmarks: FloatArray
    qualities: tuple[Quality, ...]
    without_face: tuple[str, ...]
    shortfalls: Mapping[str, int]
    rows: Mapping[str, int] = field(default_factory=dict)
    refused: Mapping[str, str] = field(default_factory=dict)
    unreadable: Mapping[str, str] = field(default_factory=dict)
    mirrors: FloatArray | None = None

    @property
    def face_rate(self) -> float:
        """Share of the photographs in which a face was found."""
        return len(self.names) / (len(self.names) + len(self.without_face))

    def quality(self, row: int) -> float:
        """Return the score of a face 0..1; all are as good where the faces were not judged."""
        return self.qualities[row].score if self.qualities else 1.0

    def above_floor(self) -> "Embedded":
        """Return the same with the ``refused`` among ``without_face``: as a door would have it."""
        kept = [row for row, name in enumerate(self.names) if name not in self.refused]
        names = tuple(self.names[row] for row in kept)
        return replace(
            self,
            names=names,
            vectors=self.vectors[kept],
            landmarks=self.landmarks[kept],
            qualities=tuple(self.qualities[row] for row in kept),
            without_face=tuple(sorted({*self.without_face, *self.refused})),
            rows={name: row for row, name in enumerate(names)},
            mirrors=None if self.mirrors is None else self.mirrors[kept],
        )

    def mirrored(self) -> "Embedded":
        """Return the same with the mean of each face's vector and its mirror image's in its place.

        Raises ``EvaluationError`` where the mirror images were not embedded.
        """
        if self.mirrors is None:
            raise EvaluationError("the mirrored faces were not embedded")
        mean = self.vectors + self.mirrors
        vectors: FloatArray = mean / np.linalg.norm(mean, axis=1, keepdims=True)
        return replace(self, vectors=vectors)


def embed_photographs(
    pipeline: FacePipeline,
    directory: Path,
    names: Iterable[str],
    progress: Progress = silent,
    *,
    mirrors: bool = False,
) -> Embedded:
    """Detect, align, judge and embed the main face of every photograph, each name once.

    ``names`` are paths below ``directory``; ``mirrors`` does it all again on the mirrored
    photographs. A file that is no picture is passed over. Raises ``EvaluationError`` where none is one.
    """
    wanted = sorted(set(names))
    collected = _Pass(pipeline, mirrors=mirrors)
    for done, name in enumerate(wanted, start=1):
        try:
            image = read_image(directory / name)
        except EvaluationError as exc:
            collected.pass_over(name, reason_of(exc, directory / name))
        else:
            collected.add(name, image)
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
        content = path.read_bytes()
        check_picture(content)
        image = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    except OSError as exc:
        raise EvaluationError(f"{path}: cannot be read: {exc.strerror or exc}") from exc
    except PictureError as exc:
        text = "not a picture" if exc.reason == "unreadable" else str(exc)
        raise EvaluationError(f"{path}: {text}") from exc
    except (cv2.error, ValueError) as exc:  # a path with a NUL in it is a ValueError
        raise EvaluationError(f"{printable(str(path))}: not a picture") from exc
    if image is None:
        raise EvaluationError(f"{path}: not a picture")
    return np.asarray(image, np.uint8)


def reason_of(exc: EvaluationError, path: Path) -> str:
    """Return what ``read_image`` said of ``path``, without the path itself."""
    return str(exc).removeprefix(f"{path}: ")


class _Pass:
    def __init__(self, pipeline: FacePipeline, *, mirrors: bool) -> None:
        self._pipeline = pipeline
        self._names: list[str] = []
        self._landmarks: list[FloatArray] = []
        self._qualities: list[Quality] = []
        self._missing: list[str] = []
        self._unreadable: dict[str, str] = {}
        self._waiting: list[Image] = []
        self._mirrored: list[Image] = []
        self._vectors = [np.empty((0, pipeline.dimension), np.float32)]
        self._mirrors = [self._vectors[0]] if mirrors else None

    def pass_over(self, name: str, why: str) -> None:
        self._unreadable[name] = why

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
        if self._mirrors is not None:
            self._mirrored.append(self._mirror(image, face, aligned))
        if len(self._waiting) == _BATCH:
            self._flush()

    def result(self) -> Embedded:
        self._flush()
        if not self._names and not self._missing:
            name, why = next(iter(self._unreadable.items()), ("no photograph", "none was named"))
            raise EvaluationError(f"none of {len(self._unreadable)} files is a picture; {name}: {why}")
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
            {name: reason for name, reason in zip(self._names, reasons, strict=True) if reason},
            self._unreadable,
            None if self._mirrors is None else np.concatenate(self._mirrors),
        )

    def _flush(self) -> None:
        self._vectors.append(self._pipeline.embed(self._waiting))
        if self._mirrors is not None:
            self._mirrors.append(self._pipeline.embed(self._mirrored))
        self._waiting.clear()
        self._mirrored.clear()

    def _mirror(self, image: Image, face: Face, aligned: Image) -> Image:
        """Find the same face in the mirrored photograph, or mirror the aligned one where it is not found.

        The detector's points come out a little otherwise there, and that error is averaged out too: on
        lfw-dev (397 enrolled) FNIR at FPIR 1e-3 falls from 2.6 % to 1.8 %, and to 2.0 % without.
        """
        flipped = np.fliplr(image).copy()
        box = face.box
        wanted = replace(box, x=image.shape[1] - box.x - box.width)
        best = max(self._pipeline.detect(flipped), key=lambda one: one.box.iou(wanted), default=None)
        if best is None or best.box.iou(wanted) < _SAME_FACE_IOU:
            return np.fliplr(aligned).copy()
        return self._pipeline.align(flipped, best)
