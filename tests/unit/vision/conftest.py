"""Fakes and descriptors for the vision tests."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest

from edged.domain.types import FloatArray
from edged.vision.packs import ModelFile, ModelSpec
from edged.vision.session import Shape

ARCFACE = (
    (38.2946, 51.6963), (73.5318, 51.5014), (56.0252, 71.7366), (41.5493, 92.3655), (70.7299, 92.2041),
)  # fmt: skip


@dataclass
class FakeSession:
    """A network that computes ``answer(tensor)``, refuses what its shape does not allow, keeps its inputs."""

    input_shape: Shape
    answer: Callable[[FloatArray], Sequence[FloatArray]]
    seen: list[FloatArray] = field(default_factory=list)

    def run(self, tensor: FloatArray) -> list[FloatArray]:
        assert tensor.dtype == np.float32
        for have, want in zip(tensor.shape, self.input_shape, strict=True):
            assert isinstance(want, str) or have == want
        self.seen.append(tensor)
        return list(self.answer(tensor))


def detector_spec(decoder: str = "yunet", size: tuple[int, int] = (64, 64)) -> ModelSpec:
    scrfd = decoder == "scrfd"
    return ModelSpec(
        task="detector",
        decoder="scrfd" if scrfd else "yunet",
        files={"float32": ModelFile(name="d.onnx", sha256="0" * 64, size=1)},
        input=size,
        channels="rgb" if scrfd else "bgr",
        mean=127.5 if scrfd else 0.0,
        scale=1 / 128 if scrfd else 1.0,
        landmarks=decoder,
    )


def embedder_spec(dimension: int = 16) -> ModelSpec:
    return ModelSpec(
        task="embedder",
        decoder="arcface",
        files={"float32": ModelFile(name="e.onnx", sha256="0" * 64, size=1)},
        input=(112, 112),
        channels="rgb",
        space="toy/1",
        dimension=dimension,
        templates={"arcface": ARCFACE},
    )


def silent_outputs(decoder: str, size: tuple[int, int]) -> list[FloatArray]:
    """Outputs of a detector that sees nothing, in its file's order and shapes."""
    anchors, singles = (2, 1) if decoder == "scrfd" else (1, 2)
    rows = [(size[0] // stride) * (size[1] // stride) * anchors for stride in (8, 16, 32)]
    lead = () if decoder == "scrfd" else (1,)
    widths = [1] * singles + [4, 10]
    return [np.zeros((*lead, count, width), np.float32) for width in widths for count in rows]


@pytest.fixture
def template() -> FloatArray:
    return np.array(ARCFACE, np.float32)
