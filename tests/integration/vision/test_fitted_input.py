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

from edged.domain.types import Face, FloatArray, Image
from edged.vision.compilation.sizes import any_size_model, free_size
from edged.vision.detector import FaceDetector
from edged.vision.packs import Catalogue
from edged.vision.quantization.network import read_network
from edged.vision.session import OrtSession, Shape

logger = logging.getLogger(__name__)

EVERY = 1 if os.environ.get("HYPOTHESIS_PROFILE") == "thorough" else 8
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
