"""The way from pixels to numbers inside the network gives what the way outside gave."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from edged.domain.types import Image
from edged.errors import ModelError
from edged.vision.compilation.pixels import take_pixels
from edged.vision.packs import ModelSpec
from edged.vision.quantization.network import Network
from edged.vision.session import OrtSession, PixelSession
from edged.vision.tensors import feed
from tests.unit.vision.conftest import detector_spec, embedder_spec
from tests.unit.vision.quantization.graphs import Builder

SIDE = 64
CPU = ("CPUExecutionProvider",)


def spec(**changes: Any) -> ModelSpec:
    import msgspec

    return msgspec.structs.replace(detector_spec(size=(SIDE, SIDE)), **changes)


def pictures(count: int = 3) -> list[Image]:
    return list(np.random.default_rng(1).integers(0, 256, (count, SIDE, SIDE, 3), np.uint8))


def check_same(model: onnx.ModelProto, compiled: onnx.ModelProto, fed: ModelSpec, folder: Path) -> None:
    onnx.save_model(model, folder / "a.onnx")
    onnx.save_model(compiled, folder / "b.onnx")
    size = fed.input
    one = OrtSession(folder / "a.onnx", sha256=None, threads=1, providers=CPU, input_size=size)
    other = PixelSession(folder / "b.onnx", sha256=None, threads=1, providers=CPU, input_size=size)
    assert other.input_shape[1:] == (3, SIDE, SIDE)
    for picture in pictures():
        expected, got = feed(one, [picture], fed)[0], feed(other, [picture], fed)[0]
        np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-5 * np.abs(expected).max())


def operators(model: onnx.ModelProto) -> list[str]:
    return [node.op_type for node in model.graph.node]


@pytest.mark.parametrize("channels", ["bgr", "rgb"])
@pytest.mark.parametrize(("mean", "scale"), [(0.0, 1.0), (127.5, 1 / 128), (0.0, 1 / 255), (10.0, 1.0)])
@pytest.mark.parametrize("fold", [True, False])
def test_mean_scale_and_order_of_the_colours(
    tmp_path: Path, channels: str, mean: float, scale: float, fold: bool
) -> None:
    build = Builder((1, 3, SIDE, SIDE))
    model = build.model(build.conv("x", 3, 4))  # padded: where a mean folded into a bias would show
    fed = spec(channels=channels, mean=mean, scale=scale)
    compiled = take_pixels(Network(model).copy(), fed, fold=fold)
    check_same(model, compiled, fed, tmp_path)
    if fold:
        assert "Mul" not in operators(compiled)
        assert "Gather" not in operators(compiled)


def test_a_networks_own_normalisation_goes_into_the_convolution_too(tmp_path: Path) -> None:
    build = Builder((1, 3, SIDE, SIDE))
    centred = build.node("Sub", "x", build.constant([127.5]))
    scaled = build.node("Div", build.node("Mul", centred, build.constant(0.5)), build.constant([-64.0]))
    model = build.model(build.conv(build.node("Add", scaled, build.constant(0.25)), 3, 4))
    fed = spec(mean=3.0, scale=0.5, channels="rgb")
    compiled = take_pixels(Network(model).copy(), fed, fold=True)
    assert operators(compiled) == ["Transpose", "Cast", "Sub", "Conv"]
    check_same(model, compiled, fed, tmp_path)


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("size", [1, 3, 5])
@pytest.mark.parametrize("mean", [0.0, 127.5])
def test_pixels_are_read_as_they_lie(tmp_path: Path, size: int, stride: int, mean: float) -> None:
    build = Builder((1, 3, SIDE, SIDE))
    weight, pads = build.constant(build.weights(4, 3, size, size)), [0, size // 2, size // 2, 1]
    model = build.model(build.node("Conv", "x", weight, pads=pads, strides=[stride, stride]))
    fed = spec(mean=mean, scale=1 / 64, channels="rgb")
    compiled = take_pixels(Network(model).copy(), fed, fold=True, interleaved=True)
    assert "Transpose" not in operators(compiled)
    check_same(model, compiled, fed, tmp_path)


@pytest.mark.parametrize("given", [{"dilations": [1, 2]}, {"auto_pad": "SAME_UPPER"}], ids=str)
def test_a_convolution_that_skips_columns_gets_planes(tmp_path: Path, given: dict[str, Any]) -> None:
    build = Builder((1, 3, SIDE, SIDE))
    model = build.model(build.node("Conv", "x", build.constant(build.weights(4, 3, 3, 3)), **given))
    compiled = take_pixels(Network(model).copy(), spec(), fold=True, interleaved=True)
    assert "Transpose" in operators(compiled)
    check_same(model, compiled, spec(), tmp_path)


@pytest.mark.parametrize("kind", ["two readers", "no scalar", "turned", "no convolution", "groups"])
def test_what_cannot_be_folded_is_computed(tmp_path: Path, kind: str) -> None:
    build = Builder((1, 3, SIDE, SIDE))
    if kind == "two readers":
        last = build.node("Add", build.conv("x", 3, 4), build.conv("x", 3, 4))
    elif kind == "no scalar":
        last = build.conv(build.node("Sub", "x", build.constant([[[1.0]], [[2.0]], [[3.0]]])), 3, 4)
    elif kind == "turned":
        last = build.conv(build.node("Sub", build.constant([255.0]), "x"), 3, 4)
    elif kind == "groups":
        last = build.conv("x", 3, 3, group=3)
    else:
        last = build.node("Relu", "x")
    model = build.model(last)
    fed = spec(mean=1.0, scale=0.5, channels="rgb")
    compiled = take_pixels(Network(model).copy(), fed, fold=True, interleaved=True)
    check_same(model, compiled, fed, tmp_path)


def test_an_open_batch_stays_open_for_faces() -> None:
    build = Builder((1, 3, 112, 112))
    model = build.model(build.conv("x", 3, 2))
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_param = "N"
    compiled = take_pixels(Network(model).copy(), embedder_spec(), fold=True)
    assert compiled.graph.input[0].type.tensor_type.shape.dim[0].dim_param == "N"


def test_an_open_size_becomes_the_descriptors() -> None:
    build = Builder((1, 3, SIDE, SIDE))
    model = build.model(build.conv("x", 3, 2))
    for index in (2, 3):
        model.graph.input[0].type.tensor_type.shape.dim[index].dim_param = "?"
    shape = take_pixels(Network(model).copy(), spec(), fold=True).graph.input[0].type.tensor_type.shape
    assert [one.dim_value for one in shape.dim] == [1, SIDE, SIDE, 3]


def test_a_network_with_two_inputs_is_refused() -> None:
    build = Builder((1, 3, SIDE, SIDE))
    model = build.model(build.node("Add", "x", "y"))
    model.graph.input.append(onnx.helper.make_tensor_value_info("y", 1, (1, 3, SIDE, SIDE)))
    with pytest.raises(ModelError, match="one input, got 2"):
        take_pixels(Network(model).copy(), spec(), fold=True)


def test_a_compiled_file_takes_pixels_alone(tmp_path: Path) -> None:
    build = Builder((1, 3, SIDE, SIDE))
    model = take_pixels(Network(build.model(build.conv("x", 3, 2))), spec(), fold=True)
    onnx.save_model(model, tmp_path / "b.onnx")
    with pytest.raises(ModelError, match="expected one float32 input"):
        OrtSession(tmp_path / "b.onnx", sha256=None, threads=1, providers=CPU)
    session = PixelSession(tmp_path / "b.onnx", sha256=None, threads=1, providers=CPU)
    with pytest.raises(ModelError, match="expected uint8"):
        session.run_pixels(np.zeros((1, SIDE, SIDE, 3), np.float32))  # type: ignore[arg-type]
