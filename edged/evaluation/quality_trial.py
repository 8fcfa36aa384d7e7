"""What the quality score is worth: how much of their likeness pictures of that score really keep."""

import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from edged.domain.centres import weighted_centre
from edged.domain.types import Face, FloatArray, Image, Quality
from edged.errors import EvaluationError
from edged.evaluation.cross_pairs import ENROLLED
from edged.evaluation.embedding import Embedded, Progress, silent
from edged.evaluation.protocols import Labelled
from edged.evaluation.quality_conditions import WORSE
from edged.vision.pipeline import FacePipeline

# Another face in the picture must not take the place of the one that is judged.
_SAME_FACE_IOU = 0.3


@dataclass(frozen=True, slots=True)
class Judged:
    """A picture of somebody enrolled: its ``quality``, and its cosine to the centroid of the person's others.

    ``original`` is the cosine of the photograph it was made of. Where no face is found any more ``quality``
    is None and the cosine 0; ``refused`` tells that the configured limits would not let it be compared.
    """

    condition: str
    quality: Quality | None
    cosine: float
    original: float
    refused: bool = False

    @property
    def score(self) -> float:
        """The quality, 0 without a face."""
        return 0.0 if self.quality is None else self.quality.score


@dataclass(frozen=True, slots=True)
class Reference:
    """A photograph with somebody to compare it with: ``centre`` (D,) of others of the same person."""

    image: str
    row: int
    centre: FloatArray


def references(embedded: Embedded, photographs: Sequence[Labelled], seed: int = 1) -> list[Reference]:
    """Return each photograph whose person has another usable one, with the centroid of up to three of them.

    Raises ``EvaluationError`` where nobody has two.
    """
    usable: dict[str, list[int]] = {}
    for one in photographs:
        if one.image in embedded.rows and one.image not in embedded.refused:
            usable.setdefault(one.person, []).append(embedded.rows[one.image])
    chance, found = np.random.default_rng(seed), []
    for one in photographs:
        row = embedded.rows.get(one.image)
        others = [other for other in usable.get(one.person, ()) if other != row]
        if row is None or not others:
            continue
        kept = chance.permutation(others)[:ENROLLED]
        centre = weighted_centre((embedded.vectors[other], embedded.quality(other)) for other in kept)
        if centre is not None:
            found.append(Reference(one.image, row, centre))
    if not found:
        raise EvaluationError("expected somebody with two photographs of usable faces, got nobody")
    return found


def judged(embedded: Embedded, wanted: Sequence[Reference]) -> list[Judged]:
    """Return the photographs as they are."""
    return [
        Judged("as it is", embedded.qualities[one.row], cosine, cosine, one.image in embedded.refused)
        for one in wanted
        for cosine in [float(embedded.vectors[one.row] @ one.centre)]
    ]


def judged_worse(
    pipeline: FacePipeline,
    embedded: Embedded,
    wanted: Sequence[Reference],
    read: Callable[[str], Image],
    progress: Progress = silent,
) -> list[Judged]:
    """Return every one of ``WORSE`` of each photograph; what is drawn depends on its name alone."""
    found: list[Judged] = []
    for done, one in enumerate(wanted, start=1):
        original = float(embedded.vectors[one.row] @ one.centre)
        face = _face_at(pipeline, read(one.image), embedded.landmarks[one.row])
        if face is not None:
            found += _worse(pipeline, read(one.image), face, one, original)
        progress(done, len(wanted))
    return found


def _worse(
    pipeline: FacePipeline, image: Image, face: Face, one: Reference, original: float
) -> Iterator[Judged]:
    for name, condition in WORSE.items():
        chance = np.random.default_rng(zlib.crc32(f"{one.image} {name}".encode()))
        picture, where = condition(image, face, chance)
        seen = max(pipeline.detect(picture), key=lambda other: other.box.iou(where.box), default=None)
        if seen is None or seen.box.iou(where.box) < _SAME_FACE_IOU:
            yield Judged(name, None, 0.0, original)
            continue
        aligned = pipeline.align(picture, seen)
        quality = pipeline.assess(seen, aligned)
        cosine = float(pipeline.embed([aligned])[0] @ one.centre)
        yield Judged(name, quality, cosine, original, pipeline.shortfall(quality) is not None)


def _face_at(pipeline: FacePipeline, image: Image, landmarks: FloatArray) -> Face | None:
    """Return the face with these (5, 2) points, which the first pass found."""
    return min(
        pipeline.detect(image),
        key=lambda face: float(np.abs(face.landmarks - landmarks).sum()),
        default=None,
    )
