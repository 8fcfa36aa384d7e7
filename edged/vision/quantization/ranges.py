"""What the tensors of a network hold when real pictures pass."""

from collections.abc import Iterable, Mapping, Sequence

import cv2
import numpy as np
import onnxruntime

from edged.domain.types import FloatArray
from edged.vision.quantization.network import Array, Network

_LOG_ERRORS_ONLY = 3
# Fine enough that the 99.999th percentile of a tensor is known to 1/4096 of its span.
_BINS = 4096

Outputs = Mapping[str, FloatArray]


class Probe:
    """Runs a network on pictures and gives any of its tensors, not only its outputs."""

    def __init__(self, network: Network, tensors: Sequence[str] = (), *, threads: int = 0) -> None:
        options = onnxruntime.SessionOptions()
        options.log_severity_level = _LOG_ERRORS_ONLY
        options.intra_op_num_threads = threads
        self._session = onnxruntime.InferenceSession(
            network.model(tensors).SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
        self._input = self._session.get_inputs()[0].name
        self.names = [one.name for one in self._session.get_outputs()]

    def run(self, tensor: FloatArray) -> Outputs:
        """Return every tensor by name."""
        return dict(zip(self.names, self._session.run(None, {self._input: tensor}), strict=True))


def channel_magnitudes(
    network: Network, tensors: Sequence[str], samples: Iterable[FloatArray]
) -> dict[str, Array]:
    """Return (channels,) the largest magnitude that each channel of ``tensors`` reaches."""
    probe = Probe(network, tensors)
    found: dict[str, Array] = {}
    for sample in samples:
        values = probe.run(sample)
        for name in tensors:
            value = np.abs(values[name])
            high = value.max(axis=tuple(axis for axis in range(value.ndim) if axis != 1))
            found[name] = np.maximum(found[name], high) if name in found else high
    return found


def spans(
    network: Network, tensors: Sequence[str], samples: Sequence[FloatArray], share: float
) -> dict[str, tuple[float, float]]:
    """Return (low, high) between which the share ``share`` of the values of each of ``tensors`` lies."""
    probe = Probe(network, tensors)
    low = dict.fromkeys(tensors, 0.0)
    high = dict.fromkeys(tensors, 0.0)
    for sample in samples:
        for name, value in probe.run(sample).items():
            if name in low:
                low[name] = min(low[name], float(value.min()))
                high[name] = max(high[name], float(value.max()))
    counts = {name: np.zeros(_BINS) for name in tensors}
    for sample in samples:
        for name, value in probe.run(sample).items():
            if name in counts and high[name] > low[name]:
                counts[name] += _histogram(value, low[name], high[name])
    return {name: _cut(counts[name], low[name], high[name], share) for name in tensors}


def _histogram(value: FloatArray, low: float, high: float) -> Array:
    flat = np.ascontiguousarray(value, np.float32).reshape(-1, 1)
    # The upper edge of calcHist is outside.
    upper = float(np.nextafter(np.float32(high), np.float32(np.inf)))
    counts: Array = cv2.calcHist([flat], [0], None, [_BINS], [low, upper]).reshape(-1).astype(np.float64)
    return counts


def _cut(counts: Array, low: float, high: float, share: float) -> tuple[float, float]:
    total = counts.sum()
    if total == 0:
        return low, high
    outside = (1 - share) / 2 * total
    width = (high - low) / _BINS
    below = int(np.searchsorted(np.cumsum(counts), outside, side="right"))
    above = int(np.searchsorted(np.cumsum(counts[::-1]), outside, side="right"))
    # Zero stays exact: padding and Relu depend on it.
    return min(low + below * width, 0.0), max(high - above * width, 0.0)
