"""A cohort is read only as it was pinned, and only for its own space."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from edged.domain.types import FloatArray
from edged.errors import ModelError
from edged.vision.cohort import cohort_of, quantized
from edged.vision.installation import Installer
from edged.vision.packs import Catalogue, load_pack, verify_pack
from edged.vision.variants import Variant, add_variant
from tests.fakes.model_packs import DIMENSION, descriptor, flattening_model, pinned, write_pack

PEOPLE = 120
FLOAT32 = flattening_model()


@pytest.fixture
def vectors() -> FloatArray:
    rows = np.random.default_rng(3).normal(size=(PEOPLE, DIMENSION))
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


def npy(array: npt.NDArray[Any]) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def stating(shape: str) -> bytes:
    """A file of ten bytes that says it is an array of ``shape``."""
    header = f"{{'descr': '|i1', 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + bytes(10)


def pack_with(root: Path, data: bytes, *, name: str = "toy", people: int = PEOPLE, **changes: Any) -> Path:
    """A pack whose cohort file holds ``data``."""
    cohort = pinned("cohort.npy", data) | {"people": people}
    document = descriptor(name, {"float32": FLOAT32}, cohort=cohort, **changes)
    folder = write_pack(root, document, {"float32": FLOAT32})
    (folder / "cohort.npy").write_bytes(data)
    return folder


@pytest.mark.parametrize("kind", ["int8", "float16"])
def test_rows_come_back_as_unit_vectors_that_point_where_they_did(
    tmp_path: Path, vectors: FloatArray, kind: str
) -> None:
    pack_with(tmp_path, npy(quantized(vectors) if kind == "int8" else vectors.astype(np.float16)))
    found = cohort_of(Catalogue(tmp_path, tmp_path / "none"), "toy", "toy/1")
    assert found is not None
    assert found.dtype == np.float32
    assert np.allclose(np.linalg.norm(found, axis=1), 1, atol=1e-6)
    assert float(np.sum(found * vectors, axis=1).min()) > 0.9995
    assert np.abs(found @ found.T - vectors @ vectors.T).max() < 0.005


def test_another_space_has_no_cohort_and_a_pack_need_not_have_one(
    tmp_path: Path, vectors: FloatArray
) -> None:
    pack_with(tmp_path, npy(quantized(vectors)))
    write_pack(tmp_path, descriptor("bare", {"float32": FLOAT32}), {"float32": FLOAT32})
    catalogue = Catalogue(tmp_path, tmp_path / "none")
    assert cohort_of(catalogue, "toy", "toy/2") is None
    assert cohort_of(catalogue, "bare", "toy/1") is None


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (npy(np.zeros((PEOPLE, DIMENSION), np.float64)), "expected int8 or float16"),
        (npy(np.ones((PEOPLE, 5), np.int8)), "expected int8 or float16"),
        (npy(np.ones((PEOPLE + 1, DIMENSION), np.int8)), "expected int8 or float16"),
        (npy(np.zeros((PEOPLE, DIMENSION), np.int8)), "no direction"),
        (npy(np.full((PEOPLE, DIMENSION), np.nan, np.float16)), "no direction"),
        (npy(np.array([{}], dtype=object)), "expected int8 or float16"),
        (stating("(1000000000, 1000000000)"), "expected int8 or float16"),
        (stating(f"({PEOPLE}, {DIMENSION})"), "expected int8 or float16"),
        (stating("(" * 9000), "not a NumPy array"),
        (b"PK\x03\x04 an archive", "not a NumPy array"),
        (b"nothing of the kind", "not a NumPy array"),
    ],
)
def test_a_file_of_anything_else_is_refused(tmp_path: Path, content: bytes, told: str) -> None:
    pack_with(tmp_path, content)
    with pytest.raises(ModelError, match=told):
        cohort_of(Catalogue(tmp_path, tmp_path / "none"), "toy", "toy/1")


def test_an_altered_or_missing_file_is_refused(tmp_path: Path, vectors: FloatArray) -> None:
    folder = pack_with(tmp_path, npy(quantized(vectors)))
    verify_pack(load_pack(folder))
    catalogue = Catalogue(tmp_path, tmp_path / "none")
    data = bytearray((folder / "cohort.npy").read_bytes())
    data[-1] ^= 1
    (folder / "cohort.npy").write_bytes(data)
    for check in (lambda: verify_pack(load_pack(folder)), lambda: cohort_of(catalogue, "toy", "toy/1")):
        with pytest.raises(ModelError, match="SHA-256"):
            check()
    (folder / "cohort.npy").unlink()
    with pytest.raises(ModelError, match="missing"):
        cohort_of(catalogue, "toy", "toy/1")


def test_the_descriptor_is_held_to_account(tmp_path: Path, vectors: FloatArray) -> None:
    data = npy(quantized(vectors))
    few = pack_with(tmp_path / "few", data, people=20)
    with pytest.raises(ModelError, match=r"cohort\.people"):
        load_pack(few)
    named = {"cohort": pinned("../cohort.npy", data) | {"people": PEOPLE}}
    with pytest.raises(ModelError, match=r"cohort\.name"):
        load_pack(write_pack(tmp_path / "outside", descriptor("toy", {"float32": FLOAT32}, **named)))
    wrong = pack_with(tmp_path / "wrong", data, task="liveness", decoder="minifasnet", crop_scale=2.7)
    with pytest.raises(ModelError, match="only an embedder has one"):
        load_pack(wrong)


def test_it_goes_where_its_pack_goes(tmp_path: Path, vectors: FloatArray) -> None:
    data = npy(quantized(vectors))
    pack_with(tmp_path / "stick", data)
    catalogue = Catalogue(tmp_path / "models", tmp_path / "none")
    Installer(catalogue).import_from([tmp_path / "stick" / "toy"])
    installed = catalogue.find("toy")
    verify_pack(installed)
    (tmp_path / "made.onnx").write_bytes(flattening_model(note="int8"))
    add_variant(installed, Variant("embedder", "int8", tmp_path / "made.onnx", "Made."), catalogue.installed)
    verify_pack(catalogue.find("toy"))
    assert (catalogue.installed / "toy" / "cohort.npy").read_bytes() == data


def test_a_pack_installed_before_it_had_one_finds_it_beside_the_newer_description(
    tmp_path: Path, vectors: FloatArray
) -> None:
    write_pack(tmp_path / "models", descriptor("toy", {"float32": FLOAT32}), {"float32": FLOAT32})
    pack_with(tmp_path / "shipped", npy(quantized(vectors)))
    found = cohort_of(Catalogue(tmp_path / "models", tmp_path / "shipped"), "toy", "toy/1")
    assert found is not None
    assert len(found) == PEOPLE
