"""Which profile holds, what it may choose, and what it may not."""

import hashlib
import os
from pathlib import Path
from typing import Any

import msgspec
import onnxruntime
import pytest

from edged.config.sections import ModelsConfig, QualityConfig
from edged.vision.choice import (
    PROFILE,
    configured_space,
    running_precision,
    running_threads,
    wanted_precision,
)
from edged.vision.compiled import device
from edged.vision.packs import Catalogue, ModelSpec, Pack
from edged.vision.pipeline import FacePipeline
from edged.vision.profile import Profile, Took, cores, fingerprint, standing, write_profile
from tests.fakes.model_packs import descriptor, flattening_model, write_pack

BOTH = {"float32": flattening_model(), "int8": flattening_model(note="int8")}


@pytest.fixture
def models(tmp_path: Path) -> ModelsConfig:
    """The shipped detector, and an embedder that comes in both precisions."""
    write_pack(tmp_path, descriptor(content=BOTH), BOTH)
    return ModelsConfig(directory=tmp_path, detector="starter", embedder="toy")


def embedder(models: ModelsConfig) -> tuple[Pack, ModelSpec]:
    pack = Catalogue(models.directory).in_force(models.embedder)
    return pack, pack.model("embedder")


def measured(models: ModelsConfig, **changes: Any) -> Profile:
    """The profile of a machine where int8 and one thread won."""
    catalogue = Catalogue(models.directory)
    specs = {
        "detector": catalogue.in_force(models.detector).model("detector"),
        "embedder": embedder(models)[1],
    }
    fields: dict[str, Any] = {
        "schema": 1,
        "device": device(),
        "cores": cores(),
        "onnxruntime": onnxruntime.__version__,
        "providers": models.providers,
        "edged": "0",
        "measured_at": 1.0,
        "packs": {task: fingerprint(spec) for task, spec in specs.items()},
        "names": {"detector": models.detector, "embedder": models.embedder},
        "precision": {"detector": "int8", "embedder": "int8"},
        "threads": 1,
        "frames_per_second": 12.0,
        "frame": Took(p50_ms=20.0, p95_ms=30.0),
        "cpu_ms": 21.0,
        "stages": {},
        "reasons": (),
    }
    return Profile(**fields | changes)


def chosen(models: ModelsConfig) -> tuple[str, int]:
    return wanted_precision(*embedder(models), models), running_threads(models)


def test_without_a_profile_everything_is_as_before(models: ModelsConfig) -> None:
    assert chosen(models) == ("float32", 1)
    assert standing(models).passed_over is None


def test_auto_is_what_the_profile_says(models: ModelsConfig) -> None:
    write_profile(measured(models), models)
    assert chosen(models) == ("int8", 1)
    assert running_precision(*embedder(models), models) == "int8"
    assert (
        "embedder int8, threads 1; measured with room to spare: 12 frames a second" in standing(models).text
    )
    # Whoever was enrolled stays enrolled.
    assert configured_space(models) == "toy/1"


def test_what_the_configuration_states_wins(models: ModelsConfig) -> None:
    write_profile(measured(models), models)
    stated = msgspec.structs.replace(models, precision="float32", threads=3)
    assert chosen(stated) == ("float32", 3)
    assert chosen(msgspec.structs.replace(models, profile="off")) == ("float32", 1)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"device": "armv7l Another 0"}, "another processor"),
        ({"cores": 4000}, "another number of cores"),
        ({"onnxruntime": "0.1"}, "another onnxruntime"),
        ({"providers": ("CUDAExecutionProvider",)}, "other providers"),
        ({"packs": {}}, "another detector"),
    ],
)
def test_a_profile_of_something_else_is_passed_over(
    models: ModelsConfig, changes: dict[str, Any], told: str
) -> None:
    write_profile(measured(models, **changes), models)
    assert told in (standing(models).passed_over or "")
    assert chosen(models) == ("float32", 1)


