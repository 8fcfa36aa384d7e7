"""Packs that were never compiled are, once, by a process beside the daemon."""

import logging
from pathlib import Path

import pytest
import yaml

from edged.config import Config, load
from edged.workers import first_compile
from edged.workers.first_compile import compile_unasked
from tests.fakes.model_packs import SIDE, descriptor, write_pack
from tests.unit.vision.quantization.graphs import Builder


def config_of(folder: Path, **models: object) -> tuple[Config, Path]:
    path = folder / "config.yaml"
    document = {
        "door_id": "front",
        "site": "hq",
        "camera": {"source": {"type": "file", "path": "visits.mp4"}},
        "door": {"lock": {"driver": "fake"}},
        "models": {"directory": "models", "threads": 1, **models},
    }
    path.write_text(yaml.safe_dump(document), encoding="utf-8")
    return load(path), path


def write_toy(directory: Path) -> None:
    build = Builder((1, 3, SIDE, SIDE))
    pooled = build.node("Flatten", build.node("GlobalAveragePool", build.norm(build.conv("x", 3, 4), 4)))
    content = {"float32": bytes(build.model(build.gemm(pooled, 4, 16)).SerializeToString())}
    write_pack(directory, descriptor(content=content, dimension=16), content)


def test_what_was_compiled_once_is_not_compiled_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, first_compile.__name__)
    write_toy(tmp_path / "models")
    config, path = config_of(tmp_path, detector="toy", embedder="toy")
    timer = compile_unasked(config, path, wait_seconds=0)
    assert timer is not None
    timer.join(100)
    assert [one.levelname for one in caplog.records] == ["INFO"], caplog.text
    # Whether rewriting gained something or not.
    assert len(list((tmp_path / "models" / "compiled").glob("*/record.json"))) == 1
    assert compile_unasked(config, path, wait_seconds=0) is None


def test_nothing_is_compiled_where_it_is_off_or_cannot_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert compile_unasked(*config_of(tmp_path, compile="off")) is None
    assert compile_unasked(*config_of(tmp_path, detector="nobody-has-it")) is None
    monkeypatch.setattr(first_compile, "find_spec", lambda _name: None)
    assert compile_unasked(*config_of(tmp_path)) is None


def test_a_compilation_that_fails_is_told_and_changes_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_toy(tmp_path / "models")
    config, path = config_of(tmp_path, detector="toy", embedder="toy")
    (tmp_path / "models" / "compiled").write_text("no folder", encoding="utf-8")
    timer = compile_unasked(config, path, wait_seconds=0)
    assert timer is not None
    timer.join(100)
    assert [one.levelname for one in caplog.records] == ["WARNING"]
    assert "run as they are" in caplog.text
