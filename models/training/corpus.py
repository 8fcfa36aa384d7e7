"""The photographs that the starter pack learns from: found faces, aligned once, kept in one cache.

    python models/training/corpus.py --photos DIR [--archive TAR] --models PACKS --out CACHE

``--photos`` has one folder a person (LFW), ``--archive`` is a tar of single photographs without names
(UTKFace). People whose name hashes into ``heldout.txt`` are left out, and so is every photograph that
the teacher takes for one of them: nothing that is measured later is seen here.
"""

import argparse
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from rich.progress import track

from edged.config.sections import ModelsConfig, QualityConfig
from edged.domain.types import Image
from edged.evaluation.comparison import name_hash, read_people
from edged.evaluation.embedding import main_face
from edged.vision.alignment import similarity
from edged.vision.pipeline import FacePipeline

# Pixels kept around the 112 of an aligned face, so that a shifted or turned view shows real pixels.
MARGIN = 16
SIDE = 112 + 2 * MARGIN
# Above this cosine to a held-out person's centroid a photograph may show that person: y1's threshold
# at a false match rate of 1e-4 is 0.407.
SAME_PERSON_COSINE = 0.40
HELD_OUT = Path(__file__).with_name("heldout.txt")

FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Photograph:
    """``person`` is empty where the photograph has no name."""

    name: str
    person: str
    image: Image


def held_out() -> frozenset[str]:
    """Return the hashes of the people who are measured, never trained on."""
    return read_people(HELD_OUT)


def photographs(photos: Path | None, archive: Path | None) -> Iterator[Photograph]:
    """Yield all photographs in a fixed order: folders by name, then the archive by member name."""
    if photos is not None:
        for path in sorted(photos.glob("*/*.jpg")):
            yield Photograph(path.name, path.parent.name, _decoded(path.read_bytes(), path.name))
    if archive is not None:
        with tarfile.open(archive) as tar:
            members = sorted((one for one in tar if one.isfile()), key=lambda one: one.name)
            for member in members:
                content = tar.extractfile(member)
                assert content is not None, f"expected {member.name} to be a plain file"
                yield Photograph(member.name, "", _decoded(content.read(), member.name))


def _decoded(data: bytes, name: str) -> Image:
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    if image is None:
        raise ValueError(f"expected a picture, {name} is none")
    return np.asarray(image, np.uint8)


def wide_crop(image: Image, landmarks: FloatArray, template: FloatArray) -> Image:
    """Return the aligned face with ``MARGIN`` pixels around it, (144, 144, 3) uint8 BGR."""
    matrix = similarity(landmarks, template + MARGIN)
    # A warp reads four pixels however many it skips: reduce a much larger picture first.
    factor = float(np.hypot(matrix[0, 0], matrix[1, 0]))
    if factor < 0.5:
        image = np.asarray(cv2.GaussianBlur(image, (0, 0), 0.4 / factor), np.uint8)
    return np.asarray(
        cv2.warpAffine(image, matrix, (SIDE, SIDE), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE),
        np.uint8,
    )


def build(photos: Path | None, archive: Path | None, models: Path, out: Path) -> None:
    """Write ``crops.npy`` (N, 144, 144, 3), ``vectors.npy`` (N, D), ``people.txt`` of the training people."""
    # A lower score than at a door: the face that a photograph is of is wanted even when it is odd.
    config = ModelsConfig(directory=models, detector="yunet", embedder="arcface-y1", detection_threshold=0.5)
    pipeline = FacePipeline.load(config, QualityConfig())
    measured, crops, vectors, people = held_out(), [], [], []
    for photograph in track(list(photographs(photos, archive)), description="faces"):
        face = main_face(pipeline.detect(photograph.image), photograph.image)
        if face is None:
            continue
        crop = wide_crop(photograph.image, face.landmarks, pipeline.template)
        inner = crop[MARGIN:-MARGIN, MARGIN:-MARGIN]
        both = pipeline.embed([inner, np.ascontiguousarray(inner[:, ::-1])]).sum(axis=0)
        crops.append(crop)
        vectors.append(both / np.linalg.norm(both))
        people.append(photograph.person)
    keep = _trainable(np.array(vectors), people, measured)
    out.mkdir(parents=True, exist_ok=True)
    np.save(out / "crops.npy", np.array(crops)[keep])
    np.save(out / "vectors.npy", np.array(vectors)[keep])
    (out / "people.txt").write_text("".join(f"{people[i]}\n" for i in keep))
    print(f"{len(keep)} of {len(crops)} faces are for training")


def _trainable(vectors: FloatArray, people: list[str], measured: frozenset[str]) -> npt.NDArray[np.intp]:
    names = np.array(people)
    out = np.array([bool(name) and name_hash(name) in measured for name in people])
    centroids = np.array([vectors[names == name].mean(axis=0) for name in sorted(set(names[out]))])
    centroids /= np.linalg.norm(centroids, axis=1, keepdims=True)
    nearest = (vectors @ centroids.T).max(axis=1)
    too_near = ~out & (nearest > SAME_PERSON_COSINE)
    print(f"{out.sum()} faces of {len(centroids)} held-out people, {too_near.sum()} like them: left out")
    return np.flatnonzero(~out & ~too_near)


def main() -> None:
    """Read the command line."""
    shape = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=shape)
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--archive", type=Path)
    parser.add_argument("--models", type=Path, required=True, help="installed packs yunet and arcface-y1")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    build(arguments.photos, arguments.archive, arguments.models, arguments.out)


if __name__ == "__main__":
    main()
