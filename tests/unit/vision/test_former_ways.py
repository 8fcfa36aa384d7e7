"""What was made faster gives what it gave before: each is held against the plain way of doing it."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edged.domain.types import Box, Face, FloatArray, Image
from edged.vision.alignment import enlarged, similarity
from edged.vision.decoding import STRIDES, Candidates, decode_scrfd, decode_yunet
from edged.vision.embedder import _normalised
from edged.vision.liveness import _softmax
from edged.vision.liveness_parallax import _PATCH_PX, ParallaxWatch, _patch
from edged.vision.liveness_screen import screen_peak
from tests.unit.vision.conftest import ARCFACE, silent_outputs

SIZE = (64, 96)
seeds = st.integers(0, 2**32 - 1)


def noise(height: int, width: int, seed: int, blur: float = 0.0) -> Image:
    picture = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), blur), np.uint8) if blur else picture


def all_cells(
    decoder: str, outputs: list[FloatArray], threshold: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Decode every cell in float32, then choose: boxes, landmarks, scores."""
    anchors, singles = (2, 1) if decoder == "scrfd" else (1, 2)
    grid = np.concatenate(
        [
            np.repeat(
                [[x * s, y * s, s] for y in range(SIZE[1] // s) for x in range(SIZE[0] // s)], anchors, 0
            )
            for s in STRIDES
        ]
    ).astype(np.float32)
    heads = [np.concatenate([out.reshape(-1, out.shape[-1]) for out in outputs[k : k + 3]]) for k in
             range(0, len(outputs), 3)]  # fmt: skip
    corners, stride, sides = grid[:, :2], grid[:, 2:], heads[singles]
    if decoder == "yunet":
        scores = np.sqrt(np.prod([np.clip(head[:, 0], 0, 1) for head in heads[:2]], axis=0))
        sizes = np.exp(np.minimum(sides[:, 2:], 12)) * stride
        boxes = np.hstack([corners + sides[:, :2] * stride - sizes / 2, sizes])
    else:
        scores, sides = heads[0][:, 0], sides * stride
        boxes = np.hstack([corners - sides[:, :2], sides[:, :2] + sides[:, 2:]])
    marks = heads[singles + 1].reshape(-1, 5, 2) * stride[:, None] + corners[:, None]
    chosen = scores >= threshold
    return boxes[chosen], marks[chosen], scores[chosen]


@pytest.mark.parametrize(("decoder", "decode"), [("yunet", decode_yunet), ("scrfd", decode_scrfd)])
@given(seeds, st.sampled_from([-1.0, 0.0, 0.3, 0.6, 0.95, 2.0]))
def test_the_chosen_cells_alone_are_those_of_all(
    decoder: str, decode: object, seed: int, threshold: float
) -> None:
    random = np.random.default_rng(seed)
    outputs = [random.normal(0.4, 0.4, out.shape).astype(np.float32) for out in silent_outputs(decoder, SIZE)]
    found: Candidates = decode(outputs, SIZE, threshold)  # type: ignore[operator]
    boxes, marks, scores = all_cells(decoder, outputs, threshold)
    np.testing.assert_array_equal(found.scores, scores)
    np.testing.assert_array_equal(found.landmarks, marks)
    np.testing.assert_array_equal(found.boxes, boxes)


@given(seeds, st.floats(0.5, 2), st.tuples(st.integers(8, 130), st.integers(8, 130)))
def test_a_face_is_enlarged_as_its_three_channels_were(seed: int, zoom: float, size: tuple[int, int]) -> None:
    height, width = size
    face = noise(height, width, seed)
    shift = ((1 - zoom) * (width - 1) / 2, (1 - zoom) * (height - 1) / 2)
    matrix = np.array([[zoom, 0, shift[0]], [0, zoom, shift[1]]])
    plain = cv2.warpAffine(face, matrix, (width, height), flags=cv2.INTER_LINEAR)
    np.testing.assert_array_equal(enlarged(face, zoom), plain)


@given(seeds, st.floats(0.1, 200))
def test_landmarks_fit_a_template_that_was_looked_at_before_as_one_that_was_not(
    seed: int, spread: float
) -> None:
    template = np.array(ARCFACE, np.float32)
    points = np.random.default_rng(seed).normal(300, spread, (5, 2)).astype(np.float32)
    s, t = ([complex(x, y) for x, y in one.tolist()] for one in (points, template))
    s_mean, t_mean = sum(s) / 5, sum(t) / 5
    pairs = list(zip([one - s_mean for one in s], t, strict=True))
    factor = sum(one.conjugate() * (to - t_mean) for one, to in pairs) / sum(
        abs(one) ** 2 for one, _ in pairs
    )
    shift = t_mean - factor * s_mean
    plain = [[factor.real, -factor.imag, shift.real], [factor.imag, factor.real, shift.imag]]
    np.testing.assert_array_equal(similarity(points, template), plain)


@given(seeds, st.integers(1, 5))
def test_rows_are_brought_to_length_one_as_before(seed: int, count: int) -> None:
    rows = np.random.default_rng(seed).normal(size=(count, 128)).astype(np.float32)
    norms = np.sqrt(np.add.reduce(rows * rows, axis=1, keepdims=True))
    np.testing.assert_array_equal(_normalised(rows), rows / norms)


@given(seeds)
def test_the_distance_of_the_eyes_is_the_norm(seed: int) -> None:
    points = np.random.default_rng(seed).normal(200, 80, (5, 2)).astype(np.float32)
    face = Face(Box(0, 0, 10, 10), points, 1.0)
    assert face.eye_distance == float(np.linalg.norm(points[1] - points[0]))


@given(st.lists(st.floats(-100, 100, width=32), min_size=3, max_size=3))
def test_a_soft_maximum_differs_from_that_of_numpy_by_rounding_alone(logits: list[float]) -> None:
    wide = np.array(logits)
    weights = np.exp(wide - wide.max())
    assert _softmax(wide.astype(np.float32)) == pytest.approx(weights[1] / weights.sum(), rel=1e-14, abs=0)


def plain_peak(grey: np.ndarray) -> float:
    """``screen_peak`` of a square (S, S) of floats, ring by ring."""
    side = len(grey)
    window = np.outer(np.hanning(side), np.hanning(side))
    spectrum = np.abs(np.fft.rfft2((grey - cv2.GaussianBlur(grey, (0, 0), 3.0)) * window))
    radius = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side)[None])
    ring = (radius * side / 4).astype(int)
    usual = np.bincount(ring.ravel(), spectrum.ravel()) / np.maximum(1, np.bincount(ring.ravel()))
    return max(1.0, float((spectrum / (usual + 0.5 * 0.375 * side)[ring])[radius > 0.08].max()))


