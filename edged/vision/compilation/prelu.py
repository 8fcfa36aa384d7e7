"""PRelu in operators that onnxruntime has fast kernels for; the same function.

With slope a, ``PRelu(x) = a x + Relu((1 - a) x)`` for a <= 1. A channel with a > 1 gets its sign turned
in the weights before: with y = -x, ``-PRelu(x) = a y + Relu((1 - a) y)``, and the sign is turned back in
the weights of the layers behind. onnxruntime's own kernel took 62 % of a MobileFaceNet's time.
"""

from typing import Literal

import numpy as np
import onnx

from edged.vision.quantization.layers import in_channels, out_channels, scale_inputs, scale_outputs
from edged.vision.quantization.network import Array, Network, Node

# How a factor a channel is written. Products are the plain way; convolutions of one pixel stay in the
# blocked layout that onnxruntime gives its convolutions on some machines.
Form = Literal["products", "convolutions"]
FORMS: tuple[Form, ...] = ("products", "convolutions")


def expand_prelu(network: Network, form: Form) -> int:
    """Replace every PRelu of four dimensions with constant slopes, one a channel; return how many.

    One whose slopes exceed 1 stays where the sign cannot go into the layers around it.
    """
    return sum(_expand(network, node, form) for node in list(network.nodes) if node.op_type == "PRelu")


def _expand(network: Network, node: Node, form: Form) -> bool:
    slopes = network.constant(node, 1)
    before = network.producer(node.input[0])
    # Behind a convolution alone it is certain that the channels lie in the second of four dimensions.
    if slopes is None or before is None or before.op_type != "Conv":
        return False
    weight = network.constant(before, 1)
    channels = out_channels(network, before)
    if weight is None or weight.ndim != 4 or channels is None or not _one_a_channel(slopes, channels):
        return False
    per_channel = np.broadcast_to(slopes.reshape(-1).astype(np.float64), (channels,))
    if not np.isfinite(per_channel).all():
        return False
    if np.any(per_channel > 1) and not _turn_signs(network, before, node, per_channel > 1):
        return False
    _replace(network, node, per_channel, form)
    return True


def _one_a_channel(slopes: Array, channels: int) -> bool:
    """Tell whether ``slopes`` spread over (N, C, H, W) give every channel one: (C, 1, 1), or a single one."""
    return slopes.size == 1 or slopes.shape in {(channels, 1, 1), (1, channels, 1, 1)}


def _turn_signs(network: Network, before: Node, node: Node, turned: Array) -> bool:
    """Negate the channels ``turned`` between ``before`` and what reads ``node``; False where it cannot be."""
    output = node.output[0]
    readers = network.consumers(output)
    signs = np.where(turned, -1.0, 1.0)
    fit = all(
        in_channels(network, one) == len(signs) and one.input[0] == output and output not in one.input[1:]
        for one in readers
    )
    if not fit or not readers or output in network.outputs or network.only_consumer(node.input[0]) is None:
        return False
    scale_outputs(network, before, signs)
    for one in readers:
        scale_inputs(network, one, signs)
    return True


def _replace(network: Network, node: Node, slopes: Array, form: Form) -> None:
    source, output = node.input[0], node.output[0]
    line, part, bend = (network.name(f"{output}_{what}") for what in ("line", "part", "bend"))
    network.replace(
        node,
        [
            _factor(network, source, part, 1 - slopes, form),
            onnx.helper.make_node("Relu", [part], [bend], bend),
            _factor(network, source, line, slopes, form),
            onnx.helper.make_node("Add", [line, bend], [output], network.name(output)),
        ],
    )


def _factor(network: Network, source: str, output: str, factors: Array, form: Form) -> Node:
    """Make ``output = source * factors``, one factor a channel."""
    count = len(factors)
    if form == "products":
        constant = network.add(factors.reshape(count, 1, 1).astype(np.float32), output)
        return onnx.helper.make_node("Mul", [source, constant], [output], output)
    constant = network.add(factors.reshape(count, 1, 1, 1).astype(np.float32), output)
    return onnx.helper.make_node("Conv", [source, constant], [output], output, group=count)
