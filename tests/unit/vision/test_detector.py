"""The detector around a network with hand-made outputs."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edged.domain.types import FloatArray
from edged.errors import ModelError
from edged.vision.detector import FaceDetector, network_input
from edged.vision.session import Shape
from tests.unit.vision.conftest import FakeSession, detector_spec, embedder_spec, silent_outputs

SIZE = (64, 64)


def blob_finder(tensor: FloatArray) -> list[FloatArray]:
    """A YuNet that reports an 8x8 box at every white cell of stride 8."""
    outputs = silent_outputs("yunet", SIZE)
    white = tensor[0].mean(axis=0).reshape(8, 8, 8, 8).mean(axis=(1, 3)).reshape(-1) > 200
    outputs[0][0, white, 0] = outputs[3][0, white, 0] = 1
    outputs[6][0, :, :2] = 0.5
    outputs[9][0] = [0.2, 0.3, 0.8, 0.3, 0.5, 0.5, 0.3, 0.7, 0.7, 0.7]
    return outputs


def detector(threshold: float = 0.5) -> FaceDetector:
    return FaceDetector(FakeSession((1, 3, 64, 64), blob_finder), detector_spec(), threshold=threshold)


@pytest.mark.parametrize(("height", "width"), [(64, 64), (480, 640), (640, 360), (2160, 3840), (32, 32)])
def test_a_face_is_reported_in_pixels_of_the_picture(height: int, width: int) -> None:
    image = np.zeros((height, width, 3), np.uint8)
    cell = max(width, height) / 8
    x0, y0 = 2 * cell, 1 * cell
    image[int(y0) : int(y0 + cell), int(x0) : int(x0 + cell)] = 255
    (face,) = detector().detect(image)
    assert (face.box.x, face.box.y) == pytest.approx((x0, y0), abs=0.02 * cell)
    assert (face.box.width, face.box.height) == pytest.approx((cell, cell), rel=0.02)
    np.testing.assert_allclose(face.landmarks[2], [x0 + cell / 2, y0 + cell / 2], atol=0.02 * cell)
    assert face.landmarks[0, 0] < face.landmarks[1, 0]
    assert face.score == pytest.approx(1)
    assert not face.landmarks.flags.writeable


@given(st.integers(1, 400), st.integers(1, 400), st.integers(0, 2**32 - 1))
def test_any_picture_is_taken(width: int, height: int, seed: int) -> None:
    image = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    for face in detector().detect(image):
        assert face.box.x >= -1e-3
        assert face.box.x + face.box.width <= width + width / 8
        assert np.ptp(face.landmarks, axis=0).min() > 0


def test_a_picture_is_not_kept_from_one_call_to_the_next() -> None:
    one = detector()
    assert one.detect(np.full((64, 64, 3), 255, np.uint8))
    assert one.detect(np.zeros((64, 64, 3), np.uint8)) == []
    assert len(one.detect(np.full((8, 64, 3), 255, np.uint8))) == 8


def test_what_was_found_stays_when_the_next_picture_comes() -> None:
    """Memory is used again from picture to picture; a face that changed later would be somebody else's."""
    one, kept = detector(), []
    for column in range(4):
        image = np.zeros((64, 64, 3), np.uint8)
        image[8:16, 16 * column : 16 * column + 8] = 255
        (face,) = one.detect(image)
        kept.append((face, face.landmarks.copy(), float(16 * column)))
    for face, landmarks, left in kept:
        np.testing.assert_array_equal(face.landmarks, landmarks)
        assert face.box.x == pytest.approx(left)
        assert left < face.landmarks[2, 0] < left + 8


@pytest.mark.parametrize("decoder", ["yunet", "scrfd"])
@given(seed=st.integers(0, 2**32 - 1))
def test_kept_memory_feeds_what_fresh_memory_would(decoder: str, seed: int) -> None:
    random = np.random.default_rng(seed)
    spec = detector_spec(decoder)
    session = FakeSession((1, 3, 64, 64), lambda _: silent_outputs(decoder, SIZE))
    one = FaceDetector(session, spec, threshold=0.5)
    for _ in range(4):
        image = random.integers(0, 256, (*random.integers(1, 200, 2), 3), np.uint8)
        one.detect(image)
        np.testing.assert_array_equal(session.seen[-1], network_input(image, spec))


