import json
import os
import subprocess
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]


def edged(*words: str, **environ: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "edged", "config", *words],
        env={**os.environ, **environ}, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip


def test_the_example_is_fine() -> None:
    done = edged("check")
    assert (done.returncode, done.stdout, done.stderr) == (0, "config.yaml: ok\n", "")


def test_every_problem_is_a_line_and_the_status_78(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("site: hq\ndoor_id: front\nhttp: {prt: 1}\n")
    done = edged("check", EDGED_CONFIG=str(path))
    assert (done.returncode, done.stdout) == (78, "")
    assert done.stderr.splitlines() == [
        "edged: camera: missing",
        "edged: door: missing",
        "edged: http.prt: unknown key; did you mean 'port'?",
    ]


def test_two_readers_of_one_name_are_a_warning(tmp_path: Path) -> None:
    text = (ROOT / "config.yaml").read_text().replace("  # socket: /run", "  socket: /run")
    for name in ("in", "out"):
        (tmp_path / f"{name}.yaml").write_text(text)
    done = edged("check", "--config", str(tmp_path / "in.yaml"))
    assert (done.returncode, done.stdout) == (0, f"{tmp_path / 'in.yaml'}: ok\n")
    keys = [line.split(":")[1].strip() for line in done.stderr.splitlines()]
    assert keys == ["door_id", "journal.path", "http.port"]


def test_problems_as_json(tmp_path: Path) -> None:
    path = tmp_path / "none.yaml"
    done = edged("check", "--json", "--config", str(path))
    answer = json.loads(done.stdout)
    assert (done.returncode, answer["ok"], answer["config"]) == (78, False, str(path))
    assert "no such file" in answer["problems"][0]


def test_show_prints_what_check_accepts(tmp_path: Path) -> None:
    path = tmp_path / "shown.yaml"
    path.write_text(edged("show").stdout)
    assert edged("check", "--config", str(path)).returncode == 0
    values = json.loads(edged("show", "--json").stdout)
    assert values == yaml.safe_load(path.read_text())
    assert values["journal"]["path"] == str(ROOT / "var/journal.db")


def test_schema_is_the_committed_one() -> None:
    done = edged("schema")
    assert done.stdout == (ROOT / "edged/config/config.schema.json").read_text()
