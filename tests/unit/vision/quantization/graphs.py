"""Small networks, built node by node."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

from edged.vision.quantization.network import Network

Array = npt.NDArray[np.float32]


class Builder:
    """Chains nodes; each method returns the name of the tensor it makes."""

    def __init__(self, shape: Sequence[int] = (1, 3, 8, 8), seed: int = 0) -> None:
        self.random = np.random.default_rng(seed)
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, Array] = {}
        self.shape = tuple(shape)

    def constant(self, value: Any) -> str:
        name = f"c{len(self.constants)}"
        self.constants[name] = np.asarray(value, np.float32)
        return name

    def node(self, kind: str, *inputs: str, **given: Any) -> str:
        name = f"t{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], **given))
        return name

    def weights(self, *shape: int) -> Array:
        return self.random.normal(0, 1 / np.sqrt(np.prod(shape[1:])), shape).astype(np.float32)

    def conv(
        self, x: str, inward: int, outward: int, *, size: int = 3, group: int = 1, bias: bool = True
    ) -> str:
        inputs = [x, self.constant(self.weights(outward, inward // group, size, size))]
        if bias:
            inputs.append(self.constant(self.random.normal(size=outward)))
        return self.node("Conv", *inputs, group=group, pads=[size // 2] * 4)

    def norm(self, x: str, channels: int) -> str:
        random = self.random
        values = (
            random.uniform(0.2, 3, channels),
            random.normal(size=channels),
            random.normal(size=channels),
        )
        names = [self.constant(value) for value in (*values, random.uniform(0.1, 4, channels))]
        return self.node("BatchNormalization", x, *names)

    def prelu(self, x: str, slopes: Sequence[float]) -> str:
        return self.node("PRelu", x, self.constant(np.reshape(slopes, (-1, 1, 1))))

    def gemm(self, x: str, inward: int, outward: int) -> str:
        names = self.constant(self.weights(outward, inward)), self.constant(self.random.normal(size=outward))
        return self.node("Gemm", x, *names, transB=1)

    def model(self, *outputs: str, opset: int = 13) -> onnx.ModelProto:
        graph = helper.make_graph(
            self.nodes,
            "small",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, self.shape)],
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
            [numpy_helper.from_array(value, name) for name, value in self.constants.items()],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
        return onnx.shape_inference.infer_shapes(model)

    def network(self, *outputs: str) -> Network:
        return Network(self.model(*outputs))

    def save(self, path: Path, *outputs: str, opset: int = 13) -> Path:
        onnx.save_model(self.model(*outputs, opset=opset), path)
        return path

    def samples(self, count: int = 8) -> list[Array]:
        return [self.random.normal(size=self.shape).astype(np.float32) for _ in range(count)]


def kinds(network: Network) -> list[str]:
    return [node.op_type for node in network.nodes]
