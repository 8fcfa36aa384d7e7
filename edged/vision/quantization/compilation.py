"""A float32 network made ready for int8, and shown to be the same function still."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edged.domain.types import FloatArray
from edged.errors import ModelError
from edged.vision.quantization.equalization import channel_groups, equalize
from edged.vision.quantization.folding import fold
from edged.vision.quantization.network import Network
from edged.vision.quantization.prelu import rewrite_prelu
from edged.vision.quantization.ranges import Probe, channel_magnitudes

# Largest difference of an output, as a share of its largest value. Rewriting y1 (33 PRelu, 37 groups)
# costs 1e-6, which is float32's own rounding; a wrong rewrite costs 1e-2 and more.
TOLERANCE = 1e-4
# MobileFaceNet y1, cosine of int8 to float32: 0.9948, 0.9959, 0.9953, 0.9940 at 0.5, 0.7, 0.85, 1;
# 0.931 without. Between the extremes the noise of weights and of activations balance.
EXPONENT = 0.7


@dataclass(frozen=True, slots=True)
class Compiled:
    """``network`` is the same function; ``deviation`` is how nearly, as a share of the outputs."""

    network: Network
    prelus: int
    groups: int
    deviation: float


def compile_network(
    source: Network,
    samples: Sequence[FloatArray],
    *,
    exponent: float = EXPONENT,
    tolerance: float = TOLERANCE,
) -> Compiled:
    """Fold, rewrite and equalize ``source``, which stays as it is.

    ``samples`` are inputs of real pictures. Raises ``ModelError`` where the result differs on one of them
    by more than ``tolerance``.
    """
    network = source.copy()
    fold(network)
    prelus = rewrite_prelu(network)
    tensors = sorted({name for group in channel_groups(network) for name in group.tensors})
    groups = equalize(network, channel_magnitudes(network, tensors, samples), exponent)
    deviation = _deviation(source, network, samples)
    # Written so that NaN fails too.
    if not deviation <= tolerance:
        raise ModelError(
            f"the rewritten network differs from the original by {deviation:.2g} of its output, "
            f"expected at most {tolerance:g}: it cannot be quantized"
        )
    return Compiled(network, prelus, groups, deviation)


def _deviation(one: Network, other: Network, samples: Sequence[FloatArray]) -> float:
    """Return the largest difference of an output, as a share of its largest value over all samples."""
    first, second = Probe(one), Probe(other)
    sizes, differences = dict.fromkeys(one.outputs, 1e-30), dict.fromkeys(one.outputs, 0.0)
    for sample in samples:
        expected, got = first.run(sample), second.run(sample)
        for name in one.outputs:
            sizes[name] = max(sizes[name], float(np.abs(expected[name]).max()))
            # max() of Python would drop a NaN.
            differences[name] = float(np.maximum(differences[name], np.abs(expected[name] - got[name]).max()))
    return float(np.max([differences[name] / sizes[name] for name in one.outputs]))
