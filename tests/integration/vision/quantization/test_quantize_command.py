"""``edged models quantize`` as a program: what is as good is installed, what is not leaves nothing."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.integration.vision.quantization import toys

NO_SUCH_THING = "nobody"


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Photographs of 170 people and three packs."""
    root = tmp_path_factory.mktemp("ground")
    photographs = toys.write_photographs(root / "photos", 170)
    toys.write_photographs(root / "few", 20)
    toys.write_detector(root / "models")
    toys.write_embedder(root / "models", "sturdy", photographs, brittle=False)
    toys.write_embedder(root / "models", "brittle", photographs, brittle=True)
    return root


@pytest.fixture
def models(ground: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(ground / "models", tmp_path / "models"))


def quantize(ground: Path, models: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    photos = [] if "--photos" in arguments else ["--photos", str(ground / "photos")]
    return subprocess.run(
        [
            sys.executable, "-m", "edged", "models", "quantize", *arguments, *photos,
            "--directory", str(models), "--detector", "one-face",
        ],
        cwd=models,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=110,
        check=False,
    )  # fmt: skip


def content(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.*") if path.is_file()
    }


def edged(*arguments: str) -> Any:
    done = subprocess.run(
        [sys.executable, "-m", "edged", *arguments, "--json"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return json.loads(done.stdout)


def test_a_good_result_is_installed_with_its_figures(ground: Path, models: Path) -> None:
    done = quantize(ground, models, "sturdy", "--json", "--report", str(models / "report.json"))
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert json.loads((models / "report.json").read_text()) == told
    assert (told["accepted"], told["problems"], told["space"]) == (True, [], "sturdy/1")
    assert told["figures"]["correlation"] > 0.99
    assert told["figures"]["float32"][-1]["fmr"] == 0.001
    assert told["quantization"]["prelus"] == 1
    (verdict,) = edged("models", "verify", "sturdy", "--directory", str(models))
    assert (verdict["ok"], verdict["installed"]) == (True, ["float32", "int8"])
    pack = edged("models", "info", "sturdy", "--directory", str(models))
    assert "equalized across channels and statically quantized" in pack["provenance"]
    bench = edged(
        "bench", "--models", str(models), "--detector", "one-face", "--embedder", "sturdy", "--precision",
        "int8", "--images", str(ground / "few"), "--rounds", "2", "--gallery", "2",
    )  # fmt: skip
    assert bench["faces"] == 2
    again = quantize(ground, models, "sturdy")
    assert (again.returncode, "comes in int8 already; --force" in again.stderr) == (1, True)


def test_a_bad_result_is_refused_and_leaves_nothing(ground: Path, models: Path) -> None:
    before = content(models)
    done = quantize(ground, models, "brittle", "--json")
    assert done.returncode == 1
    assert "brittle: refused, nothing was installed" in done.stderr
    assert "expected at least 0.99" in done.stderr
    told = json.loads(done.stdout)
    assert (told["accepted"], told["directory"]) == (False, None)
    assert told["figures"]["correlation"] < 0.99
    assert content(models) == before


def test_the_result_can_go_elsewhere(ground: Path, models: Path, tmp_path: Path) -> None:
    before = content(models)
    done = quantize(ground, models, "sturdy", "--out", str(tmp_path / "out"))
    assert done.returncode == 0, done.stderr
    assert "TMR at FMR 0.01" in done.stdout
    assert sorted(path.name for path in (tmp_path / "out" / "sturdy").iterdir()) == [
        "float32.int8.onnx", "float32.onnx", "pack.yaml",
    ]  # fmt: skip
    assert content(models) == before


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["sturdy", "--photos", "few"], "too few photographs to measure with"),
        (["sturdy", "--photos", NO_SUCH_THING], "expected one folder a person"),
        (["sturdy", "--task", "detector"], "expected one detector to quantize"),
        (["one-face"], "has no layer with weights to quantize"),
        ([NO_SUCH_THING], "no model pack 'nobody'"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(
    ground: Path, models: Path, arguments: list[str], told: str
) -> None:
    before = content(models)
    arguments = [str(ground / one) if one == "few" else one for one in arguments]
    done = quantize(ground, models, *arguments)
    assert done.returncode == 1, done.stdout
    assert told in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.count("\n") == 1
    assert content(models) == before


@pytest.mark.weights
@pytest.mark.timeout(900)
def test_a_published_mobilefacenet_keeps_its_accuracy(
    weights_dir: Path, photos_dir: Path, packs_dir: Path, tmp_path: Path
) -> None:
    """A naive int8 of it has a cosine of 0.87 to float32."""
    subprocess.run(
        [
            sys.executable, "-m", "edged", "models", "import",
            str(weights_dir / "mobilefacenet_arcface_y1.onnx"), "--directory", str(tmp_path),
        ],
        check=True,
        timeout=60,
        capture_output=True,
    )  # fmt: skip
    shutil.copytree(packs_dir / "yunet", tmp_path / "yunet")
    photos = tmp_path / "photos"
    photos.mkdir()
    for folder in sorted((photos_dir / "images").iterdir()):
        if len(list(folder.iterdir())) >= 3 and len(list(photos.iterdir())) < 250:
            (photos / folder.name).symlink_to(folder, target_is_directory=True)
    done = subprocess.run(
        [
            sys.executable, "-m", "edged", "models", "quantize", "arcface-y1-published", "--photos",
            str(photos), "--directory", str(tmp_path), "--detector", "yunet", "--json",
        ],
        check=False,
        timeout=800,
        capture_output=True,
        text=True,
    )  # fmt: skip
    assert done.returncode in {0, 1}, done.stderr
    figures = json.loads(done.stdout)["figures"]
    assert figures["cosine"] > 0.99
    assert figures["correlation"] > 0.99
    assert abs(figures["shift"]) < 0.01
