"""``edged bench --idle`` and ``--latency`` measure the door that is configured, and say which that is."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from edged.cli.bench_idle import watch_clips
from edged.cli.main import app
from edged.config.sections import MotionConfig
from edged.evaluation import idle, idle_clips, latency
from edged.evaluation.idle import IdleShare
from edged.evaluation.idle_clips import Clip, empty_clips
from edged.evaluation.latency import Latency

CONFIG = """
site: hq
door_id: front
camera: {source: {type: v4l2, device: /dev/video0}}
door: {lock: {driver: fake}}
mqtt: {enabled: false}
motion: {changed_ratio: 0.25, force_detection_ms: 500, idle_fps: 2, enabled: %s}
"""


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[Mapping[str, Any]]:
    """The sections of every door that would have been run; a run takes half a minute each."""
    sections: list[Mapping[str, Any]] = []

    def share(clip: Clip, _folder: Path, **terms: Any) -> IdleShare:
        sections.append(terms["sections"])
        return IdleShare(clip.name, terms["codec"], terms["seconds"], 0.1, 15.0, 5.0, 0.5)

    def waited(*_: object, **terms: Any) -> Latency:
        sections.append(terms["sections"])
        return Latency(1, 1, 100.0, 100.0, 100.0, 90.0)

    monkeypatch.setattr(idle, "idle_share", share)
    monkeypatch.setattr(latency, "decision_latency", waited)
    still = [clip for clip in empty_clips((64, 48), 0.2) if clip.name in {"still", "lamp that flickers"}]
    monkeypatch.setattr(idle_clips, "empty_clips", lambda *_: still)
    monkeypatch.setattr(idle_clips, "visit_clips", lambda *_: [])
    monkeypatch.chdir(tmp_path)
    return sections


@pytest.mark.parametrize("option", [("--idle", "5"), ("--latency", "1")], ids=" ".join)
def test_the_configured_gate_is_measured_and_named(
    told: list[Mapping[str, Any]], tmp_path: Path, option: tuple[str, str]
) -> None:
    (tmp_path / "other.yaml").write_text(CONFIG % "true")
    done = CliRunner().invoke(app, ["bench", *option, "--config", "other.yaml", "--json"])
    assert done.exit_code == 0, done.output
    facts = json.loads(done.stdout)
    assert facts["motion"] == {
        "enabled": True, "changed_ratio": 0.25, "force_detection_ms": 500, "idle_fps": 2.0,
    }  # fmt: skip
    assert facts["motion_from"] == "other.yaml"
    assert told
    assert all(sections["motion"] == facts["motion"] for sections in told)
    shown = CliRunner().invoke(app, ["bench", *option, "--config", "other.yaml"])
    assert "motion gate of other.yaml: changed_ratio 0.25" in shown.stdout


def test_without_an_option_it_is_that_of_the_configuration_that_is_there(
    told: list[Mapping[str, Any]], tmp_path: Path
) -> None:
    assert "motion gate of the defaults" in CliRunner().invoke(app, ["bench", "--idle", "5"]).stdout
    assert told[-1]["motion"]["enabled"]
    (tmp_path / "config.yaml").write_text(CONFIG % "false")
    shown = CliRunner().invoke(app, ["bench", "--idle", "5"]).stdout
    assert "motion gate of config.yaml: off, every picture is searched" in shown
    assert not told[-1]["motion"]["enabled"]


def test_without_a_gate_every_picture_is_searched(monkeypatch: pytest.MonkeyPatch) -> None:
    clips = empty_clips((64, 48), 2)[:1]
    monkeypatch.setattr(idle_clips, "empty_clips", lambda *_: clips)
    monkeypatch.setattr(idle_clips, "visit_clips", lambda *_: [])
    (gated,) = watch_clips(MotionConfig())
    (plain,) = watch_clips(MotionConfig(enabled=False))
    assert gated.searched < gated.looked
    assert plain.searched == plain.looked == plain.frames
