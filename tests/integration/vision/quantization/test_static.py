"""float32 files to int8 files."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest

from edged.errors import ModelError
from edged.vision.quantization import quantize
from edged.vision.quantization.network import Network, read_network
from edged.vision.quantization.ranges import Probe
from tests.unit.vision.quantization.graphs import Builder


def small(build: Builder) -> str:
    """A residual net of one block with a vector at the end."""
    first = build.node("Relu", build.norm(build.conv("x", 3, 16), 16))
    inner = build.prelu(build.conv(first, 16, 16, group=16), np.linspace(-1, 2, 16).tolist())
    total = build.node("Add", build.conv(inner, 16, 16, size=1), first)
    return build.gemm(build.node("Flatten", build.node("GlobalAveragePool", total)), 16, 8)


def test_a_small_network_survives_int8(tmp_path: Path) -> None:
    build = Builder((1, 3, 16, 16))
    source = build.save(tmp_path / "float32.onnx", small(build))
    target = tmp_path / "int8.onnx"
    steps: list[tuple[int, int]] = []
    samples = build.samples(16)
    report = quantize(source, target, iter(samples), progress=lambda done, total: steps.append((done, total)))
    assert (report.samples, report.prelus, report.layers, report.quantized_layers) == (16, 1, 5, 5)
    assert report.deviation < 1e-5
    assert report.correlation > 0.99
    assert report.int8_size == target.stat().st_size
    assert steps == [(1, 4), (2, 4), (3, 4), (4, 4)]
    one, other = Probe(read_network(source)), Probe(Network(onnx.load_model(target)))
    name = one.names[0]
    outputs = [(one.run(sample)[name], other.run(sample)[name]) for sample in build.samples(16)]
    expected, got = (np.concatenate(side).ravel() for side in zip(*outputs, strict=True))
    assert np.corrcoef(expected, got)[0, 1] > 0.99


def test_weights_become_eight_bits_a_scale_per_channel(tmp_path: Path) -> None:
    build = Builder((1, 3, 16, 16))
    quantize(build.save(tmp_path / "a.onnx", small(build)), tmp_path / "b.onnx", build.samples(4))
    model = onnx.load_model(tmp_path / "b.onnx")
    arrays = {one.name: onnx.numpy_helper.to_array(one) for one in model.graph.initializer}
    weights = [one for one in arrays.values() if one.dtype == np.int8 and one.ndim == 4]
    scales = [one for name, one in arrays.items() if name.endswith("_scale") and one.shape == (16,)]
    assert len(weights) == 4
    assert len(scales) >= 4
    assert not [one for one in arrays.values() if one.dtype == np.float32 and one.ndim == 4]
    assert {one.domain for one in model.opset_import} == {""}


def test_outputs_are_not_rounded_to_eight_bits(tmp_path: Path) -> None:
    build = Builder((1, 3, 16, 16))
    quantize(build.save(tmp_path / "a.onnx", small(build)), tmp_path / "b.onnx", build.samples(4))
    model = onnx.load_model(tmp_path / "b.onnx")
    last = next(node for node in model.graph.node if node.output[0] == model.graph.output[0].name)
    assert last.op_type == "Gemm"


def test_float_heads_keep_the_last_layers_as_they_are(tmp_path: Path) -> None:
    build = Builder((1, 3, 16, 16))
    trunk = build.node("Relu", build.conv("x", 3, 8))
    heads = [build.node("Sigmoid", build.conv(trunk, 8, 2, size=1)), build.conv(trunk, 8, 4, size=1)]
    source = build.save(tmp_path / "a.onnx", *heads)
    report = quantize(source, tmp_path / "b.onnx", build.samples(8), float_heads=True)
    assert (report.layers, report.quantized_layers) == (3, 1)
    arrays = onnx.load_model(tmp_path / "b.onnx").graph.initializer
    shapes = {tuple(one.dims) for one in arrays if one.data_type == onnx.TensorProto.FLOAT}
    assert {(2, 8, 1, 1), (4, 8, 1, 1)} <= shapes


def test_an_older_operator_set_is_converted(tmp_path: Path) -> None:
    build = Builder((1, 3, 16, 16))
    source = build.save(tmp_path / "a.onnx", small(build), opset=11)
    report = quantize(source, tmp_path / "b.onnx", build.samples(8))
    assert report.correlation > 0.99


def test_what_is_quantized_already_is_refused(tmp_path: Path) -> None:
    build = Builder((1, 3, 16, 16))
    quantize(build.save(tmp_path / "a.onnx", small(build)), tmp_path / "b.onnx", build.samples(2))
    with pytest.raises(ModelError, match="quantized already: it has DequantizeLinear, QuantizeLinear"):
        quantize(tmp_path / "b.onnx", tmp_path / "c.onnx", build.samples(2))
    assert not (tmp_path / "c.onnx").exists()


def test_a_network_without_weights_is_refused(tmp_path: Path) -> None:
    build = Builder()
    source = build.save(tmp_path / "a.onnx", build.node("Flatten", "x"))
    with pytest.raises(ModelError, match="no layer with weights"):
        quantize(source, tmp_path / "b.onnx", build.samples(1))


def test_an_operator_of_another_domain_is_refused(tmp_path: Path) -> None:
    build = Builder()
    model = build.model(build.conv("x", 3, 3))
    model.graph.node[-1].output[0] = "inner"
    gelu = onnx.helper.make_node("Gelu", ["inner"], [model.graph.output[0].name], domain="com.microsoft")
    model.graph.node.append(gelu)
    model.opset_import.append(onnx.helper.make_opsetid("com.microsoft", 1))
    onnx.save_model(model, tmp_path / "a.onnx")
    with pytest.raises(ModelError, match=r"Gelu of 'com\.microsoft'"):
        quantize(tmp_path / "a.onnx", tmp_path / "b.onnx", build.samples(1))


@pytest.mark.parametrize("content", [b"", b"no model", bytes(1000)])
def test_what_is_no_model_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.onnx").write_bytes(content)
    with pytest.raises(ModelError, match=r"a\.onnx: no ONNX model"):
        quantize(tmp_path / "a.onnx", tmp_path / "b.onnx", Builder().samples(1))


def test_nothing_to_calibrate_with_is_refused(tmp_path: Path) -> None:
    build = Builder()
    with pytest.raises(ModelError, match="pictures to calibrate with"):
        quantize(build.save(tmp_path / "a.onnx", build.conv("x", 3, 3)), tmp_path / "b.onnx", [])


def test_without_onnx_the_extra_is_named() -> None:
    script = (
        "import importlib.util as u\n"
        "find = u.find_spec\n"
        "u.find_spec = lambda name, package=None: None if name == 'onnx' else find(name, package)\n"
        "import edged.vision.quantization\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "ModelError" in done.stderr
    assert "pip install 'edged[quantize]'" in done.stderr
