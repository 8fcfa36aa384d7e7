"""Write the trained detector as ONNX: float32 with the outputs of YuNet, and int8 for the pack.

    python models/training/export_detector.py --weights RUN/final.pt --shards SHARDS --out FOLDER

Batch normalisation is folded into the convolutions. The graph is checked against the net it came from.
Activations become uint8 and weights int8 a channel, calibrated on training pictures; the heads stay
float32, because a landmark is a small difference of large numbers.
"""

import argparse
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
import torch
from detector_net import CHANNELS, PARTS, STRIDES, Conv, Detector, Unit
from detector_scenes import SIDE
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_static,
)
from torch import nn

from edged.vision.compilation.sizes import any_size_model, free_size
from edged.vision.quantization.network import Network

FloatArray = npt.NDArray[np.float32]
# 17 is what a Jetson's onnxruntime of three years ago reads; per-channel QDQ needs 13.
OPSET, IR_VERSION = 17, 8
# float32 sums in another order.
TOLERANCE = 2e-3


@dataclass(slots=True)
class Graph:
    """Nodes and weights as they are added."""

    nodes: list[Any] = field(default_factory=list)
    weights: list[Any] = field(default_factory=list)

    def add(self, kind: str, inputs: Sequence[str], name: str, **attributes: Any) -> str:
        """Add a node whose one output is ``name``."""
        self.nodes.append(helper.make_node(kind, list(inputs), [name], name=name, **attributes))
        return name

    def weight(self, name: str, values: npt.NDArray[Any]) -> str:
        """Add a constant."""
        self.weights.append(numpy_helper.from_array(values, name))
        return name

    def conv(self, source: str, name: str, kernel: FloatArray, bias: FloatArray, stride: int = 1) -> str:
        """Add a convolution that keeps the size, but for its stride."""
        inputs = [source, self.weight(f"{name}.weight", kernel), self.weight(f"{name}.bias", bias)]
        size = kernel.shape[-1]
        shape = {"kernel_shape": [size] * 2, "pads": [size // 2] * 4, "strides": [stride] * 2}
        return self.add("Conv", inputs, name, **shape)

    def unit(self, source: str, unit: Unit, name: str, scale: float = 1.0) -> str:
        """Add a convolution with its normalisation folded in, and a ReLU."""
        kernel, bias = folded(unit)
        conv = unit[0]
        assert isinstance(conv, Conv)
        convolved = self.conv(source, f"{name}.conv", kernel * np.float32(scale), bias, conv.stride)
        return self.add("Relu", [convolved], name)

    def enlarged(self, source: str, name: str) -> str:
        """Repeat every pixel twice both ways."""
        scales = self.weight(f"{name}.scales", np.array([1, 1, 2, 2], np.float32))
        how = {"mode": "nearest", "nearest_mode": "floor", "coordinate_transformation_mode": "asymmetric"}
        return self.add("Resize", [source, "", scales], name, **how)

    def units(self, source: str, stage: nn.Module, name: str) -> str:
        """Add the units of a stage one after the other."""
        for index, unit in enumerate(stage.children()):
            assert isinstance(unit, Unit)
            source = self.unit(source, unit, f"{name}.{index}")
        return source


def folded(unit: Unit) -> tuple[FloatArray, FloatArray]:
    """Return kernel and bias of one convolution that does what ``unit`` does before its ReLU."""
    conv, norm = unit[0], unit[1]
    assert isinstance(conv, Conv)
    assert isinstance(norm, nn.BatchNorm2d)
    assert norm.running_mean is not None
    assert norm.running_var is not None
    share = norm.weight / torch.sqrt(norm.running_var + norm.eps)
    kernel = (conv.kernel() * share[:, None, None, None]).detach().cpu().numpy()
    bias = (norm.bias - norm.running_mean * share).detach().cpu().numpy()
    return kernel.astype(np.float32), bias.astype(np.float32)


def build(net: Detector, side: int, shift: float = 0.0) -> onnx.ModelProto:
    """Return the graph (1, 3, side, side) to the twelve outputs; ``shift`` is added to both logits."""
    graph = Graph()
    first, *others = net.to8.children()
    assert isinstance(first, Unit)
    eight = graph.unit("input", first, "to8.0", scale=1 / 128)
    for index, unit in enumerate(others, start=1):
        assert isinstance(unit, Unit)
        eight = graph.unit(eight, unit, f"to8.{index}")
    sixteen = graph.units(eight, net.to16, "to16")
    last = graph.units(sixteen, net.to32, "to32")
    down = graph.enlarged(graph.unit(last, net.down16, "down16"), "down16.enlarged")
    sixteen = graph.add("Add", [sixteen, down], "merged16")
    down = graph.enlarged(graph.unit(sixteen, net.down8, "down8"), "down8.enlarged")
    eight = graph.add("Add", [eight, down], "merged8")
    wide = [
        graph.unit(source, unit, f"out{stride}")
        for source, unit, stride in zip(
            (eight, sixteen, last), (net.out8, net.out16, net.out32), STRIDES, strict=True
        )
    ]
    outputs = [
        _head(graph, source, head, stride=stride, side=side, shift=shift)
        for source, head, stride in zip(wide, net.heads, STRIDES, strict=True)
    ]
    by_part = [output for part in zip(*outputs, strict=True) for output in part]
    image = helper.make_tensor_value_info("input", TensorProto.FLOAT, (1, 3, side, side))
    described = helper.make_graph(graph.nodes, "edged-starter-detector", [image], by_part, graph.weights)
    model = helper.make_model(
        described,
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="edged",
    )
    onnx.checker.check_model(model, full_check=True)
    return model


def _head(
    graph: Graph, source: str, head: nn.Module, *, stride: int, side: int, shift: float
) -> list[onnx.ValueInfoProto]:
    assert isinstance(head, nn.Conv2d)
    assert head.bias is not None
    bias = head.bias.detach().cpu().numpy().astype(np.float32)
    bias[:2] += shift
    kernel = head.weight.detach().cpu().numpy().astype(np.float32)
    flat = graph.conv(source, f"head{stride}", kernel, bias)
    flat = graph.add("Transpose", [flat], f"head{stride}.last", perm=[0, 2, 3, 1])
    cells = (side // stride) ** 2
    shape = graph.weight(f"head{stride}.shape", np.array([1, cells, CHANNELS], np.int64))
    flat = graph.add("Reshape", [flat, shape], f"head{stride}.flat")
    sizes = graph.weight(f"head{stride}.sizes", np.array(list(PARTS.values()), np.int64))
    raw = {part: f"{part}_{stride}" + (".logit" if part in {"cls", "obj"} else "") for part in PARTS}
    graph.nodes.append(
        helper.make_node("Split", [flat, sizes], list(raw.values()), name=f"head{stride}.parts", axis=2)
    )
    for part in ("cls", "obj"):
        graph.add("Sigmoid", [raw[part]], f"{part}_{stride}")
    return [
        helper.make_tensor_value_info(f"{part}_{stride}", TensorProto.FLOAT, (1, cells, width))
        for part, width in PARTS.items()
    ]


def load_net(path: Path, *, averaged: bool = True) -> Detector:
    """Return the net of final weights or, of a state, the averaged ones."""
    kept = torch.load(path, map_location="cpu", weights_only=True)
    net = Detector()
    net.load_state_dict(kept["average" if averaged else "net"] if "average" in kept else kept)
    return net.eval()


def verify(net: Detector, path: Path, pictures: FloatArray, shift: float = 0.0) -> float:
    """Return the largest difference of any output between net and file. Raises ``ValueError``."""
    session = onnxruntime.InferenceSession(path)
    worst = 0.0
    for picture in pictures:
        got = dict(
            zip(
                (one.name for one in session.get_outputs()),
                session.run(None, {"input": picture[None]}),
                strict=True,
            )
        )
        with torch.no_grad():
            maps = net(torch.from_numpy(picture[None]))
        for stride, cells in zip(STRIDES, maps, strict=True):
            parts = cells.flatten(2).transpose(1, 2).split(list(PARTS.values()), dim=2)
            for part, values in zip(PARTS, parts, strict=True):
                wanted = (values + shift).sigmoid() if part in {"cls", "obj"} else values
                worst = max(worst, float(np.abs(wanted.numpy() - got[f"{part}_{stride}"]).max()))
    if not worst <= TOLERANCE:
        raise ValueError(f"the graph differs from the net by {worst:.2g}, expected at most {TOLERANCE}")
    return worst


class Pictures(CalibrationDataReader):  # type: ignore[misc]
    """Training pictures for calibration, one at a time."""

    def __init__(self, pictures: FloatArray) -> None:
        self._left: Iterator[FloatArray] = iter(pictures)

    def get_next(self) -> dict[str, FloatArray] | None:
        """Return the next input, or None at the end."""
        picture = next(self._left, None)
        return None if picture is None else {"input": picture[None]}


def training_pictures(shards: Path, number: int, seed: int = 1) -> FloatArray:
    """Return (number, 3, SIDE, SIDE) float32 pictures 0..255 from shards."""
    rng = np.random.default_rng(seed)
    paths = sorted(shards.glob("[0-9]*[0-9].npy"))
    picked = [np.load(paths[rng.integers(len(paths))], mmap_mode="r") for _ in range(number)]
    stacked = np.stack([shard[rng.integers(len(shard))] for shard in picked])
    return np.ascontiguousarray(stacked.transpose(0, 3, 1, 2), np.float32)


def quantize(source: Path, target: Path, pictures: FloatArray) -> None:
    """Write the int8 file; the heads' convolutions stay float32."""
    quantize_static(
        source,
        target,
        Pictures(pictures),
        quant_format=QuantFormat.QDQ,
        per_channel=True,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        op_types_to_quantize=["Conv", "Relu", "Add", "Resize"],
        nodes_to_exclude=[f"head{stride}" for stride in STRIDES],
        calibrate_method=CalibrationMethod.MinMax,
    )
    model = onnx.load(target)
    onnx.checker.check_model(model, full_check=True)


def free(path: Path) -> None:
    """Let the file take pictures of any size: a door looks at half of one between two whole ones.

    The last step, since calibration and OpenCV, which the tests compare with, want a stated size.
    """
    network = Network(onnx.load(path))
    if not free_size(network):
        raise ValueError(f"{path}: tied to one size of picture")
    model = any_size_model(network)
    onnx.checker.check_model(model)
    onnx.save(model, path)


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--shards", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--pictures", type=int, default=300, help="for calibration")
    parser.add_argument("--shift", type=float, default=0.0, help="added to the logits of the score")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    net = load_net(arguments.weights)
    pictures = training_pictures(arguments.shards, arguments.pictures)
    full, small = arguments.out / "detector.onnx", arguments.out / "detector-int8.onnx"
    onnx.save(build(net, SIDE, arguments.shift), full)
    print(f"largest difference to the net: {verify(net, full, pictures[:8], arguments.shift):.2g}")
    quantize(full, small, pictures)
    free(small)
    for path in (full, small):
        content = path.read_bytes()
        print(path.name, len(content), hashlib.sha256(content).hexdigest())


if __name__ == "__main__":
    main()
