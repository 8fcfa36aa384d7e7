"""What is rewritten before int8 is the same function still."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edged.errors import ModelError
from edged.vision.quantization.compilation import compile_network
from edged.vision.quantization.equalization import channel_groups, equalize
from edged.vision.quantization.folding import fold
from edged.vision.quantization.network import Network
from edged.vision.quantization.prelu import rewrite_prelu
from edged.vision.quantization.ranges import Probe, channel_magnitudes, spans
from tests.unit.vision.quantization.graphs import Array, Builder, kinds

TOLERANCE = 1e-5


def difference(one: Network, other: Network, samples: list[Array]) -> float:
    first, second = Probe(one), Probe(other)
    name = one.outputs[0]
    pairs = [(first.run(sample)[name], second.run(sample)[name]) for sample in samples]
    return float(max(np.abs(a - b).max() / np.abs(a).max() for a, b in pairs))


@pytest.mark.parametrize("bias", [True, False])
def test_batch_normalisation_goes_into_the_convolution_before_it(bias: bool) -> None:
    build = Builder()
    network = build.network(build.node("Relu", build.norm(build.conv("x", 3, 5, bias=bias), 5)))
    folded = network.copy()
    fold(folded)
    assert kinds(folded) == ["Conv", "Relu"]
    assert difference(network, folded, build.samples()) < TOLERANCE


def test_batch_normalisation_goes_into_the_matrix_product_before_it() -> None:
    build = Builder((4, 6))
    network = build.network(build.norm(build.gemm("x", 6, 5), 5))
    folded = network.copy()
    fold(folded)
    assert kinds(folded) == ["Gemm"]
    assert difference(network, folded, build.samples()) < TOLERANCE


def test_batch_normalisation_stays_where_another_reads_the_convolution() -> None:
    build = Builder()
    shared = build.conv("x", 3, 5)
    network = build.network(build.node("Add", build.norm(shared, 5), shared))
    folded = network.copy()
    fold(folded)
    assert kinds(folded) == kinds(network)
    assert difference(network, folded, build.samples()) == 0


def test_idle_nodes_are_taken_out() -> None:
    build = Builder()
    idle = build.node("Dropout", build.node("Identity", build.conv("x", 3, 4)))
    network = build.network(build.node("Relu", idle))
    fold(network)
    assert kinds(network) == ["Conv", "Relu"]
    assert Probe(network).run(build.samples(1)[0])


@given(st.lists(st.floats(-2, 3, width=32), min_size=6, max_size=6))
def test_prelu_is_rewritten_exactly_for_any_slope(slopes: list[float]) -> None:
    build = Builder()
    bent = build.prelu(build.conv("x", 3, 6), slopes)
    network = build.network(build.conv(build.conv(bent, 6, 6, group=6), 6, 4, size=1))
    rewritten = network.copy()
    assert rewrite_prelu(rewritten) == 1
    assert "PRelu" not in kinds(rewritten)
    assert difference(network, rewritten, build.samples(2)) < TOLERANCE


def test_one_slope_serves_all_channels() -> None:
    build = Builder()
    network = build.network(build.conv(build.prelu(build.conv("x", 3, 6), [-0.3]), 6, 4))
    rewritten = network.copy()
    assert rewrite_prelu(rewritten) == 1
    assert difference(network, rewritten, build.samples(2)) < TOLERANCE


def test_a_sign_that_no_weight_can_take_leaves_prelu_as_it_is() -> None:
    build = Builder()
    network = build.network(build.prelu(build.conv("x", 3, 2), [0.5, 1.5]))
    assert rewrite_prelu(network) == 0
    assert kinds(network) == ["Conv", "PRelu"]


def test_a_prelu_behind_no_layer_with_weights_stays() -> None:
    build = Builder()
    network = build.network(build.conv(build.prelu(build.node("Abs", "x"), [0.1, 0.2, 0.3]), 3, 2))
    assert rewrite_prelu(network) == 0


def residual() -> tuple[Builder, Network]:
    """Every kind of join: a shortcut, depthwise, pooling, a matrix product behind a Flatten."""
    build = Builder()
    first = build.node("Relu", build.conv("x", 3, 6))
    inner = build.node("Relu", build.conv(first, 6, 6, group=6))
    total = build.node("Add", build.conv(inner, 6, 6, size=1), first)
    pooled = build.node("MaxPool", total, kernel_shape=[2, 2], strides=[2, 2])
    return build, build.network(build.gemm(build.node("Flatten", pooled), 6 * 16, 5))


@given(st.floats(0, 1))
def test_equalization_changes_no_output(exponent: float) -> None:
    build, network = residual()
    ranges = {
        name: build.random.uniform(1e-3, 1e3, 6)
        for group in channel_groups(network)
        for name in group.tensors
    }
    equalized = network.copy()
    assert equalize(equalized, ranges, exponent) == 2
    assert difference(network, equalized, build.samples(2)) < TOLERANCE


def test_equalization_brings_channels_to_like_ranges() -> None:
    build = Builder()
    uneven = build.constant(build.weights(6, 3, 3, 3) * np.array([1, 1, 30, 1, 0.1, 1]).reshape(-1, 1, 1, 1))
    bent = build.node("Relu", build.node("Conv", "x", uneven, pads=[1] * 4))
    network = build.network(build.conv(bent, 6, 4))
    samples = build.samples()
    before = channel_magnitudes(network, [bent], samples)[bent]
    assert equalize(network, {bent: before}, 1.0) == 1
    after = channel_magnitudes(network, [bent], samples)[bent]
    assert before.max() / before.min() > 100
    assert after.max() / after.min() < 1.01


def test_a_channel_that_never_speaks_is_no_trouble() -> None:
    build = Builder()
    weight = build.weights(4, 3, 3, 3)
    weight[2] = 0
    bent = build.node("Relu", build.node("Conv", "x", build.constant(weight), pads=[1] * 4))
    network = build.network(build.conv(bent, 4, 4))
    equalized = compile_network(network, build.samples()).network
    assert difference(network, equalized, build.samples(2)) < TOLERANCE


@pytest.mark.parametrize("kind", ["Sigmoid", "Abs"])
def test_channels_are_not_scaled_across_what_is_unknown(kind: str) -> None:
    build = Builder()
    network = build.network(build.conv(build.node(kind, build.conv("x", 3, 4)), 4, 2))
    assert channel_groups(network) == []


def test_outputs_are_not_scaled() -> None:
    build = Builder()
    seen = build.node("Relu", build.conv("x", 3, 4))
    network = build.network(seen, build.conv(seen, 4, 2))
    assert channel_groups(network) == []


def test_a_weight_that_two_layers_share_is_scaled_for_one_alone() -> None:
    build = Builder()
    weight = build.constant(build.weights(3, 3, 3, 3))
    first = build.node("Relu", build.node("Conv", "x", weight, pads=[1] * 4))
    network = build.network(build.node("Conv", first, weight, pads=[1] * 4))
    equalized = compile_network(network, build.samples()).network
    assert difference(network, equalized, build.samples(2)) < TOLERANCE


def test_a_network_that_cannot_be_followed_is_refused() -> None:
    build = Builder()
    network = build.network(build.node("Log", build.node("Sub", build.conv("x", 3, 4), build.constant(1e6))))
    with pytest.raises(ModelError, match="differs from the original by nan"):
        compile_network(network, build.samples())


def test_spans_leave_out_the_few_that_stand_apart() -> None:
    build = Builder((1, 3, 100, 100))
    network = build.network(build.node("Relu", "x"))
    sample = build.random.uniform(-1, 1, build.shape).astype(np.float32)
    sample[0, 0, 0, 0] = 50
    found = spans(network, ["x", network.outputs[0]], [sample], 0.99)
    low, high = found["x"]
    assert -1.1 < low < -0.95
    assert 0.95 < high < 1.1
    assert found[network.outputs[0]][0] == 0
    assert spans(network, ["x"], [sample], 1.0)["x"][1] == pytest.approx(50)