def open_finder(size: tuple[int, int] = (320, 320)) -> tuple[FaceDetector, FakeSession]:
    """A YuNet for any size that reports an 8x8 box at every white cell of stride 8."""

    def answer(tensor: FloatArray) -> list[FloatArray]:
        height, width = tensor.shape[2:]
        outputs = silent_outputs("yunet", (width, height))
        cells = tensor[0].mean(axis=0).reshape(height // 8, 8, width // 8, 8).mean(axis=(1, 3)).reshape(-1)
        outputs[0][0, cells > 200, 0] = outputs[3][0, cells > 200, 0] = 1
        outputs[6][0, :, :2] = 0.5
        outputs[9][0] = [0.2, 0.3, 0.8, 0.3, 0.5, 0.5, 0.3, 0.7, 0.7, 0.7]
        return outputs

    session = FakeSession((1, 3, "height", "width"), answer)
    return FaceDetector(session, detector_spec(size=size), threshold=0.5), session


@pytest.mark.parametrize(
    ("width", "height", "shown"),
    [
        (640, 480, (320, 288)),
        (1280, 720, (320, 224)),
        (480, 640, (288, 320)),
        (720, 1280, (224, 320)),
        (640, 512, (320, 288)),
        (100, 100, (320, 320)),
        (4000, 3, (320, 64)),
    ],
)
def test_an_open_network_is_shown_no_more_than_the_picture_fills(
    width: int, height: int, shown: tuple[int, int]
) -> None:
    one, session = open_finder()
    assert one.shown_of((width, height)) == shown
    one.detect(np.zeros((height, width, 3), np.uint8))
    assert session.seen[-1].shape == (1, 3, shown[1], shown[0])
    assert one.input_size == (320, 320)


@given(st.integers(1, 900), st.integers(1, 900))
def test_all_of_the_picture_is_shown_at_the_scale_of_the_square(width: int, height: int) -> None:
    one, session = open_finder()
    image = np.random.default_rng(width).integers(1, 256, (height, width, 3), np.uint8)
    one.detect(image)
    square = network_input(image, detector_spec(size=(320, 320)))
    rows, columns = session.seen[-1].shape[2:]
    np.testing.assert_array_equal(session.seen[-1], square[..., :rows, :columns])
    assert not square[..., rows:, :].any()
    assert not square[..., columns:].any()


@given(st.lists(st.tuples(st.integers(8, 300), st.integers(8, 300)), min_size=2, max_size=5))
def test_pictures_of_changing_sizes_are_answered_each_by_itself(sizes: list[tuple[int, int]]) -> None:
    kept, _ = open_finder()
    for index, (width, height) in enumerate(sizes):
        image = np.random.default_rng(index).integers(0, 2, (height, width, 1), np.uint8) * 255
        image = np.repeat(image, 3, axis=2)
        alone = open_finder()[0].detect(image)
        both = zip(kept.detect(image), alone, strict=True)
        assert all(one.box == other.box and one.score == other.score for one, other in both)


def test_a_network_of_one_size_is_shown_all_of_it() -> None:
    assert detector().shown_of((640, 480)) == SIZE


def test_a_network_of_any_size_looks_at_half_of_it_too() -> None:
    def answer(tensor: FloatArray) -> list[FloatArray]:
        return silent_outputs("yunet", (tensor.shape[3], tensor.shape[2]))

    session = FakeSession((1, 3, "height", "width"), answer)
    half = FaceDetector(session, detector_spec(size=(320, 192)), threshold=0.5).at_half_size()
    assert half is not None
    assert half.input_size == (160, 96)
    assert half.detect(np.zeros((480, 640, 3), np.uint8)) == []
    assert session.seen[-1].shape == (1, 3, 96, 160)


@pytest.mark.parametrize(("shape", "size"), [((1, 3, 64, 64), (64, 64)), ((1, 3, "H", "W"), (32, 32))])
def test_no_other_network_does(shape: Shape, size: tuple[int, int]) -> None:
    session = FakeSession(shape, lambda _: silent_outputs("yunet", size))
    assert FaceDetector(session, detector_spec(size=size), threshold=0.5).at_half_size() is None


def test_scrfd_gets_rgb_about_zero() -> None:
    session = FakeSession((1, 3, "H", "W"), lambda _: silent_outputs("scrfd", SIZE))
    FaceDetector(session, detector_spec("scrfd"), threshold=0.5).detect(
        np.full((64, 64, 3), (0, 100, 255), np.uint8)
    )
    red, green, blue = session.seen[0][0, :, 0, 0]
    assert (red, green, blue) == pytest.approx((127.5 / 128, -27.5 / 128, -127.5 / 128))


def test_yunet_gets_bgr_as_it_is() -> None:
    session = FakeSession((1, 3, 64, 64), lambda _: silent_outputs("yunet", SIZE))
    FaceDetector(session, detector_spec(), threshold=0.5).detect(np.full((64, 64, 3), (1, 2, 3), np.uint8))
    assert list(session.seen[0][0, :, 5, 5]) == [1, 2, 3]


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((0, 10, 3), np.uint8),
        np.zeros((10, 10), np.uint8),
        np.zeros((10, 10, 4), np.uint8),
        np.zeros((10, 10, 3), np.float32),
    ],
)
def test_what_is_no_picture_is_refused(image: np.ndarray) -> None:
    with pytest.raises(ValueError, match="expected a uint8 picture"):
        detector().detect(image)


def test_a_file_of_another_size_than_the_descriptor_is_refused() -> None:
    session = FakeSession((1, 3, 320, 320), blob_finder)
    with pytest.raises(ModelError, match=r"\(N, 3, 64, 64\), got \(1, 3, 320, 320\)"):
        FaceDetector(session, detector_spec(), threshold=0.5)


def test_an_input_off_the_grid_is_refused() -> None:
    with pytest.raises(ModelError, match="multiples of 32"):
        FaceDetector(FakeSession((1, 3, 60, 60), blob_finder), detector_spec(size=(60, 60)), threshold=0.5)


def test_an_embedder_is_no_detector() -> None:
    with pytest.raises(ModelError, match="arcface is no detector"):
        FaceDetector(FakeSession((1, 3, 112, 112), blob_finder), embedder_spec(), threshold=0.5)
