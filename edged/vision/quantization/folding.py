"""What an exporter leaves behind and inference does not need: BatchNorm, Identity, Dropout."""

import numpy as np

from edged.vision.quantization.layers import scale_outputs
from edged.vision.quantization.network import Network, Node, attributes

_EPSILON = 1e-5  # of ONNX's BatchNormalization


def fold(network: Network) -> None:
    """Take idle nodes out and fold batch normalisation into the layer before it; the function stays."""
    for node in list(network.nodes):
        if node.op_type in {"Identity", "Dropout"} and node.output[0] not in network.outputs:
            _bypass(network, node)
    for node in list(network.nodes):
        if node.op_type == "BatchNormalization":
            _fold_normalisation(network, node)


def _bypass(network: Network, node: Node) -> None:
    network.replace(node, [])
    for consumer in network.consumers(node.output[0]):
        _reconnect(consumer, node.output[0], node.input[0])


def _fold_normalisation(network: Network, node: Node) -> None:
    before = network.producer(node.input[0])
    statistics = [network.constant(node, index) for index in range(1, 5)]
    if (
        before is None
        or before.op_type not in {"Conv", "Gemm"}
        or network.constant(before, 1) is None
        or network.only_consumer(node.input[0]) is None
    ):
        return
    gain, offset, mean, variance = (np.asarray(one, np.float64) for one in statistics)
    factors = gain / np.sqrt(variance + attributes(node).get("epsilon", _EPSILON))
    network.replace(node, [])
    before.output[0] = node.output[0]
    scale_outputs(network, before, factors, offset - mean * factors)


def _reconnect(node: Node, old: str, new: str) -> None:
    for index, name in enumerate(node.input):
        if name == old:
            node.input[index] = new