@given(seeds, st.integers(16, 80), st.floats(0, 3))
def test_stripes_are_held_against_the_same_rings(seed: int, half: int, blur: float) -> None:
    side = 2 * half
    picture = noise(side, side, seed, blur if blur > 0.3 else 0.0)
    grey = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY).astype(np.float32)
    assert screen_peak(picture, Box(0, 0, side, side)) == plain_peak(grey)


@given(seeds, st.floats(20, 200), st.floats(-20, 340), st.floats(-20, 260))
def test_a_patch_is_the_same_whatever_was_drawn_before(seed: int, wide: float, x: float, y: float) -> None:
    picture = noise(240, 320, seed)
    canvas = np.full((240, 320), np.nan, np.float32)
    patch, reach = _patch(picture, (x, y), wide, canvas), _PATCH_PX * wide / 48 / 2
    if patch is None:
        assert not (0 < reach <= x < 320 - reach and reach <= y < 240 - reach)
        return
    grey = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY).astype(np.float32)
    factor, half = 48 / wide, _PATCH_PX / 2
    matrix = np.array([[factor, 0, half - factor * x], [0, factor, half - factor * y]])
    plain = cv2.warpAffine(grey, matrix, (_PATCH_PX, _PATCH_PX), flags=cv2.INTER_AREA)
    np.testing.assert_array_equal(patch, plain)


def test_pictures_of_another_size_may_follow_each_other() -> None:
    def told(watch: ParallaxWatch, sizes: list[tuple[int, int]]) -> float | None:
        found = None
        for step, (height, width) in enumerate(sizes):
            face = Face(Box(140 + 6.0 * step, 90, 50, 60), np.zeros((5, 2), np.float32), 0.9)
            found = watch.update(
                1, step * 0.1, np.roll(noise(240, 320, 1, 3.0), 6 * step, 1)[:height, :width], face
            )
        return found

    steady = told(ParallaxWatch(), [(240, 320)] * 8)
    assert steady is not None
    watch = ParallaxWatch()
    told(watch, [(200, 300)] * 3)
    watch.forget(1)
    assert told(watch, [(240, 320)] * 8) == steady
