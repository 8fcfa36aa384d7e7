"""A detector that is shown no more than a frame of 4:3 fills finds what it finds in the whole square.

``HYPOTHESIS_PROFILE=thorough pytest --log-cli-level=INFO`` takes all photographs and prints the figures.
"""

import logging
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import pytest

from edged.config.sections import ModelsConfig
from edged.domain.types import Face, FloatArray, Image
from edged.evaluation.protocols import read_pairs
from edged.vision.alignment import align
from edged.vision.compilation.sizes import any_size_model, free_size
from edged.vision.detector import FaceDetector
from edged.vision.opening import open_embedder
from edged.vision.packs import Catalogue
from edged.vision.quantization.network import read_network
from edged.vision.session import OrtSession, Shape
from tests.integration.vision.conftest import read

logger = logging.getLogger(__name__)

EVERY = 1 if os.environ.get("HYPOTHESIS_PROFILE") == "thorough" else 12
THRESHOLD = 0.6
# From where on a face is not at the threshold itself: as many come as go there, whatever moves.
CLEAR = 0.7
WIDTH, HEIGHT = 640, 480
# Where the photograph's upper edge lies: in the middle; the chin above the frame's edge, and cut off by it.
PLACES = {"middle": 115, "low": 255, "cut": 300}


class OneSize:
    """The same network, which says that it takes the descriptor's size alone."""

    def __init__(self, session: OrtSession, size: tuple[int, int]) -> None:
        self._session = session
        self._size = size

    @property
    def input_shape(self) -> Shape:
        return 1, 3, self._size[1], self._size[0]

    def run(self, tensor: FloatArray) -> list[FloatArray]:
        return self._session.run(tensor)


def both(directory: Path, name: str, folder: Path) -> tuple[FaceDetector, FaceDetector]:
    """The detector shown the whole square, and shown what is filled."""
    pack = Catalogue(directory).in_force(name)
    spec = pack.model("detector")
    network = read_network(pack.file_path(spec, next(iter(spec.files))), quantized=True)
    assert free_size(network)
    path = folder / "any-size.onnx"
    onnx.save_model(any_size_model(network), path)
    session = OrtSession(
        path, sha256=None, threads=1, providers=("CPUExecutionProvider",), input_size=spec.input
    )
    square = FaceDetector(OneSize(session, spec.input), spec, threshold=THRESHOLD)
    fitted = FaceDetector(session, spec, threshold=THRESHOLD)
    assert square.shown_of((WIDTH, HEIGHT)) == spec.input
    assert fitted.shown_of((WIDTH, HEIGHT))[1] < spec.input[1]
    return square, fitted


def frames(photographs: list[Image], top: int) -> Iterator[Image]:
    for photograph in photographs:
        frame = np.full((HEIGHT, WIDTH, 3), 60, np.uint8)
        seen = photograph[: HEIGHT - top]
        left = (WIDTH - seen.shape[1]) // 2
        frame[top : top + seen.shape[0], left : left + seen.shape[1]] = seen
        yield frame


def nearest(face: Face, others: list[Face]) -> Face | None:
    found = max(others, key=lambda other: face.box.iou(other.box), default=None)
    return found if found is not None and face.box.iou(found.box) > 0.5 else None


def moved(one: Face, other: Face) -> float:
    """How far points and corners lie apart, as a share of the face's longer side."""
    corners = np.subtract(*([box.x, box.y, box.width, box.height] for box in (one.box, other.box)))
    farthest = max(np.abs(corners).max(), np.abs(one.landmarks - other.landmarks).max())
    return float(farthest) / max(one.box.width, one.box.height)


@pytest.mark.weights
@pytest.mark.parametrize("name", ["yunet", "scrfd-500m", "starter"])
def test_the_same_faces_are_found(
    packs_dir: Path, photographs: list[Image], name: str, tmp_path: Path
) -> None:
    square, fitted = both(packs_dir, name, tmp_path)
    shown = photographs[::EVERY]
    for place, top in PLACES.items():
        faces, lost, gained, apart = 0, 0, 0, []
        for frame in frames(shown, top):
            here, there = square.detect(frame), fitted.detect(frame)
            pairs = [(face, nearest(face, there)) for face in here]
            faces += len(pairs)
            apart += [moved(face, other) for face, other in pairs if other]
            lost += sum(other is None and face.score >= CLEAR for face, other in pairs)
            gained += sum(face.score >= CLEAR and nearest(face, here) is None for face in there)
        middle, most = np.percentile(apart, [50, 90])
        told = f"{faces} faces, lost {lost}, gained {gained}, {middle:.4f} / {most:.4f} apart"
        logger.info("%s, %s: %s", name, place, told)
        assert faces >= 0.9 * len(shown)
        assert (lost, gained) == (0, 0)
        # A picture that moves by one pixel moves them by 0.009 and 0.03.
        assert middle < 0.01
        assert most < 0.05


@pytest.mark.weights
@pytest.mark.parametrize("name", ["yunet", "scrfd-500m"])
def test_faces_at_the_lower_edge_score_as_before(
    packs_dir: Path, photos_dir: Path, models: ModelsConfig, name: str, tmp_path: Path
) -> None:
    """The same people, in a photograph as it is and in a frame whose edge cuts their chin off."""
    square, fitted = both(packs_dir, name, tmp_path)
    pack, embedder, _ = open_embedder(models)
    template = pack.model("embedder").template_for(square.landmarks)

    def vector(detector: FaceDetector, image: Image, middle: tuple[float, float]) -> FloatArray | None:
        faces = detector.detect(image)
        face = min(faces, key=lambda one: away(one, middle), default=None)
        return None if face is None else embedder.embed([align(image, face.landmarks, template)])[0]

    differences, step = [], 1 if EVERY == 1 else 200
    same = [pair for pair in read_pairs(photos_dir / "pairs.csv") if pair.same]
    for pair in same[::step]:
        enrolled = vector(square, read(photos_dir / "images" / pair.first), (125, 125))
        photograph = read(photos_dir / "images" / pair.second)
        (frame,) = frames([photograph], PLACES["cut"])
        seen = [vector(one, frame, (WIDTH / 2, PLACES["cut"] + 125)) for one in (square, fitted)]
        if enrolled is not None and seen[0] is not None and seen[1] is not None:
            differences.append(float(enrolled @ seen[1]) - float(enrolled @ seen[0]))
    change, error = np.mean(differences), np.std(differences) / len(differences) ** 0.5
    logger.info("%s: %d pairs, scores change by %.4f +- %.4f", name, len(differences), change, error)
    assert len(differences) > 0.9 * len(same) / step
    assert change > -0.001 - 3 * error


def away(face: Face, middle: tuple[float, float]) -> float:
    box = face.box
    return (box.x + box.width / 2 - middle[0]) ** 2 + (box.y + box.height / 2 - middle[1]) ** 2
