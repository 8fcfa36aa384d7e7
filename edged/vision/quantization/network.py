"""An ONNX graph that can be rewritten: nodes in order, weights as arrays."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from google.protobuf.message import DecodeError
from onnx import numpy_helper, shape_inference, version_converter

from edged.errors import ModelError

# DequantizeLinear knows an axis, and so weights a scale per channel, from this operator set on.
OPSET = 13

_QUANTIZED = {
    "QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear", "QLinearConv", "QLinearMatMul",
    "ConvInteger", "MatMulInteger",
}  # fmt: skip

Array = npt.NDArray[Any]
Node = onnx.NodeProto


class Network:
    """One graph of standard operators.

    ``nodes`` are in an order in which they can run. ``arrays`` holds every constant by its tensor's name.
    """

    def __init__(self, model: onnx.ModelProto) -> None:
        """Take over ``model``. Raises ``ModelError`` where it is no single graph of standard operators."""
        self._model = model
        graph = model.graph
        self.arrays: dict[str, Array] = {one.name: numpy_helper.to_array(one) for one in graph.initializer}
        self.inputs = [one.name for one in graph.input if one.name not in self.arrays]
        self.outputs = [one.name for one in graph.output]
        self.nodes: list[Node] = []
        for node in graph.node:
            if node.domain not in {"", "ai.onnx"}:
                raise ModelError(f"operator {node.op_type} of {node.domain!r}: expected those of ONNX alone")
            if any(a.type in (onnx.AttributeProto.GRAPH, onnx.AttributeProto.GRAPHS) for a in node.attribute):
                raise ModelError(f"operator {node.op_type}: a graph with branches cannot be quantized")
            if node.op_type == "Constant" and node.attribute[0].name == "value":
                self.arrays[node.output[0]] = numpy_helper.to_array(node.attribute[0].t)
            else:
                self.nodes.append(node)
        self._fresh = 0

    def producer(self, tensor: str) -> Node | None:
        """Return the node that gives ``tensor``; None for a constant or an input."""
        return next((node for node in self.nodes if tensor in node.output), None)

    def consumers(self, tensor: str) -> list[Node]:
        """Return the nodes that read ``tensor``, each once."""
        return [node for node in self.nodes if tensor in node.input]

    def only_consumer(self, tensor: str) -> Node | None:
        """Return the node that reads ``tensor``; None where several do, or it is an output."""
        found = self.consumers(tensor)
        return found[0] if len(found) == 1 and tensor not in self.outputs else None

    def constant(self, node: Node, index: int) -> Array | None:
        """Return the constant that ``node`` reads as input ``index``; None where there is none."""
        return self.arrays.get(node.input[index]) if index < len(node.input) else None

    def set_constant(self, node: Node, index: int, value: Array) -> None:
        """Give ``node`` a constant of its own as input ``index``; others keep what they share."""
        while len(node.input) <= index:
            node.input.append("")
        node.input[index] = self.add(value, f"{node.output[0]}_{index}")

    def add(self, value: Array, hint: str) -> str:
        """Add a constant and return its name."""
        name = self.name(hint)
        self.arrays[name] = np.ascontiguousarray(value)
        return name

    def name(self, hint: str) -> str:
        """Return a tensor's name that is not taken."""
        self._fresh += 1
        return f"{hint}__{self._fresh}"

    def replace(self, node: Node, nodes: Sequence[Node]) -> None:
        """Put ``nodes`` in the place of ``node``."""
        at = next(index for index, one in enumerate(self.nodes) if one is node)
        self.nodes[at : at + 1] = nodes

    def model(self, extra_outputs: Sequence[str] = ()) -> onnx.ModelProto:
        """Return the graph as a model without unused constants; ``extra_outputs`` are given as well."""
        model = onnx.ModelProto()
        model.CopyFrom(self._model)
        graph = model.graph
        used = {name for node in self.nodes for name in node.input} | set(self.outputs)
        del graph.node[:], graph.initializer[:], graph.value_info[:]
        graph.node.extend(self.nodes)
        graph.initializer.extend(
            numpy_helper.from_array(value, name) for name, value in self.arrays.items() if name in used
        )
        kept = [one for one in graph.input if one.name not in self.arrays]
        del graph.input[:]
        graph.input.extend(kept)
        graph.output.extend(onnx.ValueInfoProto(name=one) for one in extra_outputs if one not in self.outputs)
        return model

    def copy(self) -> "Network":
        """Return a network that can be changed without changing this one."""
        return Network(self.model())


def attributes(node: Node) -> dict[str, Any]:
    """Return the attributes of ``node`` by name."""
    return {one.name: onnx.helper.get_attribute_value(one) for one in node.attribute}


def read_network(path: Path, *, quantized: bool = False) -> Network:
    """Read a float32 ONNX file, of ``OPSET`` at least afterwards; one of int8 too where ``quantized``.

    Raises ``ModelError`` for what is no such file, is quantized already, or cannot be converted.
    """
    try:
        model = onnx.load_model(path, load_external_data=False)
        onnx.checker.check_model(model)
        if _opset(model) < OPSET:
            model = version_converter.convert_version(model, OPSET)
        model = shape_inference.infer_shapes(model)
    except OSError as exc:
        raise ModelError(f"{path}: cannot be read: {exc.strerror or exc}") from exc
    except (DecodeError, ValueError, RuntimeError, onnx.checker.ValidationError) as exc:
        raise ModelError(f"{path}: no ONNX model that can be quantized: {_first_line(exc)}") from exc
    if any(one.data_location == onnx.TensorProto.EXTERNAL for one in model.graph.initializer):
        raise ModelError(f"{path}: its weights lie in another file; expected one file")
    network = Network(model)
    done = sorted({node.op_type for node in network.nodes} & _QUANTIZED)
    if done and not quantized:
        raise ModelError(f"{path}: is quantized already: it has {', '.join(done)}")
    return network


def weighted(network: Network) -> Iterator[Node]:
    """Give the nodes with a constant weight: convolutions and matrix products."""
    for node in network.nodes:
        if node.op_type in {"Conv", "Gemm", "MatMul"} and network.constant(node, 1) is not None:
            yield node


def _opset(model: onnx.ModelProto) -> int:
    return next((one.version for one in model.opset_import if one.domain in {"", "ai.onnx"}), 0)


def _first_line(exc: Exception) -> str:
    return (str(exc).strip().splitlines() or [type(exc).__name__])[0][:300]
