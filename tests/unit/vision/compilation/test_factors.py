"""A factor that went into a convolution leaves every number as it was."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edged.vision.compilation.factors import fold_factors
from edged.vision.compilation.prelu import FORMS, Form, expand_prelu
from edged.vision.quantization.network import Network
from tests.unit.vision.compilation.test_prelu import bent, check_same
from tests.unit.vision.quantization.graphs import Builder, kinds


def expanded(slopes: list[float], form: Form) -> tuple[Builder, Network, Network]:
    build, network = bent(slopes)
    expand_prelu(network, form)
    return build, network, network.copy()


@pytest.mark.parametrize("form", FORMS)
def test_one_pass_less_for_slopes_of_all_kinds(form: Form) -> None:
    build, network, folded = expanded([-2.0, -0.1, 0.0, 0.25, 3.0], form)
    assert fold_factors(folded) == 1
    assert len(folded.nodes) == len(network.nodes) - 1
    check_same(network, folded, build.samples())


@given(st.lists(st.floats(-8, 8, width=32), min_size=1, max_size=5), st.sampled_from(FORMS))
def test_any_slopes(slopes: list[float], form: Form) -> None:
    build, network, folded = expanded(slopes, form)
    near = [abs(1 - slope) for slope in slopes]
    assert fold_factors(folded) == int(min(near) >= 1e-6)
    check_same(network, folded, build.samples(2))


@pytest.mark.parametrize("form", FORMS)
def test_a_slope_of_one_leaves_no_factor_to_divide_by(form: Form) -> None:
    _, network, folded = expanded([0.5, 1.0], form)
    assert fold_factors(folded) == 0
    assert kinds(folded) == kinds(network)


def factor(build: Builder, x: str, *, stride: int = 1) -> str:
    weight = build.constant(np.reshape([0.5, -2.0, 3.0], (3, 1, 1, 1)))
    return build.node("Conv", x, weight, group=3, strides=[stride, stride])


def test_another_convolution_that_reads_the_tensor_is_divided() -> None:
    build = Builder()
    x = build.conv("x", 3, 3)
    network = build.network(
        build.node("Concat", build.node("Relu", factor(build, x)), build.conv(x, 3, 5), axis=1)
    )
    folded = network.copy()
    assert fold_factors(folded) == 1
    check_same(network, folded, build.samples())


@pytest.mark.parametrize("kind", ["steps", "pooled", "an output", "read twice", "no convolution", "sum"])
def test_where_it_would_be_another_function_it_stays(kind: str) -> None:
    build = Builder()
    x = "x" if kind == "no convolution" else build.conv("x", 3, 3)
    part = factor(build, x, stride=2 if kind == "steps" else 1)
    outputs = [build.node("Relu", part)]
    if kind == "pooled":
        outputs.append(build.node("GlobalMaxPool", x))
    elif kind == "an output":
        outputs.append(x)
    elif kind == "read twice":
        outputs.append(build.node("Sigmoid", part))
    elif kind == "sum":
        outputs.append(build.node("Mul", x, x))
    network = build.network(*outputs)
    before = kinds(network)
    assert fold_factors(network) == 0
    assert kinds(network) == before
