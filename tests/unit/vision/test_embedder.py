"""Faces to unit vectors, around a network with hand-made outputs."""

from collections.abc import Callable

import msgspec
import numpy as np
import pytest

from edged.domain.types import FloatArray, Image
from edged.errors import ModelError
from edged.vision.alignment import enlarged
from edged.vision.embedder import FaceEmbedder
from tests.unit.vision.conftest import FakeSession, embedder_spec

OPEN = ("N", 3, 112, 112)


def mean_colours(tensor: FloatArray) -> list[FloatArray]:
    """A 16-d embedding whose first three numbers are the mean of each channel."""
    out = np.ones((len(tensor), 16), np.float32)
    out[:, :3] = tensor.mean(axis=(2, 3))
    return [out]


def plain(*colour: int) -> Image:
    return np.full((112, 112, 3), colour, np.uint8)


def test_rows_are_unit_vectors_in_the_order_of_the_faces() -> None:
    embedder = FaceEmbedder(FakeSession(OPEN, mean_colours), embedder_spec())
    vectors = embedder.embed([plain(0, 0, 200), plain(200, 0, 0)])
    assert (embedder.space, embedder.dimension) == ("toy/1", 16)
    assert vectors.shape == (2, 16)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    assert np.argmax(vectors, axis=1).tolist() == [0, 2]  # the network sees RGB, the pictures are BGR
    assert not vectors.flags.writeable


def left_colours(tensor: FloatArray) -> list[FloatArray]:
    """As ``mean_colours``, of the left half alone."""
    return mean_colours(tensor[:, :, :, :56])


def test_a_mirrored_embedder_means_a_face_and_its_mirror_image() -> None:
    face = plain(0, 0, 200)
    face[:, 56:] = (200, 0, 0)
    session = FakeSession((1, 3, 112, 112), left_colours)
    one_sided = FaceEmbedder(session, embedder_spec())
    mirrored = FaceEmbedder(session, msgspec.structs.replace(embedder_spec(), mirrored=True))
    both = one_sided.embed([face, np.ascontiguousarray(face[:, ::-1])])
    mean = both.sum(axis=0)
    rows = mirrored.embed([face, np.ascontiguousarray(face[:, ::-1])])
    np.testing.assert_allclose(rows, [mean / np.linalg.norm(mean)] * 2, atol=1e-6)
    assert float(both[0] @ both[1]) < 0.9  # or there would be nothing to see
    assert not rows.flags.writeable


def test_an_embedder_with_a_zoom_means_the_enlarged_face_too() -> None:
    face = plain(0, 0, 200)
    face[:20] = face[-20:] = (200, 0, 0)  # less of the rim is in the enlarged face
    session = FakeSession((1, 3, 112, 112), mean_colours)
    near = FaceEmbedder(session, msgspec.structs.replace(embedder_spec(), zoom=1.2, mirrored=True))
    single = FaceEmbedder(session, embedder_spec()).embed([face, enlarged(face, 1.2)])
    assert enlarged(face, 1.2).shape == face.shape
    mean = single.sum(axis=0)
    np.testing.assert_allclose(near.embed([face])[0], mean / np.linalg.norm(mean), atol=1e-6)
    assert float(single[0] @ single[1]) < 0.999  # or there would be nothing to see


def test_no_faces_give_no_rows() -> None:
    session = FakeSession(OPEN, mean_colours)
    assert FaceEmbedder(session, embedder_spec()).embed([]).shape == (0, 16)
    assert session.seen == []


@pytest.mark.parametrize("batch", [1, 2, 4])
def test_a_fixed_batch_gives_the_same_vectors(batch: int) -> None:
    faces = [plain(10 * k, 50, 200 - 10 * k) for k in range(5)]
    expected = FaceEmbedder(FakeSession(OPEN, mean_colours), embedder_spec()).embed(faces)
    session = FakeSession((batch, 3, 112, 112), mean_colours)
    np.testing.assert_array_equal(FaceEmbedder(session, embedder_spec()).embed(faces), expected)


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (lambda t: [np.full((len(t), 16), np.nan, np.float32)], "zero or not finite"),
        (lambda t: [np.full((len(t), 16), np.inf, np.float32)], "zero or not finite"),
        (lambda t: [np.zeros((len(t), 16), np.float32)], "zero or not finite"),
        (lambda t: [np.ones((len(t), 8), np.float32)], r"expected one output \(1, 16\), got \[\(1, 8\)\]"),
        (lambda t: [np.ones((len(t), 16), np.float32)] * 2, "expected one output"),
    ],
)
def test_what_is_no_embedding_is_refused(answer: Callable[[FloatArray], list[FloatArray]], text: str) -> None:
    with pytest.raises(ModelError, match=text):
        FaceEmbedder(FakeSession(OPEN, answer), embedder_spec()).embed([plain(1, 2, 3)])


def test_one_bad_row_spoils_the_batch() -> None:
    def second_is_nan(tensor: FloatArray) -> list[FloatArray]:
        (out,) = mean_colours(tensor)
        out[1] = np.nan
        return [out]

    with pytest.raises(ModelError, match="finite"):
        FaceEmbedder(FakeSession(OPEN, second_is_nan), embedder_spec()).embed([plain(9, 9, 9)] * 2)


def test_a_face_of_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match=r"\(112, 112\), got \(64, 112\)"):
        FaceEmbedder(FakeSession(OPEN, mean_colours), embedder_spec()).embed(
            [np.zeros((112, 64, 3), np.uint8)]
        )


def test_a_file_for_another_size_is_refused() -> None:
    with pytest.raises(ModelError, match="112"):
        FaceEmbedder(FakeSession(("N", 3, 160, 160), mean_colours), embedder_spec())


def test_the_space_of_one_file_takes_precedence() -> None:
    embedder = FaceEmbedder(FakeSession(OPEN, mean_colours), embedder_spec(), space="toy/1-int8")
    assert embedder.space == "toy/1-int8"
