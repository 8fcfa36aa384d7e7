"""PRelu in other operators is the same function, whatever its slopes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edged.vision.compilation.prelu import FORMS, Form, expand_prelu
from edged.vision.quantization.network import Network
from edged.vision.quantization.ranges import Probe
from tests.unit.vision.quantization.graphs import Array, Builder, kinds

TOLERANCE = 1e-5
EVERY_KIND = [-2.0, -0.1, 0.0, 0.25, 1.0, 3.0]


def outputs(network: Network, samples: list[Array]) -> list[Array]:
    probe = Probe(network)
    return [probe.run(sample)[network.outputs[0]] for sample in samples]


def check_same(network: Network, other: Network, samples: list[Array]) -> None:
    for expected, got in zip(outputs(network, samples), outputs(other, samples), strict=True):
        np.testing.assert_allclose(got, expected, rtol=TOLERANCE, atol=TOLERANCE * np.abs(expected).max())


def bent(slopes: list[float]) -> tuple[Builder, Network]:
    """A PRelu between convolutions; a depthwise one and another read it."""
    build = Builder()
    middle = build.prelu(build.conv("x", 3, len(slopes)), slopes)
    count = len(slopes)
    joined = build.node(
        "Concat", build.conv(middle, count, count, group=count), build.conv(middle, count, 2, size=1), axis=1
    )
    return build, build.network(joined)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("slopes", [EVERY_KIND, [-0.5, -3.0], [0.1, 0.9], [1.0, 1.0], [1.5, 40.0]], ids=str)
def test_slopes_below_zero_up_to_one_and_above(slopes: list[float], form: Form) -> None:
    build, network = bent(slopes)
    expanded = network.copy()
    assert expand_prelu(expanded, form) == 1
    assert "PRelu" not in kinds(expanded)
    check_same(network, expanded, build.samples())


@given(st.lists(st.floats(-8, 8, width=32), min_size=1, max_size=5), st.sampled_from(FORMS))
def test_any_slopes(slopes: list[float], form: Form) -> None:
    build, network = bent(slopes)
    expanded = network.copy()
    assert expand_prelu(expanded, form) == 1
    check_same(network, expanded, build.samples(2))


def test_one_slope_serves_all_channels() -> None:
    build = Builder()
    network = build.network(build.conv(build.prelu(build.conv("x", 3, 6), [1.3]), 6, 4))
    expanded = network.copy()
    assert expand_prelu(expanded, "products") == 1
    check_same(network, expanded, build.samples(2))


def test_one_after_another() -> None:
    build = Builder()
    first = build.prelu(build.conv("x", 3, 4), [2.0, 0.5, -1.0, 1.2])
    second = build.prelu(build.conv(first, 4, 4), [0.5, 2.0, 1.1, 0.0])
    network = build.network(build.conv(second, 4, 2))
    expanded = network.copy()
    assert expand_prelu(expanded, "convolutions") == 2
    check_same(network, expanded, build.samples(2))


def test_slopes_up_to_one_may_be_read_by_anything() -> None:
    build = Builder()
    network = build.network(build.node("Sigmoid", build.prelu(build.conv("x", 3, 2), [0.5, -1.0])))
    expanded = network.copy()
    assert expand_prelu(expanded, "products") == 1
    check_same(network, expanded, build.samples(2))


def test_a_sign_that_no_weight_behind_can_take_leaves_prelu_as_it_is() -> None:
    build = Builder()
    network = build.network(build.node("Sigmoid", build.prelu(build.conv("x", 3, 2), [0.5, 1.5])))
    expanded = network.copy()
    assert expand_prelu(expanded, "products") == 0
    check_same(network, expanded, build.samples(1))


def test_a_sign_stays_out_of_a_convolution_that_another_reads() -> None:
    build = Builder()
    shared = build.conv("x", 3, 2)
    turned = build.conv(build.prelu(shared, [0.5, 1.5]), 2, 2)
    network = build.network(build.node("Add", turned, shared))
    expanded = network.copy()
    assert expand_prelu(expanded, "products") == 0
    check_same(network, expanded, build.samples(1))


def test_slopes_along_a_row_are_not_taken_for_slopes_of_channels() -> None:
    build = Builder((1, 3, 8, 8))
    along_the_width = build.constant(np.linspace(-1, 0.9, 8))
    network = build.network(build.node("PRelu", build.conv("x", 3, 8), along_the_width))
    assert expand_prelu(network, "products") == 0


def test_a_prelu_behind_no_convolution_stays() -> None:
    build = Builder()
    network = build.network(build.conv(build.prelu(build.node("Abs", "x"), [0.1, 0.2, 0.3]), 3, 2))
    assert expand_prelu(network, "products") == 0
