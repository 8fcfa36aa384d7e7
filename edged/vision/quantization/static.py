"""Static int8: QDQ, unsigned activations, signed weights with a scale per channel."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnxruntime.quantization import CalibrationMethod, QuantType
from onnxruntime.quantization.calibrate import TensorsData
from onnxruntime.quantization.qdq_quantizer import QDQQuantizer

from edged.domain.types import FloatArray
from edged.errors import ModelError
from edged.vision.quantization.compilation import compile_network
from edged.vision.quantization.network import Network, read_network, weighted
from edged.vision.quantization.ranges import Probe, spans

# Of an activation's values; the few beyond are clipped. Best of those tried with MobileFaceNet y1.
SHARE = 0.99999
# Samples for checks that need no tail: equalization and the comparison with the original.
_CHECKED = 32
# Operators that onnxruntime runs on int8, or that only move int8 values.
_OPERATORS = [
    "Conv", "Gemm", "MatMul", "Add", "Relu", "LeakyRelu", "MaxPool", "AveragePool", "GlobalAveragePool",
    "Resize", "Concat", "Flatten", "Reshape", "Transpose",
]  # fmt: skip

_STEPS = 4

Progress = Callable[[int, int], None]
Spans = Mapping[str, tuple[float, float]]


@dataclass(frozen=True, slots=True)
class QuantizationReport:
    """What was done to a network.

    ``deviation`` is how far the rewritten float32 network was from the original, as a share of its
    outputs; ``correlation`` the smallest Pearson correlation of an int8 output with float32's.
    ``layers`` have weights, ``quantized_layers`` of them in int8; sizes are in bytes.
    """

    samples: int
    prelus: int
    groups: int
    deviation: float
    correlation: float
    layers: int
    quantized_layers: int
    float32_size: int
    int8_size: int


def _silent(_done: int, _total: int) -> None:
    return None


def quantize(
    source: Path,
    target: Path,
    calibration: Iterable[FloatArray],
    *,
    float_heads: bool = False,
    progress: Progress = _silent,
) -> QuantizationReport:
    """Write ``target``, the int8 form of the float32 file ``source``.

    ``calibration`` gives network inputs (N, C, H, W) float32 of real pictures. ``float_heads`` leaves the
    last layer before each output in float32, as detectors need. Outputs are float32 always.
    ``progress`` is told (step, steps).
    Raises ``ModelError`` for a file that cannot be quantized.
    """
    samples = list(calibration)
    if not samples:
        raise ModelError("expected pictures to calibrate with, got none")
    network = read_network(source)
    _name_nodes(network)
    compiled = compile_network(network, samples[:_CHECKED])
    progress(1, _STEPS)
    kept = _heads(compiled.network) if float_heads else []
    layers = [node.name for node in weighted(compiled.network)]
    quantized = [name for name in layers if name not in kept]
    if not quantized:
        raise ModelError(f"{source}: has no layer with weights to quantize")
    tensors = spans(compiled.network, _float_tensors(compiled.network), samples, SHARE)
    progress(2, _STEPS)
    result = _int8(compiled.network, tensors, kept)
    progress(3, _STEPS)
    try:
        onnx.save_model(result, target)
    except OSError as exc:
        raise ModelError(f"{target}: cannot be written: {exc.strerror or exc}") from exc
    correlation = _correlation(network, Network(result), samples[:_CHECKED])
    progress(_STEPS, _STEPS)
    return QuantizationReport(
        samples=len(samples),
        prelus=compiled.prelus,
        groups=compiled.groups,
        deviation=compiled.deviation,
        correlation=correlation,
        layers=len(layers),
        quantized_layers=len(quantized),
        float32_size=source.stat().st_size,
        int8_size=target.stat().st_size,
    )


def _name_nodes(network: Network) -> None:
    for index, node in enumerate(network.nodes):
        node.name = f"{node.op_type}_{index}"


def _heads(network: Network) -> list[str]:
    """Return the names of the last weighted layers before the outputs."""
    found = []
    for output in network.outputs:
        node = network.producer(output)
        while node is not None and node.op_type not in {"Conv", "Gemm", "MatMul"}:
            node = network.producer(node.input[0])
        if node is not None:
            found.append(node.name)
    return found


def _int8(network: Network, found: Spans, kept: Sequence[str]) -> onnx.ModelProto:
    model = onnx.shape_inference.infer_shapes(network.model())
    quantizer = QDQQuantizer(
        model,
        per_channel=True,
        reduce_range=False,
        weight_qType=QuantType.QInt8,
        activation_qType=QuantType.QUInt8,
        tensors_range=_as_tensors_data(found),
        nodes_to_quantize=[],
        nodes_to_exclude=list(kept),
        op_types_to_quantize=_OPERATORS,
        extra_options={},
    )
    quantizer.quantize_model()
    quantizer.model.topological_sort()
    result: onnx.ModelProto = quantizer.model.model
    _free_outputs(result)
    _only_used_domains(result)
    onnx.checker.check_model(result)
    return result


def _float_tensors(network: Network) -> list[str]:
    model = onnx.shape_inference.infer_shapes(network.model())
    types = {one.name: one.type.tensor_type.elem_type for one in model.graph.value_info}
    made = [name for node in network.nodes for name in node.output if name]
    return [
        name
        for name in [*network.inputs, *made]
        if types.get(name, onnx.TensorProto.FLOAT) == onnx.TensorProto.FLOAT
    ]


def _as_tensors_data(found: Spans) -> Any:
    # MinMax is the name of a plain (low, high), whichever way it was found.
    pairs = {name: (np.float32(low), np.float32(high)) for name, (low, high) in found.items()}
    return TensorsData(CalibrationMethod.MinMax, pairs)


def _free_outputs(model: onnx.ModelProto) -> None:
    """Take out the last rounding to 8 bits, behind which nothing computes."""
    graph = model.graph
    outputs = {one.name for one in graph.output}
    makers = {name: node for node in graph.node for name in node.output}
    for last in [
        node for node in graph.node if node.op_type == "DequantizeLinear" and node.output[0] in outputs
    ]:
        rounding = makers.get(last.input[0])
        if rounding is None or rounding.op_type != "QuantizeLinear":
            continue
        inner = rounding.input[0]
        if sum(inner in node.input for node in graph.node) != 1:
            continue
        makers[inner].output[0] = last.output[0]
        graph.node.remove(last)
        graph.node.remove(rounding)
    used = {name for node in graph.node for name in node.input}
    for constant in [one for one in graph.initializer if one.name not in used]:
        graph.initializer.remove(constant)


def _only_used_domains(model: onnx.ModelProto) -> None:
    used = {node.domain or "" for node in model.graph.node}
    for one in [one for one in model.opset_import if one.domain not in used]:
        model.opset_import.remove(one)


def _correlation(one: Network, other: Network, samples: Sequence[FloatArray]) -> float:
    first, second = Probe(one), Probe(other)
    pairs: dict[str, list[tuple[FloatArray, FloatArray]]] = {name: [] for name in one.outputs}
    for sample in samples:
        expected, got = first.run(sample), second.run(sample)
        for name, values in pairs.items():
            values.append((expected[name].ravel(), got[name].ravel()))
    columns = ([np.concatenate(side) for side in zip(*values, strict=True)] for values in pairs.values())
    return min(float(np.corrcoef(column[0], column[1])[0, 1]) for column in columns)
