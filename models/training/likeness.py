"""Whom a picture resembles: the teacher's vectors of all photographs, and what may be too near to them."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from corpus import Photograph, photographs
from rich.progress import track

from edged.config.sections import ModelsConfig, QualityConfig
from edged.domain.types import Face, Image
from edged.evaluation.comparison import name_hash
from edged.evaluation.embedding import main_face
from edged.vision.pipeline import FacePipeline
from edged.vision.quality import pose

FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Survey:
    """All photographs that show a face, in a fixed order.

    ``files`` and ``people`` name them (``people`` by hash, empty where nobody is named), ``landmarks``
    (N, 5, 2) pixels, ``poses`` (N, 3) degrees of yaw, pitch and roll, ``vectors`` (N, 128) unit rows.
    """

    files: npt.NDArray[np.str_]
    people: npt.NDArray[np.str_]
    landmarks: FloatArray
    poses: FloatArray
    vectors: FloatArray

    def rows(self, person: str) -> npt.NDArray[np.intp]:
        """Return where the photographs of ``person`` (a hash) stand."""
        return np.flatnonzero(self.people == person)


def teacher(models: Path) -> FacePipeline:
    """Return YuNet and y1 in float32."""
    # A lower score than at a door: the face that a photograph is of is wanted even when it is odd.
    config = ModelsConfig(
        directory=models,
        detector="yunet",
        embedder="arcface-y1",
        precision="float32",
        threads=1,
        detection_threshold=0.5,
    )
    return FacePipeline.load(config, QualityConfig())


def survey(photos: Path, archive: Path, pipeline: FacePipeline, cache: Path | None) -> Survey:
    """Look at every photograph once; ``cache`` keeps the result for the next time."""
    if cache is not None and cache.is_file():
        with np.load(cache) as kept:
            return Survey(**{name: kept[name] for name in Survey.__slots__})
    found = _survey(list(photographs(photos, archive)), pipeline)
    if cache is not None:
        np.savez(cache, **{name: getattr(found, name) for name in Survey.__slots__})
    return found


def _survey(pictures: list[Photograph], pipeline: FacePipeline) -> Survey:
    rows = []
    for picture in track(pictures, description="survey"):
        face = main_face(pipeline.detect(picture.image), picture.image)
        if face is not None:
            person = name_hash(picture.person) if picture.person else ""
            rows.append(
                (
                    picture.name,
                    person,
                    face.landmarks,
                    pose(face.landmarks, pipeline.template),
                    vector(picture.image, face, pipeline),
                )
            )
    files, people, landmarks, poses, vectors = zip(*rows, strict=True)
    return Survey(
        np.array(files),
        np.array(people),
        np.array(landmarks, np.float32),
        np.array(poses, np.float32),
        np.array(vectors, np.float32),
    )


def vector(image: Image, face: Face, pipeline: FacePipeline) -> FloatArray:
    """Return the (128,) unit vector of ``face`` and its mirror image."""
    aligned = pipeline.align(image, face)
    both = pipeline.embed([aligned, np.ascontiguousarray(aligned[:, ::-1])]).sum(axis=0)
    unit: FloatArray = both / np.linalg.norm(both)
    return unit
