"""Write the trained embedder as ONNX: float32, batch normalisation folded, checked against PyTorch.

    python models/training/export_embedder.py --run FOLDER --out embedder-float32.onnx

``edged models quantize`` makes the int8 file from it.
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
import torch
from embedder_net import Block, Embedder, Unit
from onnx import helper, numpy_helper
from torch import nn
from train_embedder import Student

OPSET = 17
TOLERANCE = 1e-4  # of a unit vector's parts; float32 rounding gives 1e-6
FloatArray = npt.NDArray[np.float32]


class Graph:
    """Collects nodes and weights; every method appends one layer and returns its output's name."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []

    def node(self, kind: str, *inputs: str, **attributes: Any) -> str:
        """Append a node."""
        output = f"{kind.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [output], name=output, **attributes))
        return output

    def weight(self, value: FloatArray) -> str:
        """Append a constant."""
        name = f"weight_{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(np.ascontiguousarray(value, np.float32), name))
        return name

    def unit(self, x: str, unit: Unit) -> str:
        """Append a convolution with its normalisation folded in."""
        kernel, bias = folded(unit.conv.kernel(), unit.norm)
        pads = [unit.conv.shape[2] // 2] * 4
        strides = [unit.conv.stride] * 2
        return self.node("Conv", x, self.weight(kernel), self.weight(bias), pads=pads, strides=strides)

    def block(self, x: str, block: Block) -> str:
        """Append a residual block."""
        inner = self.unit(self.node("Relu", self.unit(x, block.first)), block.second)
        shortcut = self.unit(x, block.shortcut) if isinstance(block.shortcut, Unit) else x
        return self.node("Relu", self.node("Add", inner, shortcut))


def folded(kernel: torch.Tensor, norm: nn.BatchNorm2d) -> tuple[FloatArray, FloatArray]:
    """Return weight and bias of the convolution that does what ``kernel`` and ``norm`` do."""
    assert norm.running_mean is not None, "expected a normalisation that keeps its mean"
    assert norm.running_var is not None, "expected a normalisation that keeps its variance"
    scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
    bias = norm.bias - norm.running_mean * scale
    return (kernel * scale[:, None, None, None]).detach().numpy(), bias.detach().numpy()


def graph_of(net: Embedder) -> onnx.ModelProto:
    """Return the network for ``face`` (1, 3, 112, 112), BGR in -1..1, giving ``embedding`` (1, 128)."""
    graph = Graph()
    x = graph.node("Relu", graph.unit("face", net.stem))
    for stage in net.stages:
        for block in stage:
            x = graph.block(x, block)
    x = graph.node("Relu", graph.unit(x, net.expand))
    kernel, bias = folded(net.pool.weight, net.pool_norm)
    x = graph.node("Conv", x, graph.weight(kernel), graph.weight(bias), group=len(kernel))
    weight, offset = (part.detach().numpy() for part in (net.project.weight, net.project.bias))
    x = graph.node("Flatten", x)
    x = graph.node("Gemm", x, graph.weight(weight), graph.weight(offset), transB=1)
    graph.nodes[-1].output[0] = "embedding"
    face = helper.make_tensor_value_info("face", onnx.TensorProto.FLOAT, [1, 3, 112, 112])
    embedding = helper.make_tensor_value_info("embedding", onnx.TensorProto.FLOAT, [1, len(weight)])
    made = helper.make_graph(graph.nodes, "embedder", [face], [embedding], graph.weights)
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    return model


def difference(model: onnx.ModelProto, net: Embedder) -> float:
    """Return the largest difference of the unit vectors' parts between ONNX and PyTorch, on 8 inputs."""
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    worst = 0.0
    for face in torch.rand(8, 1, 3, 112, 112, generator=torch.Generator().manual_seed(1)) * 2 - 1:
        with torch.inference_mode():
            expected = nn.functional.normalize(net(face)).numpy()
        got = session.run(None, {"face": face.numpy()})[0]
        worst = max(worst, float(np.abs(got / np.linalg.norm(got) - expected).max()))
    return worst


def main() -> None:
    """Read the command line."""
    shape = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=shape)
    parser.add_argument("--run", type=Path, required=True, help="the folder of train_embedder.py")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    state = torch.load(arguments.run / "checkpoint.pt", weights_only=True, map_location="cpu")
    student = Student()
    student.load_state_dict(state["average"])
    net = student.embedder.eval().float()
    model = graph_of(net)
    worst = difference(model, net)
    if worst > TOLERANCE:
        raise SystemExit(f"the ONNX file differs from PyTorch by {worst:.2g}, expected at most {TOLERANCE:g}")
    onnx.save(model, str(arguments.out))
    print(f"step {state['step']:,}: {arguments.out.stat().st_size:,} bytes, within {worst:.1g} of PyTorch")


if __name__ == "__main__":
    main()
