"""Multiplications are counted by hand."""

from pathlib import Path

import numpy as np
import pytest

from edged.errors import ModelError
from edged.vision.compilation.limit import Limit, count_macs, limit_of, peak_gmacs
from tests.unit.vision.conftest import detector_spec
from tests.unit.vision.quantization.graphs import Builder


def test_convolutions_and_products_are_counted() -> None:
    build = Builder((1, 3, 8, 8))
    plain = build.conv("x", 3, 4)
    deep = build.conv(plain, 4, 4, group=4)
    network = build.network(build.gemm(build.node("Flatten", deep), 256, 10))
    assert count_macs(network, (8, 8)) == 64 * 4 * 3 * 9 + 64 * 4 * 9 + 256 * 10


def test_weights_of_int8_count_as_much() -> None:
    build = Builder((1, 3, 8, 8))
    step = build.constant(0.1)
    build.constants |= {"zero": np.int8(0), "w": np.ones((4, 3, 1, 1), np.int8)}
    network = build.network(build.node("Conv", "x", build.node("DequantizeLinear", "w", step, "zero")))
    assert count_macs(network, (8, 8)) == 64 * 4 * 3


def test_a_size_that_does_not_fit_is_told() -> None:
    build = Builder((1, 3, 8, 8))
    with pytest.raises(ModelError, match="cannot be counted"):
        count_macs(build.network(build.conv("x", 3, 4)), (9, 9))


def test_a_detector_that_is_shown_less_multiplies_as_much_less(tmp_path: Path) -> None:
    build, path = Builder((1, 3, 64, 64)), tmp_path / "model.onnx"
    path.write_bytes(build.model(build.conv("x", 3, 4)).SerializeToString())
    whole, part = (limit_of(path, detector_spec(), 1, shown) for shown in (None, (64, 48)))
    assert whole.macs == 64 * 64 * 4 * 3 * 9
    assert part.macs == whole.macs * 3 // 4


def test_the_bound_is_what_the_peak_allows() -> None:
    limit = Limit("float32", 200_000_000, 100.0)
    assert limit.bound_ms == pytest.approx(2.0)
    assert limit.share(4.0) == pytest.approx(0.5)


@pytest.mark.parametrize("kind", ["float32", "int8"])
def test_the_machine_multiplies(kind: str) -> None:
    assert peak_gmacs(kind, 1) > 0  # type: ignore[arg-type]
