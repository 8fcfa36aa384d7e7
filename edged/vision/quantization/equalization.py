"""Cross-channel equalization: channels brought to like ranges before a tensor gets one int8 scale.

Convolutions and matrix products are linear, Relu, PRelu and pooling positively homogeneous: a channel
may be divided by any positive factor where it is made and multiplied by it where it is read (Nagel et
al. 2019, "Data-free quantization through weight equalization and bias correction"). Exact in float32.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from edged.vision.quantization.layers import in_channels, out_channels, scale_inputs, scale_outputs
from edged.vision.quantization.network import Array, Network, Node, attributes

# Operators with one tensor in and one out that let a positive factor of a channel pass.
_HOMOGENEOUS = {
    "Relu", "LeakyRelu", "PRelu", "MaxPool", "AveragePool", "GlobalAveragePool", "GlobalMaxPool", "Flatten",
}  # fmt: skip
_WEIGHTED = {"Conv", "Gemm", "MatMul"}
# A channel quieter than this share of the loudest speaks below int8's last bit; it need not be raised.
_FLOOR = 1e-3


@dataclass(slots=True, eq=False)
class ChannelGroup:
    """Tensors whose channels must share their factors: joined by sums and homogeneous operators.

    ``makers`` give them and ``readers`` take them; both have weights that absorb the factors.
    """

    tensors: set[str] = field(default_factory=set)
    makers: list[Node] = field(default_factory=list)
    readers: list[Node] = field(default_factory=list)
    free: bool = True


def equalize(network: Network, ranges: Mapping[str, Array], exponent: float) -> int:
    """Divide each channel by its range to the power of ``exponent``; return how many groups could be.

    ``ranges`` has the largest magnitude of every channel of the tensors that ``groups`` lists.
    """
    done = 0
    for group in channel_groups(network):
        known = [ranges[name] for name in sorted(group.tensors) if name in ranges]
        if known and len({len(one) for one in known}) == 1:
            _scale(network, group, _factors(known, exponent))
            done += 1
    return done


def channel_groups(network: Network) -> list[ChannelGroup]:
    """Return the groups whose channels may be scaled."""
    groups: dict[str, ChannelGroup] = {}
    for node in network.nodes:
        _join(groups, _linked(network, node))
    for name in [*network.inputs, *network.outputs]:
        _group(groups, name).free = False
    for node in network.nodes:
        _attach(network, groups, node)
    unique = {id(one): one for one in groups.values()}
    return [one for one in unique.values() if one.free and _consistent(network, one)]


def _linked(network: Network, node: Node) -> list[str]:
    """Return the tensors of ``node`` that share their factors."""
    if node.op_type == "Add" and not any(name in network.arrays for name in node.input):
        return [*node.input, *node.output]
    homogeneous = node.op_type in _HOMOGENEOUS or (
        node.op_type == "Resize" and attributes(node).get("mode", b"nearest") in {b"nearest", b"linear"}
    )
    # A slope that is computed, an index that is asked for: nothing is known about these.
    rest = [name for name in node.input[1:] if name and name not in network.arrays]
    if homogeneous and len(node.output) == 1 and (not rest or node.op_type == "Resize"):
        return [node.input[0], node.output[0]]
    return []


def _join(groups: dict[str, ChannelGroup], names: list[str]) -> None:
    for name in names[1:]:
        one, other = _group(groups, names[0]), _group(groups, name)
        if one is not other:
            one.tensors |= other.tensors
            for tensor in other.tensors:
                groups[tensor] = one


def _group(groups: dict[str, ChannelGroup], name: str) -> ChannelGroup:
    return groups.setdefault(name, ChannelGroup({name}))


def _attach(network: Network, groups: dict[str, ChannelGroup], node: Node) -> None:
    """Make ``node`` a maker and a reader of its groups, or bind them where it cannot be."""
    linked = _linked(network, node)
    takes = node.op_type in _WEIGHTED and not attributes(node).get("transA", 0)
    for index, name in enumerate(node.input):
        if name in network.arrays or not name or name in linked:
            continue
        if takes and index == 0 and in_channels(network, node) is not None:
            _group(groups, name).readers.append(node)
        else:
            _group(groups, name).free = False
    for name in node.output:
        if name in linked:
            continue
        if takes and out_channels(network, node) is not None:
            _group(groups, name).makers.append(node)
        else:
            _group(groups, name).free = False


def _consistent(network: Network, group: ChannelGroup) -> bool:
    counts = {out_channels(network, node) for node in group.makers}
    if len(counts) != 1 or not group.readers:
        return False
    channels = counts.pop() or 1
    return all(_fits(in_channels(network, node) or 0, node, channels) for node in group.readers)


def _fits(reads: int, node: Node, channels: int) -> bool:
    # Behind a Flatten a matrix product reads several values of every channel.
    return reads == channels if node.op_type == "Conv" else reads % channels == 0


def _factors(ranges: list[Array], exponent: float) -> Array:
    """Return (channels,) positive factors of geometric mean 1."""
    shares = np.max([one / max(float(one.max()), 1e-30) for one in ranges], axis=0)
    # A channel that never speaks must not become the loudest.
    powers = np.maximum(shares, _FLOOR) ** exponent
    factors: Array = powers / np.exp(np.mean(np.log(powers)))
    return factors


def _scale(network: Network, group: ChannelGroup, factors: Array) -> None:
    for node in group.makers:
        scale_outputs(network, node, 1 / factors)
    for node in group.readers:
        scale_inputs(network, node, factors)
