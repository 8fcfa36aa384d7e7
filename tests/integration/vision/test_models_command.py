"""``edged models`` as a program, on small packs and on the research weights."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from edged.cli import models
from tests.fakes.model_packs import descriptor, flattening_model, write_pack

FLOAT32 = flattening_model()


def edged(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "edged", "models", *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=60,
        check=False,
    )


def told(*arguments: str, cwd: Path) -> Any:
    done = edged(*arguments, "--json", cwd=cwd)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture
def stick(tmp_path: Path) -> Path:
    """A folder with a pack that describes itself."""
    write_pack(tmp_path / "stick", descriptor("mine", {"float32": FLOAT32}), {"float32": FLOAT32})
    return tmp_path / "stick"


def test_models_come_before_any_configuration(tmp_path: Path, stick: Path) -> None:
    done = edged("import", str(stick), cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("mine: installed float32")
    assert (tmp_path / "var" / "models" / "mine" / "float32.onnx").read_bytes() == FLOAT32
    assert edged("verify", cwd=tmp_path).stdout == "mine: ok (float32)\nstarter: ok (int8)\n"


def test_list_and_info_tell_what_is_installed(tmp_path: Path, stick: Path) -> None:
    told("import", str(stick), "--directory", "models", cwd=tmp_path)
    listed = told("list", "--directory", "models", cwd=tmp_path)
    states = {pack["name"]: pack["state"] for pack in listed["packs"]}
    assert (states["mine"], states["sface"], states["arcface-y1"]) == ("installed", "pull", "import")
    detail = told("info", "mine", "--directory", "models", cwd=tmp_path)
    assert detail["models"][0]["space"] == "toy/1"
    assert detail["sizes_bytes"] == {"float32": len(FLOAT32)}
    for command in (["list"], ["info", "sface"]):
        assert "sface" in edged(*command, "--directory", "models", cwd=tmp_path).stdout.lower()


@pytest.mark.parametrize("columns", [60, 80, 200])
def test_a_narrow_terminal_costs_the_licence_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    shown = CliRunner().invoke(models.app, ["list", "--directory", str(tmp_path)]).stdout
    head, _, *lines = shown.splitlines()
    assert head.split() == ["pack", "task", "state", "files", "commercial", "licence"]
    row = next(line for line in lines if line.startswith("arcface-r50"))
    assert row.split()[:6] == ["arcface-r50", "embedder", "to", "pull", "float32", "174.4"]
    assert row.split()[7] == "no"
    assert ("Non-commercial research (InsightFace)" in row) is (columns == 200)
    assert len(head) <= max(columns, 80)


def test_a_damaged_file_fails_verification_with_exit_code_1(tmp_path: Path, stick: Path) -> None:
    told("import", str(stick), "--directory", "models", cwd=tmp_path)
    (tmp_path / "models" / "mine" / "float32.onnx").write_bytes(FLOAT32[:-1])
    done = edged("verify", "mine", "--directory", "models", cwd=tmp_path)
    assert (done.returncode, "expected" in done.stdout) == (1, True)
    done = edged("verify", "--directory", "models", "--json", cwd=tmp_path)
    assert done.returncode == 1
    assert json.loads(done.stdout)[0]["ok"] is False


def test_a_licence_without_commercial_use_is_not_accepted_silently(tmp_path: Path) -> None:
    done = edged("pull", "arcface-mbf", "--directory", "models", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert "Commercial use is not allowed" in done.stderr
    assert "--accept-license" in done.stderr
    assert not (tmp_path / "models").exists()


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["info", "nobody"], 1),
        (["pull", "nobody"], 1),
        (["import", "nowhere"], 1),
        (["verify", "nobody"], 1),
        (["import"], 2),
        (["pull", "yunet", "--precision", "float16"], 2),
        (["list", "--config", "nowhere.yaml"], 78),
    ],
)
def test_what_fails_says_why_in_one_line_and_with_its_exit_code(
    tmp_path: Path, arguments: list[str], code: int
) -> None:
    done = edged(*arguments, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (code, "")
    assert code == 2 or done.stderr.startswith("edged: ")
    assert "Traceback" not in done.stderr


@pytest.mark.weights
def test_the_research_weights_are_imported_whole(tmp_path: Path, weights_dir: Path) -> None:
    done = told("import", str(weights_dir), "--no-compile", "--directory", "models", cwd=tmp_path)
    installed = {one["name"]: one["installed"] for one in done["installed"]}
    assert installed == {
        "arcface-y1": ["float32", "int8"],
        "arcface-y1-mirrored": ["float32", "int8"],
        "arcface-y1-published": ["float32"],
        "minifasnet": ["float32"],
        "scrfd-500m": ["float32"],
        "yunet": ["float32"],
        "yunet-640": ["float32"],
    }
    assert done["unknown"] == []
    assert all(one["ok"] for one in told("verify", "--directory", "models", cwd=tmp_path))


@pytest.mark.weights
def test_a_pack_is_pulled_from_a_folder(tmp_path: Path, weights_dir: Path) -> None:
    done = told("pull", "yunet", "--from", str(weights_dir), "--directory", "models", cwd=tmp_path)
    assert (done["name"], done["added"]) == ("yunet", ["float32"])
