"""``edged models compile`` on real networks: the same faces, the same vectors, the same verdicts."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from edged.config.sections import ModelsConfig, QualityConfig
from edged.demo.bundled import bundled_cast
from edged.domain.types import Image
from edged.evaluation.embedding import main_face
from edged.vision.compilation import run
from edged.vision.compilation.comparison import Speed
from edged.vision.compilation.run import Compilation, compile_pack
from edged.vision.compiled import MODEL, compiled_folder
from edged.vision.opening import open_detector, open_liveness
from edged.vision.packs import Catalogue
from edged.vision.pipeline import FacePipeline
from tests.integration.vision.conftest import read


def edged(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "edged", "models", *arguments],
        cwd=cwd, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=110, check=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def portraits() -> list[Image]:
    return [read(photos[0]) for photos in list(bundled_cast()[0].values())[:6]]


@pytest.fixture(autouse=True)
def _compiled_is_faster(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is compared here are numbers; a clock on a busy machine would decide by chance."""

    def race(runners: list[object], *_how: object) -> Speed:
        ratios = (1.0, *[0.5] * (len(runners) - 1))
        return Speed(ratios, ratios)

    monkeypatch.setattr(run, "race", race)


def compiled(models: ModelsConfig, name: str, faces: list[Image]) -> list[Compilation]:
    done = compile_pack(Catalogue(models.directory).in_force(name), models, pictures=faces[:2])
    assert all(one.record for one in done), done
    return done


def check_same_faces(models: ModelsConfig, portraits: list[Image]) -> None:
    """Everything that a door would see, from the original and from what was compiled."""
    plain = FacePipeline.load(msgspec.structs.replace(models, compile="off"), QualityConfig())
    faster = FacePipeline.load(models, QualityConfig())
    assert faster.space == plain.space
    assert faster.weights == plain.weights
    for portrait in portraits:
        one, other = (main_face(each.detect(portrait), portrait) for each in (plain, faster))
        assert one is not None
        assert other is not None
        assert other.score == pytest.approx(one.score, abs=1e-4)
        np.testing.assert_allclose(other.landmarks, one.landmarks, atol=0.01)
        aligned = plain.align(portrait, one)
        first, second = plain.embed([aligned, aligned[:, ::-1].copy()]), faster.embed([aligned] * 2)
        assert float(first[0] @ second[0]) > 0.99999
        np.testing.assert_allclose(second[0], first[0], atol=1e-4)


def test_the_starter_pack(tmp_path: Path, portraits: list[Image]) -> None:
    models = ModelsConfig(directory=tmp_path, threads=1, compile="auto")
    done = compiled(models, "starter", portraits)
    assert [one.record.deviation for one in done if one.record] == [0, 0]  # int8: not a bit may move
    check_same_faces(models, portraits)


@pytest.mark.weights
@pytest.mark.parametrize("detector", ["yunet", "scrfd-500m"])
def test_research_networks(
    weights_dir: Path, packs_dir: Path, tmp_path: Path, detector: str, portraits: list[Image]
) -> None:
    shutil.copytree(packs_dir / detector, tmp_path / detector)
    published = Catalogue(tmp_path).find("arcface-y1-published")
    shutil.copytree(published.directory, tmp_path / published.name)
    file = published.model("embedder").files["float32"].name
    shutil.copy(weights_dir / file, tmp_path / published.name)
    models = ModelsConfig(
        directory=tmp_path, detector=detector, embedder=published.name, threads=1, compile="auto"
    )
    compiled(models, detector, portraits)
    opened = open_detector(models)[1]
    # What it says of smaller pictures was compared too.
    assert opened.at_half_size() is not None
    assert opened.shown_of((640, 480)) == (320, 288)
    (done,) = compiled(models, published.name, portraits)
    assert done.record is not None
    assert done.record.deviation < 1e-5
    check_same_faces(models, portraits)


@pytest.mark.weights
def test_the_liveness_networks(weights_dir: Path, tmp_path: Path, portraits: list[Image]) -> None:
    pack = Catalogue(tmp_path).find("minifasnet")
    shutil.copytree(pack.directory, tmp_path / "minifasnet")
    for spec in pack.models:
        shutil.copy(weights_dir / spec.files["float32"].name, tmp_path / "minifasnet")
    models = ModelsConfig(directory=tmp_path, threads=1, compile="auto")
    compiled(models, "minifasnet", portraits)
    plain = open_liveness(msgspec.structs.replace(models, compile="off"), "minifasnet")[1]
    faster = open_liveness(models, "minifasnet")[1]
    detector = open_detector(models)[1]
    for portrait in portraits:
        face = main_face(detector.detect(portrait), portrait)
        assert face is not None
        assert faster.score(portrait, face) == pytest.approx(plain.score(portrait, face), abs=1e-4)


def test_the_command_compiles_keeps_and_tells(tmp_path: Path) -> None:
    done = edged("compile", "starter", "--directory", "models", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    told: list[dict[str, Any]] = json.loads(done.stdout)
    assert [one["task"] for one in told] == ["detector", "embedder"]
    assert all(one["fresh"] and one["measured"] for one in told)
    for one in told:
        # A busy machine decides whether it is worth it; never whether it is right.
        assert one["compiled"] or "no faster here" in one["reason"]
    again = edged("compile", "starter", "--directory", "models", cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    assert "original ms" in again.stdout


def test_a_pack_that_is_not_there_is_named(tmp_path: Path) -> None:
    done = edged("compile", "arcface-y1", "--directory", "models", cwd=tmp_path)
    assert done.returncode == 1
    assert "missing" in done.stderr
    assert "Traceback" not in done.stderr


def test_without_onnx_it_says_what_to_install(tmp_path: Path) -> None:
    script = (
        "import sys, importlib.util as u; found = u.find_spec\n"
        "u.find_spec = lambda name, *rest: None if name == 'onnx' else found(name, *rest)\n"
        "from edged.cli.main import main; sys.argv[1:] = ['models', 'compile', 'starter']; sys.exit(main())"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 1
    assert "pip install 'edged[quantize]'" in done.stderr


def test_a_door_does_not_take_what_was_exchanged(tmp_path: Path, portraits: list[Image]) -> None:
    models = ModelsConfig(directory=tmp_path, threads=1, compile="auto")
    compiled(models, "starter", portraits)
    spec = Catalogue(tmp_path).in_force("starter").model("embedder")
    path = compiled_folder(spec, "int8", models) / MODEL
    path.write_bytes(path.read_bytes()[::-1])
    check_same_faces(models, portraits[:1])
