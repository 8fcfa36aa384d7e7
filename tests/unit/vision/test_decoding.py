"""Grid outputs to boxes, checked against hand-made outputs."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edged.domain.types import FloatArray
from edged.errors import ModelError
from edged.vision.decoding import (
    Candidates,
    canvas_size,
    decode_scrfd,
    decode_yunet,
    letterbox,
    suppress,
)
from tests.unit.vision.conftest import silent_outputs

SIZE = (64, 96)  # not square, so that rows and columns cannot be confused
sides = st.integers(1, 5000)


@given(sides, sides, st.sampled_from([(320, 320), (640, 640), (320, 192)]), st.data())
def test_a_point_in_the_picture_comes_back(
    width: int, height: int, input_size: tuple[int, int], data: st.DataObject
) -> None:
    fit = letterbox((width, height), input_size)
    assert 1 <= fit.width <= input_size[0]
    assert 1 <= fit.height <= input_size[1]
    x, y = data.draw(st.floats(0, fit.width, width=32)), data.draw(st.floats(0, fit.height, width=32))
    inside = np.array([x, y], np.float32)
    there = fit.to_image(inside)
    assert 0 <= there[0] <= width * (1 + 1e-6)
    assert 0 <= there[1] <= height * (1 + 1e-6)
    np.testing.assert_allclose(fit.to_input(there), inside, rtol=1e-5, atol=1e-4)


@given(st.integers(40, 5000), st.integers(40, 5000))
def test_proportions_are_kept(width: int, height: int) -> None:
    fit = letterbox((width, height), (320, 320))
    # Rounding to whole pixels moves the shorter side by half a pixel at most.
    assert abs(fit.width - width * 320 / max(width, height)) <= 0.5
    assert abs(fit.height - height * 320 / max(width, height)) <= 0.5


@given(sides, sides, st.sampled_from([(320, 320), (640, 640), (320, 192), (32, 32)]))
def test_the_canvas_is_the_least_that_holds_the_picture_and_some_black(
    width: int, height: int, input_size: tuple[int, int]
) -> None:
    fit = letterbox((width, height), input_size)
    for side, drawn, whole in zip(
        canvas_size(fit, input_size), (fit.width, fit.height), input_size, strict=True
    ):
        assert side % 32 == 0
        assert drawn <= side <= whole
        assert side == whole or side - drawn >= 32
        assert side - 32 < drawn + 32


def test_a_yunet_cell_is_decoded_by_the_published_formula() -> None:
    outputs = silent_outputs("yunet", SIZE)
    row, column, stride = 2, 3, 16
    cell = row * (SIZE[0] // stride) + column
    outputs[1][0, cell, 0], outputs[4][0, cell, 0] = 0.81, 1.0
    outputs[7][0, cell] = [0.5, -0.25, np.log(2), np.log(3)]
    outputs[10][0, cell] = np.arange(10) / 10
    found = decode_yunet(outputs, SIZE, 0.5)
    assert found.scores == pytest.approx([0.9])
    # centre (3.5, 1.75) * 16, size (2, 3) * 16
    np.testing.assert_allclose(found.boxes, [[56 - 16, 28 - 24, 32, 48]], rtol=1e-5)
    expected = [[(3 + k / 5) * 16, (2 + k / 5 + 0.1) * 16] for k in range(5)]
    np.testing.assert_allclose(found.landmarks[0], expected, rtol=1e-5)


@pytest.mark.parametrize("anchor", [0, 1])
def test_a_scrfd_anchor_is_decoded_by_the_published_formula(anchor: int) -> None:
    outputs = silent_outputs("scrfd", SIZE)
    row, column, stride = 1, 1, 32
    index = (row * (SIZE[0] // stride) + column) * 2 + anchor
    outputs[2][index, 0] = 0.7
    outputs[5][index] = [0.5, 0.25, 1.0, 2.0]
    outputs[8][index] = np.arange(10) / 10
    found = decode_scrfd(outputs, SIZE, 0.5)
    assert found.scores == pytest.approx([0.7])
    np.testing.assert_allclose(found.boxes, [[32 - 16, 32 - 8, 48, 72]], rtol=1e-5)
    expected = [[32 + k / 5 * 32, 32 + (k / 5 + 0.1) * 32] for k in range(5)]
    np.testing.assert_allclose(found.landmarks[0], expected, rtol=1e-5)


@pytest.mark.parametrize(("decoder", "decode"), [("yunet", decode_yunet), ("scrfd", decode_scrfd)])
class TestBothFamilies:
    def test_silence_gives_no_candidates(self, decoder: str, decode: object) -> None:
        found = decode(silent_outputs(decoder, SIZE), SIZE, 0.5)  # type: ignore[operator]
        assert found.boxes.shape == (0, 4)
        assert found.landmarks.shape == (0, 5, 2)

    def test_the_order_of_the_outputs_does_not_matter(self, decoder: str, decode: object) -> None:
        rng = np.random.default_rng(3)
        outputs = [rng.random(out.shape, np.float32) for out in silent_outputs(decoder, SIZE)]
        one = decode(outputs, SIZE, 0.5)  # type: ignore[operator]
        other = decode(outputs[::-1], SIZE, 0.5)  # type: ignore[operator]
        assert len(one.scores) > 0
        np.testing.assert_array_equal(one.boxes, other.boxes)
        np.testing.assert_array_equal(one.landmarks, other.landmarks)

    def test_outputs_of_another_input_size_are_refused(self, decoder: str, decode: object) -> None:
        with pytest.raises(ModelError, match="64x96"):
            decode(silent_outputs(decoder, (64, 64)), SIZE, 0.5)  # type: ignore[operator]

    def test_a_missing_output_is_refused(self, decoder: str, decode: object) -> None:
        with pytest.raises(ModelError, match="outputs"):
            decode(silent_outputs(decoder, SIZE)[:-1], SIZE, 0.5)  # type: ignore[operator]

    @pytest.mark.parametrize("bad", [np.nan, np.inf])
    def test_numbers_that_are_not_finite_are_refused(self, decoder: str, decode: object, bad: float) -> None:
        outputs = silent_outputs(decoder, SIZE)
        outputs[0].flat[0] = bad
        with pytest.raises(ModelError, match="finite"):
            decode(outputs, SIZE, 0.5)  # type: ignore[operator]


def test_an_absurd_size_does_not_overflow() -> None:
    outputs = silent_outputs("yunet", SIZE)
    for index in (0, 3):
        outputs[index][...] = 1
    outputs[6][...] = 1e6
    assert np.isfinite(decode_yunet(outputs, SIZE, 0.5).boxes).all()


@st.composite
def clouds(draw: st.DrawFn) -> Candidates:
    count = draw(st.integers(0, 30))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    boxes = np.hstack([rng.uniform(0, 100, (count, 2)), rng.uniform(1, 80, (count, 2))])
    scores = rng.permutation(count) / 40 + 0.2
    return Candidates(
        boxes.astype(np.float32), np.zeros((count, 5, 2), np.float32), scores.astype(np.float32)
    )


def overlap(a: FloatArray, b: FloatArray) -> float:
    low, high = np.maximum(a[:2], b[:2]), np.minimum(a[:2] + a[2:], b[:2] + b[2:])
    shared = float(np.prod(np.maximum(high - low, 0)))
    return shared / (float(a[2] * a[3] + b[2] * b[3]) - shared)


@given(clouds(), st.sampled_from([0.3, 0.4]))
def test_suppression_leaves_no_overlap_loses_no_face_and_is_idempotent(
    cloud: Candidates, max_iou: float
) -> None:
    kept = suppress(cloud, max_iou)
    assert list(kept.scores) == sorted(kept.scores, reverse=True)
    for i, box in enumerate(kept.boxes):
        assert all(overlap(box, other) <= max_iou + 1e-5 for other in kept.boxes[:i])
    for box, score in zip(cloud.boxes, cloud.scores, strict=True):
        assert any(
            overlap(box, other) > max_iou - 1e-5 and better >= score
            for other, better in zip(kept.boxes, kept.scores, strict=True)
        )
    np.testing.assert_array_equal(suppress(kept, max_iou).boxes, kept.boxes)


def test_suppression_is_bounded() -> None:
    grid = np.stack(np.meshgrid(np.arange(60.0), np.arange(60.0)), axis=-1).reshape(-1, 2) * 10
    boxes = np.hstack([grid, np.full_like(grid, 5)]).astype(np.float32)
    cloud = Candidates(boxes, np.zeros((3600, 5, 2), np.float32), np.full(3600, 0.9, np.float32))
    assert len(suppress(cloud, 0.3).scores) <= 1000
