"""The way from pixels to a network's numbers, moved into the network.

A pack's file takes (N, 3, H, W) float32 ``(x - mean) * scale``; the compiled one (N, H, W, 3) uint8 BGR, as
a camera gives it. A scale and the order of the colours go into the weights of the first convolution. A
mean does not: the zeros with which a convolution pads stand for the mean, not for black.

The colours need not be parted either: rows of interleaved pixels (H, 3 W) are one plane, over which a kernel
three times as wide goes in steps three times as long. Parting took YuNet 0.07 ms of 2.4.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper

from edged.errors import ModelError
from edged.vision.compilation.sizes import HEIGHT, WIDTH, forget_output_shapes
from edged.vision.packs import ModelSpec
from edged.vision.quantization.layers import groups, scale_inputs
from edged.vision.quantization.network import Array, Network, Node, attributes

PIXELS = "pixels"
_COLOURS = 3


@dataclass(slots=True)
class _Way:
    """``(x - mean) * scale`` of the pixel values x, up to ``tensor``."""

    tensor: str
    mean: float
    scale: float


def take_pixels(
    network: Network, spec: ModelSpec, *, fold: bool, interleaved: bool = False, any_size: bool = False
) -> onnx.ModelProto:
    """Return ``network``, which is changed, as a model that takes pixels.

    ``fold`` moves into weights what can be; without it every number is computed as it was before, bit by
    bit. With it and ``interleaved`` the first convolution reads the pixels as they lie, where it can.
    ``any_size`` declares an input of any size, for a network that can (``sizes``). Raises ``ModelError``
    where the network has no single input.
    """
    if len(network.inputs) != 1:
        raise ModelError(f"expected a network with one input, got {len(network.inputs)}")
    way = _Way(network.inputs[0], spec.mean, spec.scale)
    swap = spec.channels == "rgb"
    first = _first_convolution(network, way) if fold else None
    if first is not None:
        scale_inputs(network, first, np.full(_COLOURS, way.scale))
        way.scale = 1.0
        if swap:
            _swap_inputs(network, first)
            swap = False
        interleaved = interleaved and _interleave(network, first)
    network.nodes[:0] = _front(network, way, swap=swap, interleaved=interleaved and first is not None)
    model = network.model()
    height, width = (HEIGHT, WIDTH) if any_size else (spec.input[1], spec.input[0])
    batch = _batch(model, spec)
    del model.graph.input[:]
    shape = [batch, height, width, _COLOURS]
    model.graph.input.append(helper.make_tensor_value_info(PIXELS, TensorProto.UINT8, shape))
    # What an exporter left of shapes may hold for other sizes of picture than this one.
    del model.graph.value_info[:]
    if any_size:
        forget_output_shapes(model)
    return model


def _batch(model: onnx.ModelProto, spec: ModelSpec) -> int | str:
    """Return how many pictures at a time: one where only one is ever looked at, else as it was."""
    first = model.graph.input[0].type.tensor_type.shape.dim[0]
    if first.dim_value or spec.task != "embedder":
        return int(first.dim_value) or 1
    return str(first.dim_param or "N")


def _first_convolution(network: Network, way: _Way) -> Node | None:
    """Follow ``way`` through the network's own normalisation to the convolution that reads it alone."""
    while (node := network.only_consumer(way.tensor)) is not None:
        if node.op_type == "Conv":
            fits = node.input[0] == way.tensor and groups(node) == 1 and network.constant(node, 1) is not None
            return node if fits else None
        step = _STEPS.get(node.op_type)
        number = _scalar(network.constant(node, 1))
        if step is None or number is None or (number == 0 and node.op_type in {"Mul", "Div"}):
            return None
        if node.input[0] != way.tensor:
            return None
        step(way, number)
        network.replace(node, [])
        way.tensor = node.output[0]
    return None


def _subtract(way: _Way, number: float) -> None:
    way.mean += number / way.scale


def _add(way: _Way, number: float) -> None:
    way.mean -= number / way.scale


def _multiply(way: _Way, number: float) -> None:
    way.scale *= number


def _divide(way: _Way, number: float) -> None:
    way.scale /= number


_STEPS: dict[str, Callable[[_Way, float], None]] = {
    "Sub": _subtract,
    "Add": _add,
    "Mul": _multiply,
    "Div": _divide,
}


def _scalar(value: Array | None) -> float | None:
    if value is None or value.size != 1 or not np.isfinite(value).all():
        return None
    return float(value.reshape(-1)[0])


def _swap_inputs(network: Network, node: Node) -> None:
    weight = network.constant(node, 1)
    assert weight is not None, "expected a constant weight, as _first_convolution has seen"
    network.set_constant(node, 1, weight[:, ::-1])


def _interleave(network: Network, node: Node) -> bool:
    """Make a convolution of planes (3, H, W) one of rows (1, H, 3 W); tell whether it could be."""
    weight, given = network.constant(node, 1), attributes(node)
    plain = given.get("auto_pad", b"NOTSET") == b"NOTSET" and set(given.get("dilations", [1])) == {1}
    if weight is None or weight.ndim != 4 or not plain:
        return False
    top, left, bottom, right = given.get("pads", [0, 0, 0, 0])
    down, along = given.get("strides", [1, 1])
    outputs, colours, height, width = weight.shape
    network.set_constant(node, 1, weight.transpose(0, 2, 3, 1).reshape(outputs, 1, height, width * colours))
    wider = {
        "kernel_shape": [height, width * colours],
        "pads": [top, left * colours, bottom, right * colours],
        "strides": [down, along * colours],
    }
    del node.attribute[:]
    node.attribute.extend(helper.make_attribute(name, value) for name, value in wider.items())
    return True


def _front(network: Network, way: _Way, *, swap: bool, interleaved: bool) -> list[Node]:
    """Return the nodes from ``PIXELS`` to the numbers at ``way.tensor``."""
    steps: list[tuple[str, list[str], dict[str, Any]]] = []
    if not interleaved:
        # Planes first: they are moved as bytes, a quarter of what floats would be.
        steps.append(("Transpose", [], {"perm": [0, 3, 1, 2]}))
    if swap:
        steps.append(("Gather", [network.add(np.array([2, 1, 0], np.int64), "bgr")], {"axis": 1}))
    steps.append(("Cast", [], {"to": TensorProto.FLOAT}))
    if way.mean:
        steps.append(("Sub", [network.add(np.float32(way.mean).reshape(1), "mean")], {}))
    if way.scale != 1:
        steps.append(("Mul", [network.add(np.float32(way.scale).reshape(1), "scale")], {}))
    if interleaved:
        # (N, H, W, 3) to (N, H, 3 W) and (N, 1, H, 3 W): nothing is moved.
        steps.append(("Reshape", [network.add(np.array([0, 0, -1], np.int64), "rows")], {}))
        steps.append(("Unsqueeze", [network.add(np.array([1], np.int64), "plane")], {}))
    nodes, tensor = [], PIXELS
    for index, (kind, constants, given) in enumerate(steps):
        output = way.tensor if index == len(steps) - 1 else network.name(f"{PIXELS}_{kind}")
        nodes.append(helper.make_node(kind, [tensor, *constants], [output], output, **given))
        tensor = output
    return nodes
