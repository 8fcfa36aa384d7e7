"""Liveness on real ONNX sessions: the research networks, and both commands on a toy pack and real cameras."""

import io
import json
import shutil
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

from edged.cli import eval as evaluation
from edged.cli import liveness as command
from edged.config.sections import ModelsConfig
from edged.demo.bundled import bundled_cast
from edged.domain.liveness import Cue, face_liveness
from edged.domain.presentation import Species
from edged.domain.types import Image
from edged.evaluation.presentation import attack, live
from edged.evaluation.scene_visitor import figure
from edged.vision.detector import FaceDetector
from edged.vision.liveness_meter import FaceLiveness
from edged.vision.opening import open_detector, open_liveness
from edged.vision.packs import Catalogue
from tests.fakes.model_packs import write_liveness_pack
from tests.integration.vision.conftest import read

# Of one photograph after the other: a shade of green is alive to the toy pack, a shade of red is not.
GREENISH, REDDISH = (0.85, 1.0, 0.7), (0.85, 0.7, 1.0)


@pytest.fixture(scope="module")
def people() -> list[Path]:
    """One photograph of each of the people who come with edged."""
    return [photos[0] for photos in bundled_cast()[0].values()]


@pytest.fixture(scope="module")
def detector(tmp_path_factory: pytest.TempPathFactory) -> FaceDetector:
    return open_detector(ModelsConfig(directory=tmp_path_factory.mktemp("none"), threads=1))[1]


@pytest.mark.weights
def test_the_research_networks_tell_photographs_from_what_is_held_up(
    weights_dir: Path, people: list[Path], detector: FaceDetector, tmp_path: Path
) -> None:
    pack = Catalogue(tmp_path).find("minifasnet")
    shutil.copytree(pack.directory, tmp_path / "minifasnet")
    for spec in pack.models:
        shutil.copy(weights_dir / spec.files["float32"].name, tmp_path / "minifasnet")
    models = ModelsConfig(directory=tmp_path, threads=1)
    networks = open_liveness(models, "minifasnet")[1]
    meter = FaceLiveness(networks, [Cue.BORDER, Cue.SCREEN])
    living, dead = [], []
    for number, path in enumerate(people[:4]):
        chance = np.random.default_rng(number)
        shown = live(read(path), chance)
        held = attack(read(path), list(Species)[number], figure(read(people[-1])), chance)
        for presentation, scores in ((next(shown), living), (next(held), dead)):
            face = presentation.presented(detector.detect(presentation.image))
            assert face is not None
            found = meter.measure(number, 0.0, presentation.image, face)
            scores.append((networks.score(presentation.image, face), face_liveness(found)))
    assert min(whole for _, whole in living) > 0.5 > max(whole for _, whole in dead)
    assert np.mean([score for score, _ in living]) > np.mean([score for score, _ in dead]) + 0.3


def door(folder: Path, pictures: list[Image], **liveness: Any) -> Path:
    """Write a door whose camera shows ``pictures`` and whose liveness pack is a toy; return its config."""
    write_liveness_pack(folder / "models")
    (folder / "pictures").mkdir()
    for number, picture in enumerate(pictures):
        cv2.imwrite(str(folder / "pictures" / f"{number:03d}.png"), picture)
    document = {
        "site": "hq",
        "door_id": "front",
        "camera": {"source": {"type": "folder", "path": "pictures", "fps": 200}},
        "door": {"lock": {"driver": "fake"}},
        "models": {"directory": "models", "threads": 1},
        "liveness": {"pack": "toy-liveness", "cues": [], "timeout_ms": 60_000, **liveness},
        "mqtt": {"enabled": False},
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(document))
    return folder / "config.yaml"


def tinted(path: Path, shade: tuple[float, float, float]) -> Image:
    return np.asarray(np.clip(read(path) * np.array(shade), 0, 255), np.uint8)


def run(config: Path, *arguments: str) -> tuple[int, str]:
    """Run the protocol without a terminal, four usable pictures a presentation."""
    asked = ["test", "--config", str(config), "--frames", "4", "--seconds", "60", *arguments]
    result = CliRunner().invoke(command.app, asked)
    return result.exit_code, result.output if result.exit_code == 2 else result.stdout


