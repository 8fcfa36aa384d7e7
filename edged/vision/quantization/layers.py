"""Convolutions and matrix products seen alike: weights by output and by input channel."""

import numpy as np

from edged.vision.quantization.network import Array, Network, Node, attributes


def out_channels(network: Network, node: Node) -> int | None:
    """Return how many channels a weighted ``node`` gives; None for another node."""
    weight = network.constant(node, 1)
    if weight is None or node.op_type not in {"Conv", "Gemm", "MatMul"}:
        return None
    return int(weight.shape[_out_axis(node)])


def in_channels(network: Network, node: Node) -> int | None:
    """Return how many channels a weighted ``node`` reads; None for another node."""
    weight = network.constant(node, 1)
    if weight is None or node.op_type not in {"Conv", "Gemm", "MatMul"}:
        return None
    if node.op_type == "Conv":
        return int(weight.shape[1]) * groups(node)
    return int(weight.shape[1 - _out_axis(node)])


def groups(node: Node) -> int:
    """Return into how many groups a convolution's channels fall."""
    return int(attributes(node).get("group", 1))


def scale_outputs(network: Network, node: Node, factors: Array, shift: Array | None = None) -> None:
    """Make ``node`` give ``y * factors + shift`` for what it gave as y, both (channels,)."""
    weight = _of(network, node, 1)
    axis = _out_axis(node)
    shape = [-1 if index == axis else 1 for index in range(weight.ndim)]
    network.set_constant(node, 1, _scaled(weight, factors.reshape(shape)))
    bias = None if node.op_type == "MatMul" else network.constant(node, 2)
    if bias is not None:
        # Gemm spreads a bias of any shape that fits.
        bias = np.broadcast_to(bias.reshape(-1), factors.shape) * factors
    if shift is not None:
        bias = shift if bias is None else bias + shift
    if bias is not None:
        network.set_constant(node, 2, bias.astype(weight.dtype))


def scale_inputs(network: Network, node: Node, factors: Array) -> None:
    """Make ``node`` give for x what it gave for ``x * factors``, (channels,).

    A matrix product behind a Flatten reads several values a channel: ``factors`` are repeated then.
    """
    weight = _of(network, node, 1)
    if node.op_type == "Conv":
        size, count = weight.shape[1], groups(node)
        by_group = factors.reshape(count, 1, size, *([1] * (weight.ndim - 2)))
        grouped = weight.reshape(count, -1, *weight.shape[1:])
        network.set_constant(node, 1, _scaled(grouped, by_group).reshape(weight.shape))
        return
    axis = 1 - _out_axis(node)
    repeated = np.repeat(factors, weight.shape[axis] // len(factors))
    network.set_constant(node, 1, _scaled(weight, repeated[:, None] if axis == 0 else repeated[None]))


def _out_axis(node: Node) -> int:
    if node.op_type == "Conv":
        return 0
    return 0 if attributes(node).get("transB", 0) else 1


def _of(network: Network, node: Node, index: int) -> Array:
    value = network.constant(node, index)
    assert value is not None, f"expected {node.op_type} {node.output[0]} to have a constant weight"
    return value


def _scaled(weight: Array, factors: Array) -> Array:
    product: Array = (weight.astype(np.float64) * factors).astype(weight.dtype)
    return product
