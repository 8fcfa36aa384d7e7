"""What is compiled is used where it is the same, and nothing else ever is."""

import hashlib
import json
import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import onnx
import pytest

from edged.config.sections import ModelsConfig
from edged.errors import ModelError
from edged.vision import compiled as compiled_files
from edged.vision.compilation import run
from edged.vision.compilation.comparison import Agreement, Speed
from edged.vision.compilation.pixels import take_pixels
from edged.vision.compilation.prelu import Form
from edged.vision.compiled import MODEL, RECORD, compiled_folder, find_compiled
from edged.vision.opening import open_embedder
from edged.vision.packs import Pack, load_pack
from edged.vision.quantization.network import Network
from edged.vision.session import OrtSession, PixelSession
from tests.fakes.model_packs import SIDE, descriptor, write_pack
from tests.unit.vision.conftest import embedder_spec
from tests.unit.vision.quantization.graphs import Builder

DIMENSION = 16
FACES = list(np.random.default_rng(2).integers(0, 256, (3, SIDE, SIDE, 3), np.uint8))


def embedder() -> bytes:
    """A convolution, BatchNorm, slopes of all kinds, a product; any number of faces at a time."""
    build = Builder((1, 3, SIDE, SIDE))
    bent = build.prelu(build.norm(build.conv("x", 3, 4), 4), [-1.0, 0.3, 1.0, 2.5])
    pooled = build.node("Flatten", build.node("GlobalAveragePool", build.conv(bent, 4, 8)))
    model = build.model(build.gemm(pooled, 8, DIMENSION))
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_param = "N"
    return bytes(model.SerializeToString())


@pytest.fixture
def models(tmp_path: Path) -> ModelsConfig:
    return ModelsConfig(directory=tmp_path / "models", embedder="toy", threads=1, compile="auto")


@pytest.fixture
def pack(models: ModelsConfig) -> Pack:
    content = {"float32": embedder()}
    described = descriptor(content=content, dimension=DIMENSION, mean=127.5, scale=1 / 128)
    return load_pack(write_pack(models.directory, described, content))


@pytest.fixture(autouse=True)
def _compiled_is_faster(monkeypatch: pytest.MonkeyPatch) -> None:
    """The networks are so small that a clock would decide by chance."""
    races(monkeypatch, 0.5)


def races(monkeypatch: pytest.MonkeyPatch, ratio: float) -> None:
    def race(runners: list[object], *_how: object) -> Speed:
        ratios = (1.0, *[ratio] * (len(runners) - 1))
        return Speed(ratios, ratios)

    monkeypatch.setattr(run, "race", race)


def compile_pack(pack: Pack, models: ModelsConfig, **how: bool) -> list[run.Compilation]:
    """Compile without faces: what these networks say of drawn pictures is as loud."""
    return run.compile_pack(pack, models, pictures=(), **how)


def session_of(models: ModelsConfig) -> object:
    return open_embedder(models)[1].session


def folder_of(pack: Pack, models: ModelsConfig) -> Path:
    return compiled_folder(pack.model("embedder"), "float32", models)


def test_a_compiled_file_gives_the_same_vectors_under_the_same_names(
    pack: Pack, models: ModelsConfig
) -> None:
    _, before, digest = open_embedder(models)
    (done,) = compile_pack(pack, models)
    assert (done.reason, done.fresh, done.refused) == (None, True, False)
    assert done.record is not None
    assert done.record.deviation < 1e-4
    assert done.record.cosine > 0.99999
    _, after, again = open_embedder(models)
    assert isinstance(after.session, PixelSession)
    assert (after.space, again) == (before.space, digest)
    np.testing.assert_allclose(after.embed(FACES), before.embed(FACES), atol=1e-5)


def test_a_file_that_is_there_stays(pack: Pack, models: ModelsConfig) -> None:
    compile_pack(pack, models)
    path = folder_of(pack, models) / MODEL
    made_at = path.stat().st_ctime_ns  # the number of a file that is gone may be given again
    (again,) = compile_pack(pack, models)
    assert (again.fresh, again.measured, path.stat().st_ctime_ns) == (False, None, made_at)
    (measured,) = compile_pack(pack, models, measure=True)
    assert (measured.fresh, measured.measured) == (False, Speed((1.0, 0.5), (1.0, 0.5)))
    compile_pack(pack, models, force=True)
    assert path.stat().st_ctime_ns != made_at


