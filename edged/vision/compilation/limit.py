"""What a network asks of the machine, and what the machine gives at most.

The bound of a network is its multiplications and additions over the rate of this machine's matrix product
in the same runtime with as many threads. What it moves in memory is not counted, so that a share of 100 %
cannot be reached; depthwise convolutions stay far below.
"""

import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from edged.errors import ModelError
from edged.vision.packs import ModelSpec
from edged.vision.quantization.network import Array, Network, Node, read_network
from edged.vision.quantization.ranges import Probe

Kind = Literal["float32", "int8"]

# Large enough that the start of a run does not count, small enough for a second-level cache.
_SIDE = 512
_PEAK_ROUNDS = 40
_LOG_ERRORS_ONLY = 3


@dataclass(frozen=True, slots=True)
class Limit:
    """``macs`` multiply-accumulates of one picture; ``gmacs`` is the peak, 10^9 a second.

    A file of both kinds counts as int8.
    """

    kind: Kind
    macs: int
    gmacs: float

    @property
    def bound_ms(self) -> float:
        """The least time that the peak allows."""
        return self.macs / self.gmacs / 1e6

    def share(self, ms: float) -> float:
        """Return which part of the peak a run of ``ms`` milliseconds reaches, 0..1."""
        return self.bound_ms / ms


def limit_of(path: Path, spec: ModelSpec, threads: int, shown: tuple[int, int] | None = None) -> Limit:
    """Return the bound of the file at ``path`` with ``threads``. Raises ``ModelError``.

    A detector that is shown less than its whole input, ``shown`` (width, height), multiplies as much less.
    """
    network = read_network(path, quantized=True)
    kind: Kind = "int8" if any(node.op_type == "QuantizeLinear" for node in network.nodes) else "float32"
    width, height = shown or spec.input
    share = width * height / (spec.input[0] * spec.input[1])
    return Limit(kind, round(share * count_macs(network, spec.input)), peak_gmacs(kind, threads))


def count_macs(network: Network, size: tuple[int, int]) -> int:
    """Return the multiply-accumulates of convolutions and matrix products for one picture of ``size``.

    ``size`` is (width, height). Raises ``ModelError`` where the network does not run on such a picture.
    """
    nodes = [node for node in network.nodes if node.op_type in {"Conv", "Gemm", "MatMul"}]
    try:
        shapes = Probe(network, [node.output[0] for node in nodes], threads=1).run(
            np.zeros((1, 3, size[1], size[0]), np.float32)
        )
    except Exception as exc:  # onnxruntime's own have no common parent
        raise ModelError(f"its layers cannot be counted: {str(exc).splitlines()[0][:200]}") from exc
    return sum(_macs(network, node, shapes[node.output[0]]) for node in nodes)


def _macs(network: Network, node: Node, output: Array) -> int:
    weight = _weight(network, node)
    if weight is None:
        return 0
    if node.op_type == "Conv":
        return int(output.size * np.prod(weight.shape[1:]))
    return int(output.size * weight.size // output.shape[-1])


def _weight(network: Network, node: Node) -> Array | None:
    """Return the constant weight, of int8 where it is stored so."""
    constant = network.constant(node, 1)
    if constant is not None:
        return constant
    before = network.producer(node.input[1])
    while before is not None and before.op_type in {"DequantizeLinear", "QuantizeLinear"}:
        constant = network.constant(before, 0)
        if constant is not None:
            return constant
        before = network.producer(before.input[0])
    return None


@cache
def peak_gmacs(kind: Kind, threads: int) -> float:
    """Return 10^9 multiply-accumulates a second of a 512 x 512 x 512 matrix product, the best of 40 runs."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = _LOG_ERRORS_ONLY
    session = onnxruntime.InferenceSession(
        _product(kind).SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    fed = np.ones((_SIDE, _SIDE), np.float32 if kind == "float32" else np.uint8)
    best = float("inf")
    for _ in range(_PEAK_ROUNDS):
        started = time.perf_counter()
        session.run(None, {"x": fed})
        best = min(best, time.perf_counter() - started)
    return _SIDE**3 / best / 1e9


def _product(kind: Kind) -> onnx.ModelProto:
    """Return ``x @ w``: float32, or unsigned times signed as the quantized packs have it."""
    weight = np.ones((_SIDE, _SIDE), np.float32 if kind == "float32" else np.int8)
    taken, given = (TensorProto.FLOAT,) * 2 if kind == "float32" else (TensorProto.UINT8, TensorProto.INT32)
    graph = helper.make_graph(
        [helper.make_node("MatMul" if kind == "float32" else "MatMulInteger", ["x", "w"], ["y"])],
        "product",
        [helper.make_tensor_value_info("x", taken, (_SIDE, _SIDE))],
        [helper.make_tensor_value_info("y", given, (_SIDE, _SIDE))],
        [numpy_helper.from_array(weight, "w")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
