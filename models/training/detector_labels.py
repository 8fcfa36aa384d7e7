"""Where the faces are in the photographs that the starter detector learns from, found by two teachers.

    python models/training/detector_labels.py --photos DIR [--archive TAR] --models PACKS --out CACHE

A face that YuNet and SCRFD both see is sure: its box and points are the mean of YuNet's on the photograph
and on its mirror image. What only one of them sees is a region that training passes over. People listed in
``heldout.txt`` are left out.
"""

import argparse
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import msgspec
import numpy as np
import numpy.typing as npt
from corpus import held_out
from rich.progress import track

from edged.config.sections import ModelsConfig
from edged.domain.types import Box, Face, Image
from edged.evaluation.comparison import name_hash
from edged.evaluation.consensus import Detect
from edged.vision.opening import open_detector

# Faces nobody is sure of matter as well: they must not be taught as background.
FAINT_SCORE = 0.25
# YuNet's and SCRFD's own working points are 0.6 and 0.5; below them a second opinion does not settle it.
SURE_SCORE = 0.6
SECOND_SCORE = 0.4
SAME_FACE_IOU = 0.5
MIRRORED = (1, 0, 2, 4, 3)

FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Labels:
    """Photographs as JPEG bytes in one array, and their faces in rows ordered by photograph.

    Photograph i is ``data[offsets[i]:offsets[i + 1]]`` and owns the face rows ``rows[i]:rows[i + 1]`` of
    ``boxes`` (F, 4) x, y, width, height, ``landmarks`` (F, 5, 2) and ``sure`` (F,); pixels of the
    photograph.
    """

    data: npt.NDArray[np.uint8]
    offsets: npt.NDArray[np.int64]
    rows: npt.NDArray[np.int64]
    boxes: FloatArray
    landmarks: FloatArray
    sure: npt.NDArray[np.bool_]

    def __len__(self) -> int:
        """Return the number of photographs."""
        return len(self.offsets) - 1

    def image(self, index: int) -> Image:
        """Decode one photograph."""
        data = np.asarray(self.data[self.offsets[index] : self.offsets[index + 1]])
        return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)

    def faces(self, index: int) -> slice:
        """Return the face rows of one photograph."""
        return slice(int(self.rows[index]), int(self.rows[index + 1]))


def load_labels(cache: Path) -> Labels:
    """Read what ``build`` wrote; the photographs stay on disk."""
    with np.load(cache / "labels.npz") as kept:
        return Labels(
            np.load(cache / "photos.npy", mmap_mode="r"), **{name: kept[name] for name in kept.files}
        )


def label(image: Image, first: Detect, second: Detect) -> list[tuple[FloatArray, FloatArray, bool]]:
    """Return box (4,), landmarks (5, 2) and whether it is sure, for all that either teacher sees."""
    # A face that fills its picture is larger than what the teachers know best.
    side = max(image.shape[:2])
    border = (side // 4,) * 4
    padded = np.asarray(cv2.copyMakeBorder(image, *border, cv2.BORDER_CONSTANT), np.uint8)
    seen = first(padded)
    mirrored = [_mirror(face, padded.shape[1]) for face in first(padded[:, ::-1].copy())]
    others = second(padded)
    found = [_joined(face, mirrored, others) for face in seen]
    found += [
        (*_arrays(face), False)
        for face in (*mirrored, *others)
        if all(face.box.iou(known.box) < SAME_FACE_IOU for known in seen)
    ]
    return [(box - (*border[:2], 0, 0), points - border[0], sure) for box, points, sure in found]


def _joined(
    face: Face, mirrored: Sequence[Face], others: Sequence[Face]
) -> tuple[FloatArray, FloatArray, bool]:
    twins = [face, *(one for one in mirrored if one.box.iou(face.box) >= SAME_FACE_IOU)][:2]
    agreed = any(one.score >= SECOND_SCORE and one.box.iou(face.box) >= SAME_FACE_IOU for one in others)
    boxes, points = zip(*(_arrays(twin) for twin in twins), strict=True)
    sure = agreed and max(twin.score for twin in twins) >= SURE_SCORE
    return np.mean(boxes, axis=0), np.mean(points, axis=0), sure


def _mirror(face: Face, width: int) -> Face:
    points = face.landmarks[list(MIRRORED)].copy()
    points[:, 0] = width - 1 - points[:, 0]
    box = face.box
    return Face(Box(width - 1 - box.x - box.width, box.y, box.width, box.height), points, face.score)


def _arrays(face: Face) -> tuple[FloatArray, FloatArray]:
    box = face.box
    return np.array([box.x, box.y, box.width, box.height], np.float32), face.landmarks


def files(photos: Path, archive: Path | None) -> Iterator[bytes]:
    """Yield the photographs of those who are trained on: folders by name, then the archive."""
    measured = held_out()
    for path in sorted(photos.glob("*/*.jpg")):
        if name_hash(path.parent.name) not in measured:
            yield path.read_bytes()
    if archive is not None:
        with tarfile.open(archive) as tar:
            for member in sorted((one for one in tar if one.isfile()), key=lambda one: one.name):
                content = tar.extractfile(member)
                assert content is not None, f"expected {member.name} to be a plain file"
                yield content.read()


def build(photos: Path, archive: Path | None, models: Path, out: Path) -> None:
    """Write ``photos.npy`` and ``labels.npz`` below ``out``."""
    config = ModelsConfig(directory=models, detection_threshold=FAINT_SCORE)
    first, second = (
        open_detector(msgspec.structs.replace(config, detector=name))[1].detect
        for name in ("yunet", "scrfd-500m")
    )
    every = list(files(photos, archive))
    rows: list[tuple[FloatArray, FloatArray, bool]] = []
    ends = [0]
    for data in track(every, description="photographs"):
        image = np.asarray(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR), np.uint8)
        rows += label(image, first, second)
        ends.append(len(rows))
    boxes, points, sure = zip(*rows, strict=True)
    out.mkdir(parents=True, exist_ok=True)
    np.save(out / "photos.npy", np.frombuffer(b"".join(every), np.uint8))
    np.savez(
        out / "labels.npz",
        offsets=np.cumsum([0, *map(len, every)], dtype=np.int64),
        rows=np.array(ends, np.int64),
        boxes=np.array(boxes, np.float32),
        landmarks=np.array(points, np.float32),
        sure=np.array(sure, np.bool_),
    )
    print(f"{len(every)} photographs, {sum(sure)} sure faces, {len(sure) - sum(sure)} doubtful")


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--photos", type=Path, required=True, help="one folder a person")
    parser.add_argument("--archive", type=Path, help="a tar of photographs")
    parser.add_argument("--models", type=Path, required=True, help="installed packs yunet and scrfd-500m")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    build(arguments.photos, arguments.archive, arguments.models, arguments.out)


if __name__ == "__main__":
    main()