def wrong(network: Network, form: Form) -> int:
    """Doubles the slopes."""
    for node in network.nodes:
        if node.op_type == "PRelu":
            slopes = network.constant(node, 1)
            assert slopes is not None
            network.set_constant(node, 1, slopes * 2)
    return 1


def test_another_function_is_refused_and_an_older_file_goes(
    pack: Pack, models: ModelsConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    compile_pack(pack, models)
    monkeypatch.setattr(run, "expand_prelu", wrong)
    (done,) = compile_pack(pack, models, force=True)
    assert done.refused
    assert done.record is None
    assert "differs from the original" in (done.reason or "")
    assert sorted(one.name for one in folder_of(pack, models).iterdir()) == [RECORD]
    assert isinstance(session_of(models), OrtSession)


def test_outputs_that_are_no_numbers_are_on_record_too(
    pack: Pack, models: ModelsConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    never = Agreement(float("inf"), -1.0, 1)
    monkeypatch.setattr(run, "compare", lambda *_: never)
    (done,) = compile_pack(pack, models)
    assert done.refused
    assert find_compiled(pack.model("embedder"), "float32", models) is None


def test_what_is_no_faster_is_left_out(
    pack: Pack, models: ModelsConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    races(monkeypatch, 1.0)
    (done,) = compile_pack(pack, models)
    assert not done.refused
    assert "no faster here" in (done.reason or "")
    assert isinstance(session_of(models), OrtSession)
    races(monkeypatch, 0.5)  # asked for, it is tried again
    (again,) = compile_pack(pack, models)
    assert again.record is not None
    assert isinstance(session_of(models), PixelSession)


def test_an_altered_original_is_not_compiled(pack: Pack, models: ModelsConfig) -> None:
    path = pack.directory / "float32.onnx"
    path.write_bytes(path.read_bytes()[:-1] + b"\xff")
    with pytest.raises(ModelError, match="SHA-256"):
        compile_pack(pack, models)


def alter_model(folder: Path) -> None:
    data = (folder / MODEL).read_bytes()
    (folder / MODEL).write_bytes(data[:-4] + bytes(4))


def alter_record(folder: Path) -> None:
    document = json.loads((folder / RECORD).read_text())
    (folder / RECORD).write_text(json.dumps(document | {"source": "0" * 64}))


def exchange_both(folder: Path) -> None:
    """A sound record of a file that onnxruntime cannot load."""
    (folder / MODEL).write_bytes(b"no model")
    document = json.loads((folder / RECORD).read_text())
    digest = hashlib.sha256(b"no model").hexdigest()
    (folder / RECORD).write_text(json.dumps(document | {"sha256": digest}))


def link(folder: Path) -> None:
    (folder / MODEL).rename(folder / "else.onnx")
    (folder / MODEL).symlink_to("else.onnx")


DAMAGES: dict[str, Callable[[Path], object]] = {
    "altered": alter_model,
    "of another file": alter_record,
    "no model": exchange_both,
    "a link": link,
    "missing": lambda folder: (folder / MODEL).unlink(),
    "no record": lambda folder: (folder / RECORD).unlink(),
    "no JSON": lambda folder: (folder / RECORD).write_text("{"),
    "an endless record": lambda folder: (folder / RECORD).write_text(" " * 20_000),
    "writable by others": lambda folder: (folder / MODEL).chmod(0o666),
    "in a folder of all": lambda folder: folder.chmod(0o777),
    "below a folder of all": lambda folder: folder.parent.chmod(0o777),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
def test_a_damaged_compiled_file_is_told_and_the_original_runs(
    pack: Pack, models: ModelsConfig, damage: Callable[[Path], object], caplog: pytest.LogCaptureFixture
) -> None:
    compile_pack(pack, models)
    damage(folder_of(pack, models))
    with caplog.at_level(logging.WARNING):
        assert isinstance(session_of(models), OrtSession)
    assert "the compiled file is not used" in caplog.text
    folder_of(pack, models).parent.chmod(0o755)
    compile_pack(pack, models, force=True)
    assert isinstance(session_of(models), PixelSession)


def test_a_compiled_file_does_not_stand_for_an_altered_original(pack: Pack, models: ModelsConfig) -> None:
    compile_pack(pack, models)
    path = pack.directory / "float32.onnx"
    path.write_bytes(path.read_bytes()[:-1] + b"\xff")
    with pytest.raises(ModelError, match="SHA-256"):
        open_embedder(models)
    path.unlink()
    with pytest.raises(ModelError, match="is not installed"):
        open_embedder(models)


def test_off_leaves_compiled_files_unused(pack: Pack, models: ModelsConfig) -> None:
    compile_pack(pack, models)
    assert isinstance(session_of(msgspec.structs.replace(models, compile="off")), OrtSession)


def test_what_the_comparison_depended_on_must_not_have_changed(
    pack: Pack, models: ModelsConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    compile_pack(pack, models)
    spec = pack.model("embedder")
    assert find_compiled(spec, "float32", models) is not None
    for changes in ({"mean": 0.0}, {"scale": 1.0}, {"channels": "bgr"}, {"input": (SIDE, 2 * SIDE)}):
        assert find_compiled(msgspec.structs.replace(spec, **changes), "float32", models) is None
    other = msgspec.structs.replace(models, providers=("CUDAExecutionProvider", "CPUExecutionProvider"))
    assert find_compiled(spec, "float32", other) is None
    for name, value in (("COMPILER", 0), ("device", lambda: "another processor")):
        with monkeypatch.context() as patch:
            patch.setattr(compiled_files, name, value)
            assert find_compiled(spec, "float32", models) is None
    monkeypatch.setattr("onnxruntime.__version__", "99.0")
    assert find_compiled(spec, "float32", models) is None


def test_a_quantized_file_only_gets_its_pixels_another_way(models: ModelsConfig) -> None:
    build = Builder((1, 3, SIDE, SIDE))
    step, zero = build.constant(0.05), "zero"
    build.constants[zero] = np.uint8(100)
    rough = build.node("QuantizeLinear", "x", step, zero)
    seen = build.conv(build.node("DequantizeLinear", rough, step, zero), 3, DIMENSION)
    model = build.model(build.node("Flatten", build.node("GlobalAveragePool", seen)))
    content = {"int8": bytes(model.SerializeToString())}
    described = descriptor(content=content, dimension=DIMENSION, mean=127.5, scale=1 / 128)
    pack = load_pack(write_pack(models.directory, described, content))
    (done,) = compile_pack(pack, models)
    assert done.record is not None
    assert (done.record.form, done.record.deviation) == ("pixels", 0)


def test_the_way_of_the_pixels_into_a_quantized_file_stays_apart() -> None:
    """Folded into weights of eight bits it would round otherwise."""
    build = Builder((1, 3, SIDE, SIDE))
    seen = build.conv("x", 3, 2)
    spec = msgspec.structs.replace(embedder_spec(), input=(SIDE, SIDE), mean=127.5, scale=1 / 128)
    model = take_pixels(build.network(seen), spec, fold=False)
    kinds = [node.op_type for node in model.graph.node]
    assert kinds == ["Transpose", "Gather", "Cast", "Sub", "Mul", "Conv"]


def test_what_the_optimized_file_computes_is_what_is_compared(
    pack: Pack, models: ModelsConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    def other(model: onnx.ModelProto, path: Path, _providers: tuple[str, ...]) -> None:
        weight = next(one for one in model.graph.initializer if len(one.dims) == 4)
        weight.CopyFrom(onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(weight) * 1.01, weight.name))
        onnx.save_model(model, path)

    monkeypatch.setattr(run, "write_optimized", other)
    (done,) = compile_pack(pack, models)
    assert done.refused


def test_a_pack_whose_file_is_no_network_is_refused(models: ModelsConfig) -> None:
    pack = load_pack(write_pack(models.directory, descriptor(content={"float32": b"?"}), {"float32": b"?"}))
    with pytest.raises(ModelError, match="not a model that onnxruntime can load"):
        compile_pack(replace(pack), models)
