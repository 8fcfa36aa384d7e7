"""The numbers that networks are fed, against OpenCV's own."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edged.vision.tensors import Channels, to_tensor


def pictures(count: int, height: int, width: int, seed: int = 0) -> list[np.ndarray]:
    random = np.random.default_rng(seed)
    return list(random.integers(0, 256, (count, height, width, 3), np.uint8))


@given(
    st.integers(1, 5),
    st.tuples(st.integers(1, 40), st.integers(1, 40)),
    st.sampled_from(["bgr", "rgb"]),
    st.sampled_from([(0.0, 1.0), (127.5, 1 / 127.5), (127.5, 1 / 128), (0.0, 1 / 255)])
    | st.tuples(st.floats(0, 255), st.floats(1e-4, 2)),
)
def test_they_are_those_of_opencv(
    count: int, size: tuple[int, int], channels: Channels, fed: tuple[float, float]
) -> None:
    faces, (mean, scale) = pictures(count, *size), fed
    blob = cv2.dnn.blobFromImages(faces, scale, mean=(mean, mean, mean), swapRB=channels == "rgb")
    tensor = to_tensor(faces, channels=channels, mean=mean, scale=scale)
    assert (tensor.dtype, tensor.flags.c_contiguous) == (np.float32, True)
    np.testing.assert_array_equal(tensor, blob)


def test_a_picture_need_not_lie_in_one_piece() -> None:
    whole = pictures(1, 20, 30)[0]
    for part in (whole[3:13, 4:24], whole[::2], whole[:, ::-1]):
        fed = to_tensor([part], channels="bgr", mean=0, scale=1)
        np.testing.assert_array_equal(fed[0].transpose(1, 2, 0), part)


def test_pictures_of_different_sizes_are_refused() -> None:
    with pytest.raises(ValueError, match=r"one size \(8, 9, 3\), got \[\(8, 9, 3\), \(9, 8, 3\)\]"):
        to_tensor([*pictures(1, 8, 9), *pictures(1, 9, 8)], channels="bgr", mean=0, scale=1)