COUNTS = ("--print", "2", "--phone", "0", "--tablet", "0", "--replay", "0", "--live", "2")


def test_the_protocol_counts_attacks_and_living_people(people: list[Path], tmp_path: Path) -> None:
    # The second print passes for alive, and the second visit for an attack.
    shades = [REDDISH, GREENISH, GREENISH, REDDISH]
    pictures = [tinted(people[0], shade) for shade in shades for _ in range(4)]
    code, output = run(door(tmp_path, pictures), *COUNTS, "--yes", "--json")
    report = json.loads(output)
    assert code == 0
    rates = {kind: (one["measure"], one["errors"], one["trials"]) for kind, one in report["rates"].items()}
    assert rates == {"print": ("APCER", 1, 2), "live": ("BPCER", 1, 2)}
    assert report["rates"]["print"]["high"] == pytest.approx(0.987421, abs=1e-5)
    (kept,) = (tmp_path / "var").glob("liveness-*.json")
    assert json.loads(kept.read_text()) | {"path": str(kept)} == report
    assert kept.stat().st_mode & 0o777 == 0o600
    assert [one["alive"] for one in report["presentations"]] == [False, True, True, False]


def test_a_camera_that_ends_too_soon_is_a_failure_and_what_was_seen_is_kept(
    people: list[Path], tmp_path: Path
) -> None:
    config = door(tmp_path, [tinted(people[0], REDDISH)] * 4)
    code, output = run(config, *COUNTS, "--yes", "--output", str(tmp_path / "kept.json"))
    assert code == 1
    assert "APCER print" in output
    assert len(json.loads((tmp_path / "kept.json").read_text())["presentations"]) == 1


def test_without_a_terminal_nothing_is_asked(tmp_path: Path) -> None:
    code, output = run(door(tmp_path, []), *COUNTS)
    assert code == 2
    assert "--yes" in output


class Terminal(io.StringIO):
    """Somebody who presses Enter each time."""

    def isatty(self) -> bool:
        return True


def test_at_a_terminal_each_presentation_is_asked_for(
    people: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", Terminal("\n\n"))
    monkeypatch.setattr(command, "_SETTLE_SECONDS", 0.0)
    config = door(tmp_path, [tinted(people[0], REDDISH)] * 8)
    nothing = {"phone": 0, "tablet": 0, "replay": 0}
    command.run_protocol(live=1, prints=1, **nothing, frames=4, seconds=60, config=config)
    asked = capsys.readouterr()
    assert "print 1 of 1: show an attack: print to the camera, then press Enter" in asked.err
    assert "live 1 of 1: show a living person" in asked.err
    assert "print 1 of 1: not taken for live, liveness 0." in asked.err
    assert "BPCER live" in asked.out


def test_drawn_attacks_are_measured_and_each_cue_is_held_against_the_whole(
    people: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("EDGED_CONFIG", raising=False)
    write_liveness_pack(tmp_path / "models")
    asked = [
        "liveness", "--images", str(people[0].parents[1]), "--models", str(tmp_path / "models"),
        "--pack", "toy-liveness", "--cue", "border", "--species", "print", "--limit", "2", "--frames", "2",
    ]  # fmt: skip
    result = CliRunner().invoke(evaluation.app, [*asked, "--json"], catch_exceptions=False)
    report = json.loads(result.stdout)
    assert (report["photographs"], report["pack"]) == (2, "toy-liveness")
    assert report["whole"]["apcer"]["print"]["trials"] == 2
    assert report["whole"]["bpcer"]["photograph"]["trials"] == 2
    assert report["frames"] == 2
    assert set(report["ablation"]) == {"model", "border"}
    assert set(report["at_threshold"]) == {"model"}
    table = CliRunner().invoke(evaluation.app, asked, catch_exceptions=False).stdout
    assert "what each cue adds, at the threshold" in table
    assert "model" in table
    wrong = CliRunner().invoke(evaluation.app, [*asked, "--species", "mask"])
    assert wrong.exit_code == 2
    assert "--species" in wrong.output