def test_more_threads_than_cores_are_never_run(models: ModelsConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edged.vision.profile.cores", lambda: 2)
    write_profile(measured(models, cores=2, threads=3), models)
    assert "3 threads on 2 cores" in (standing(models).passed_over or "")
    assert running_threads(models) == 1


def test_a_profile_of_another_embedder_is_passed_over(models: ModelsConfig, tmp_path: Path) -> None:
    write_profile(measured(models), models)
    other = BOTH | {"int8": flattening_model(note="newer")}
    write_pack(tmp_path, descriptor("other", other), other)
    changed = msgspec.structs.replace(models, embedder="other")
    assert chosen(changed) == ("float32", 1)
    assert "another embedder than other" in (standing(changed).passed_over or "")


def test_a_file_of_another_space_is_never_chosen(models: ModelsConfig, tmp_path: Path) -> None:
    document = descriptor(content=BOTH)
    document["models"][0]["files"]["int8"]["space"] = "toy/1.int8"
    write_pack(tmp_path, document)
    write_profile(measured(models), models)
    assert standing(models).profile is not None
    assert chosen(models) == ("float32", 1)
    assert configured_space(models) == "toy/1"


@pytest.mark.parametrize("calibrated", ["float32", "int8"])
def test_a_door_stays_with_the_files_that_it_was_calibrated_with(
    models: ModelsConfig, tmp_path: Path, calibrated: str
) -> None:
    pack, spec = embedder(models)
    weights = {"embedder": hashlib.sha256(BOTH[calibrated]).hexdigest(), "detector": "0" * 64}
    for profiled in ("float32", "int8"):
        write_profile(measured(models, precision={"embedder": profiled}), models)
        assert wanted_precision(pack, spec, models, weights) == calibrated
    (tmp_path / PROFILE).unlink()
    assert wanted_precision(pack, spec, models, weights) == calibrated
    stated = msgspec.structs.replace(models, precision="float32")
    assert wanted_precision(pack, spec, stated, weights) == "float32"
    # Of another model nothing is known here: the calibration is refused, as ever.
    assert wanted_precision(pack, spec, models, {"embedder": "0" * 64}) == "float32"


def test_what_is_opened_is_what_was_chosen(models: ModelsConfig) -> None:
    write_profile(measured(models), models)
    digests = {one: hashlib.sha256(data).hexdigest() for one, data in BOTH.items()}
    opened = FacePipeline.load(models, QualityConfig())
    assert opened.weights["embedder"] == digests["int8"]
    calibrated = FacePipeline.load(models, QualityConfig(), {"embedder": digests["float32"]})
    assert calibrated.weights["embedder"] == digests["float32"]
    assert calibrated.space == opened.space


def test_a_file_that_is_not_installed_is_not_chosen(models: ModelsConfig, tmp_path: Path) -> None:
    write_profile(measured(models), models)
    (tmp_path / "toy/int8.onnx").unlink()
    assert chosen(models) == ("float32", 1)


@pytest.mark.parametrize(
    "content",
    [
        b"", b"{}", b"[" * 30_000, b"\xff\xfe", b'{"schema": 1}', b"null", b"{" + b" " * 40_000 + b"}",
    ],
)  # fmt: skip
def test_what_is_no_profile_is_passed_over(models: ModelsConfig, tmp_path: Path, content: bytes) -> None:
    (tmp_path / PROFILE).write_bytes(content)
    assert standing(models).passed_over
    assert standing(models).text.isprintable()
    assert chosen(models) == ("float32", 1)


@pytest.mark.parametrize(
    ("content", "got"),
    [
        (b"", "got an empty file"),
        (b"\n", "got an empty file"),
        (b'{"schema": 1, "dev', "got 18 bytes that are no whole JSON"),
        (b"{}", "got another document: Object missing required field `schema`"),
        (b"{" + b" " * 40_000 + b"}", "got more than 32,768 bytes"),
    ],
)
def test_what_was_expected_and_what_was_got_is_said(
    models: ModelsConfig, tmp_path: Path, content: bytes, got: str
) -> None:
    (tmp_path / PROFILE).write_bytes(content)
    told = standing(models).passed_over or ""
    assert f"expected the profile that `edged bench --write` makes, {got}" in told


def test_a_profile_that_was_cut_short_by_a_power_cut_costs_no_more_than_its_advice(
    models: ModelsConfig,
) -> None:
    path = write_profile(measured(models), models)
    path.write_bytes(path.read_bytes()[:200])
    opened = FacePipeline.load(models, QualityConfig())
    assert opened.weights["embedder"] == hashlib.sha256(BOTH["float32"]).hexdigest()


@pytest.mark.parametrize(
    "forged", [{"threads": 0}, {"threads": 10**9}, {"precision": {"embedder": "float64"}}, {"extra": 1}]
)
def test_a_forged_profile_is_passed_over(
    models: ModelsConfig, tmp_path: Path, forged: dict[str, Any]
) -> None:
    values = msgspec.to_builtins(measured(models)) | forged
    (tmp_path / PROFILE).write_bytes(msgspec.json.encode(values))
    assert standing(models).passed_over
    assert chosen(models) == ("float32", 1)


def test_what_others_may_write_is_passed_over(models: ModelsConfig, tmp_path: Path) -> None:
    path = write_profile(measured(models), models)
    path.chmod(0o664)
    assert "others than its owner" in (standing(models).passed_over or "")
    path.rename(tmp_path / "elsewhere.json")
    path.symlink_to(tmp_path / "elsewhere.json")
    assert "symbolic link" in (standing(models).passed_over or "")
    path.unlink()
    os.mkfifo(path, 0o600)
    assert "neither a file nor a folder" in (standing(models).passed_over or "")


def test_a_new_profile_takes_the_place_of_the_old_one(models: ModelsConfig, tmp_path: Path) -> None:
    write_profile(measured(models), models)
    assert running_threads(models) == 1
    write_profile(measured(models, precision={}), models)
    assert chosen(models) == ("float32", 1)
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_a_link_in_the_way_of_the_new_file_is_not_followed(models: ModelsConfig, tmp_path: Path) -> None:
    aim = tmp_path / "aim"
    aim.write_text("kept")
    (tmp_path / f".{PROFILE}.new").symlink_to(aim)
    write_profile(measured(models), models)
    assert aim.read_text() == "kept"
    assert standing(models).profile is not None
