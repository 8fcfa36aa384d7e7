"""A detector's network that was exported for one size of picture takes others, and says the same."""

from pathlib import Path

import numpy as np
import onnx
import pytest

from edged.vision.compilation.sizes import any_size_model, free_size
from edged.vision.quantization.network import Network
from edged.vision.session import OrtSession
from tests.unit.vision.quantization.graphs import Builder

SIDE = 64


def fixed(target: list[int]) -> onnx.ModelProto:
    build = Builder((1, 3, SIDE, SIDE))
    cells = build.node("Transpose", build.conv("x", 3, 4), perm=[0, 2, 3, 1])
    build.constants["target"] = np.array(target, np.int64)  # type: ignore[assignment]
    return build.model(build.node("Reshape", cells, "target"))


def session(model: onnx.ModelProto, path: Path) -> OrtSession:
    onnx.save_model(model, path)
    return OrtSession(
        path, sha256=None, threads=1, providers=("CPUExecutionProvider",), input_size=(SIDE, SIDE)
    )


@pytest.mark.parametrize("target", [[1, SIDE * SIDE, 4], [1, -1, 4], [SIDE * SIDE, 4]])
def test_it_says_the_same_of_its_own_size_and_takes_others(target: list[int], tmp_path: Path) -> None:
    network = Network(fixed(target)).copy()
    assert free_size(network)
    one, other = session(fixed(target), tmp_path / "a"), session(any_size_model(network), tmp_path / "b")
    picture = np.random.default_rng(1).random((1, 3, SIDE, SIDE), np.float32)
    np.testing.assert_array_equal(other.run(picture)[0], one.run(picture)[0])
    half = picture[..., : SIDE // 2, : SIDE // 2]
    (said,) = other.run(np.ascontiguousarray(half))
    assert said.shape[-2:] == (SIDE * SIDE // 4, 4)
    # What lies a pixel off the new edge has the surroundings that it had.
    whole = one.run(picture)[0].reshape(SIDE, SIDE, 4)[: SIDE // 2 - 1, : SIDE // 2 - 1]
    part = said.reshape(SIDE // 2, SIDE // 2, 4)[:-1, :-1]
    np.testing.assert_allclose(part, whole, atol=1e-5)


@pytest.mark.parametrize("target", [[1, 4, SIDE, SIDE], [SIDE * SIDE * 4], [2, SIDE * SIDE // 2, 4]])
def test_what_is_no_list_of_cells_stays(target: list[int]) -> None:
    network = Network(fixed(target)).copy()
    assert not free_size(network)
    assert network.model() == Network(fixed(target)).copy().model()


def test_a_product_with_the_whole_picture_stays() -> None:
    build = Builder((1, 3, SIDE, SIDE))
    model = build.model(build.node("Flatten", build.conv("x", 3, 4)))
    assert not free_size(Network(model).copy())
