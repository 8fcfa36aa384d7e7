"""``edged camera`` against replays and a camera that is not there."""

import json
import stat
from pathlib import Path

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner, Result

from edged.cli.camera import app
from edged.errors import CameraError


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A configuration whose camera is a folder of two photographs, shown again and again."""
    photographs = tmp_path / "photographs"
    photographs.mkdir()
    for number in range(2):
        picture = np.random.default_rng(number).integers(0, 255, (48, 64, 3), np.uint8)
        cv2.imwrite(str(photographs / f"{number}.png"), picture)
    return write_config(tmp_path, {"type": "folder", "path": "photographs", "fps": 20, "loop": True})


def write_config(folder: Path, source: dict[str, object], *, first_frame_timeout_ms: int = 10_000) -> Path:
    path = folder / "config.yaml"
    camera = {"source": source, "first_frame_timeout_ms": first_frame_timeout_ms, "reconnect_min_ms": 50}
    door = {"lock": {"driver": "fake"}}
    path.write_text(json.dumps({"site": "hq", "door_id": "front", "camera": camera, "door": door}))
    return path


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_check_measures_what_the_daemon_would_see(config: Path) -> None:
    result = run("check", "--config", config, "--seconds", 3, "--json")
    assert result.exit_code == 0, result.output
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert len(lines) == 3
    assert [lines[-1][key] for key in ("state", "width", "height")] == ["up", 64, 48]
    assert 0 < lines[-1]["fps"] < 60  # how many it gets of twenty a second is the machine's business
    last = run("check", "--config", config, "--seconds", 2).stdout.splitlines()[-1]
    assert last.startswith("up      64x48")


def test_check_fails_with_the_reason_when_nothing_comes(tmp_path: Path) -> None:
    config = write_config(tmp_path, {"type": "v4l2", "device": "/dev/v4l/by-id/none"})
    result = run("check", "--config", config, "--seconds", 1)
    assert result.exit_code == 1
    assert result.stdout.startswith("down    0x0")
    assert "/dev/v4l/by-id/none is not there" in result.stdout


def test_a_snapshot_is_a_private_file_and_replaces_nothing_unasked(config: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.png"
    result = run("snapshot", output, "--config", config, "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout) == {"path": str(output), "width": 64, "height": 48}
    assert stat.S_IMODE(output.stat().st_mode) == 0o600
    assert cv2.imread(str(output)).shape == (48, 64, 3)
    assert run("snapshot", output, "--config", config).exit_code == 2
    assert run("snapshot", output, "--config", config, "--force").exit_code == 0
    assert run("snapshot", tmp_path / "out.gif", "--config", config).exit_code == 2


def test_a_snapshot_of_nothing_fails_with_the_reason(tmp_path: Path) -> None:
    config = write_config(tmp_path, {"type": "folder", "path": "absent"}, first_frame_timeout_ms=500)
    result = run("snapshot", tmp_path / "out.jpg", "--config", config)
    assert isinstance(result.exception, CameraError)
    assert "cannot be listed" in str(result.exception)
    assert not (tmp_path / "out.jpg").exists()


def test_listing_works_with_and_without_cameras() -> None:
    result = run("list", "--json")
    assert result.exit_code == 0
    assert all("device" in json.loads(line) for line in result.stdout.splitlines())
