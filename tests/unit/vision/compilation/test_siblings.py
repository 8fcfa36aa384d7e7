"""Convolutions that are joined give the numbers that they gave apart."""

import numpy as np
import pytest

from edged.vision.compilation.siblings import join_siblings
from edged.vision.quantization.network import Network
from edged.vision.quantization.ranges import Probe
from tests.unit.vision.quantization.graphs import Builder, kinds

HEADS = [1, 4, 1, 10]


def check_joined(build: Builder, outputs: list[str], operators: list[str]) -> None:
    network = build.network(*outputs)
    joined = network.copy()
    assert join_siblings(joined) == 1
    assert kinds(joined) == operators
    check_same(network, joined, build)


def check_same(network: Network, other: Network, build: Builder) -> None:
    first, second = Probe(network), Probe(other)
    for sample in build.samples(4):
        expected, got = first.run(sample), second.run(sample)
        for name in network.outputs:
            np.testing.assert_allclose(got[name], expected[name], rtol=1e-5, atol=1e-5)


def test_heads_with_a_depthwise_convolution_behind_each() -> None:
    build = Builder()
    trunk = build.node("Relu", build.conv("x", 3, 8))
    heads = [build.conv(build.conv(trunk, 8, n, size=1), n, n, group=n) for n in HEADS]
    check_joined(build, heads, ["Conv", "Relu", "Conv", "Conv", "Split"])


def test_heads_whose_outputs_are_read_further_on() -> None:
    build = Builder()
    trunk = build.node("Relu", build.conv("x", 3, 8))
    heads = [build.node("Sigmoid", build.conv(trunk, 8, n, bias=False)) for n in (2, 8, 20)]
    check_joined(build, heads, ["Conv", "Relu", "Conv", "Split", "Sigmoid", "Sigmoid", "Sigmoid"])


def test_an_output_between_two_convolutions_stays_one() -> None:
    build = Builder()
    first, second = build.conv("x", 3, 2), build.conv("x", 3, 3)
    behind = [build.conv(first, 2, 2, group=2), build.conv(second, 3, 3, group=3)]
    check_joined(build, [*behind, first], ["Conv", "Split", "Conv", "Conv"])


@pytest.mark.parametrize("kind", ["reach", "bias", "groups", "full blocks", "alone"])
def test_what_is_not_alike_stays_apart(kind: str) -> None:
    build = Builder((1, 4, 8, 8))
    if kind == "reach":
        heads = [build.conv("x", 4, 2, size=1), build.conv("x", 4, 2, size=3)]
    elif kind == "bias":
        heads = [build.conv("x", 4, 2), build.conv("x", 4, 2, bias=False)]
    elif kind == "groups":
        heads = [build.conv("x", 4, 2), build.conv("x", 4, 2, group=2)]
    elif kind == "full blocks":
        heads = [build.conv("x", 4, 16), build.conv("x", 4, 32)]
    else:
        heads = [build.conv("x", 4, 2), build.node("Relu", "x")]
    network = build.network(*heads)
    before = kinds(network)
    assert join_siblings(network) == 0
    assert kinds(network) == before


def test_depthwise_convolutions_that_differ_stay_behind_the_joined_one() -> None:
    build = Builder()
    first, second = build.conv("x", 3, 2, size=1), build.conv("x", 3, 3, size=1)
    behind = [build.conv(first, 2, 2, group=2), build.conv(second, 3, 3, group=3, size=1)]
    check_joined(build, behind, ["Conv", "Split", "Conv", "Conv"])
