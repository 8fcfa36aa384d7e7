"""OrtSession on real, tiny ONNX files."""

import hashlib
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from edged.errors import ModelError
from edged.vision.session import OrtSession
from tests.unit.vision import tiny_onnx

CPU = ("CPUExecutionProvider",)


def written(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


@pytest.fixture
def relu(tmp_path: Path) -> Path:
    return written(tmp_path / "relu.onnx", tiny_onnx.model(("N", 3, 4, 4)))


def open_cpu(path: Path, sha256: str | None = None) -> OrtSession:
    return OrtSession(path, sha256=sha256, threads=1, providers=CPU)


def test_a_model_runs(relu: Path) -> None:
    session = open_cpu(relu, hashlib.sha256(relu.read_bytes()).hexdigest())
    tensor = np.linspace(-1, 1, 96, dtype=np.float32).reshape(2, 3, 4, 4)
    (out,) = session.run(tensor)
    assert session.input_shape == ("N", 3, 4, 4)
    np.testing.assert_array_equal(out, np.maximum(tensor, 0))


def test_sessions_that_share_their_memory_give_what_one_of_its_own_gives(tmp_path: Path) -> None:
    paths = [
        written(tmp_path / f"{kind}.onnx", tiny_onnx.model(("N", 3, "H", "W"), operator=kind))
        for kind in ("Sqrt", "Exp")
    ]
    chance = np.random.default_rng(1)
    tensors = [chance.random((number, 3, side, side), np.float32) for number, side in ((1, 64), (3, 96))]
    shared = [open_cpu(path) for path in paths]
    got = [session.run(tensor) for _ in range(2) for session in shared for tensor in tensors]
    alone = [onnxruntime.InferenceSession(str(path), providers=CPU) for path in paths]
    for (out,), (session, tensor) in zip(
        got, 2 * [(one, each) for one in alone for each in tensors], strict=True
    ):
        np.testing.assert_array_equal(out, session.run(None, {"x": tensor})[0])


def test_the_bytes_of_a_file_are_not_kept(relu: Path) -> None:
    data = relu.read_bytes()
    with_file = onnxruntime.InferenceSession(data, providers=CPU)
    assert data in vars(with_file).values()
    session = open_cpu(relu)._session
    assert not [one for one in vars(session).values() if isinstance(one, bytes)]
    assert not session._enable_fallback


@pytest.mark.parametrize("operator", ["Relu", "Identity"])
def test_what_a_run_gave_is_not_the_memory_it_was_fed_from(tmp_path: Path, operator: str) -> None:
    """The next picture is written there."""
    path = written(tmp_path / "one.onnx", tiny_onnx.model((1, 3, 4, 4), operator=operator))
    session, tensor = open_cpu(path), np.full((1, 3, 4, 4), 3, np.float32)
    (first,) = session.run(tensor)
    tensor[...] = 5
    (second,) = session.run(tensor)
    assert (first == 3).all()
    assert (second == 5).all()


def test_an_altered_file_is_not_loaded(relu: Path) -> None:
    digest = hashlib.sha256(relu.read_bytes()).hexdigest()
    relu.write_bytes(relu.read_bytes().replace(b"tiny", b"tinY"))
    with pytest.raises(ModelError, match=f"expected {digest}"):
        open_cpu(relu, digest)


@pytest.mark.parametrize("data", [b"", b"not a model", b"\x08\x08", bytes(4096)])
def test_garbage_is_refused(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(ModelError, match=r"garbage\.onnx"):
        open_cpu(written(tmp_path / "garbage.onnx", data))


def test_a_truncated_file_is_refused(relu: Path) -> None:
    with pytest.raises(ModelError):
        open_cpu(written(relu, relu.read_bytes()[:-20]))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"gone\.onnx: cannot be read: No such file"):
        open_cpu(tmp_path / "gone.onnx")


@pytest.mark.parametrize("shape", [(1, 3, 4, 5), (1, 3, 4), (3, 4, 4)])
def test_a_wrong_shape_says_what_was_expected(relu: Path, shape: tuple[int, ...]) -> None:
    with pytest.raises(ModelError) as caught:
        open_cpu(relu).run(np.zeros(shape, np.float32))
    assert "('N', 3, 4, 4)" in str(caught.value)
    assert str(shape) in str(caught.value)


def test_a_wrong_type_says_what_was_expected(relu: Path) -> None:
    with pytest.raises(ModelError, match=r"expected float32 .* got float64"):
        open_cpu(relu).run(np.zeros((1, 3, 4, 4)))  # type: ignore[arg-type]


def test_a_provider_that_is_not_in_the_wheel_is_named(relu: Path) -> None:
    with pytest.raises(ModelError, match=r"NoSuchExecutionProvider.*it has .*CPUExecutionProvider"):
        OrtSession(relu, sha256=None, threads=1, providers=("NoSuchExecutionProvider", *CPU))


def test_no_provider_is_refused(relu: Path) -> None:
    with pytest.raises(ModelError, match="provider"):
        OrtSession(relu, sha256=None, threads=1, providers=())


@pytest.mark.parametrize(
    "data",
    [
        tiny_onnx.model((1, 3, 4, 4), operator="Add", inputs=("a", "b")),
        tiny_onnx.model((1, 3, 4, 4), operator="Abs", element=tiny_onnx.INT64),
    ],
)
def test_a_model_with_other_inputs_is_refused(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(ModelError, match="expected one float32 input"):
        open_cpu(written(tmp_path / "other.onnx", data))


def test_open_dimensions_are_warmed_up_at_the_size_given(tmp_path: Path) -> None:
    path = written(tmp_path / "open.onnx", tiny_onnx.model(("N", 3, "H", "W")))
    session = OrtSession(path, sha256=None, threads=1, providers=CPU, input_size=(64, 32))
    assert session.run(np.zeros((1, 3, 32, 64), np.float32))[0].shape == (1, 3, 32, 64)


@pytest.mark.parametrize(
    "shape", [(1, 3, 10**6, 10**6), (1, 3, 30_000, 30_000), (10**9, 3, 112, 112), (2**62, 9)]
)
def test_a_model_that_asks_for_all_memory_is_refused(tmp_path: Path, shape: tuple[int, ...]) -> None:
    path = written(tmp_path / "vast.onnx", tiny_onnx.model(shape))
    with pytest.raises(ModelError, match="expected an input of one picture"):
        open_cpu(path)
