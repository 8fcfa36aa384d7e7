"""``edged eval`` and ``edged bench`` on a few photographs."""

import csv
import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from edged.cli import bench
from edged.cli import eval as evaluation
from edged.errors import EvaluationError

pytestmark = pytest.mark.weights


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> typer.Typer:
    """The two groups, in a folder without a configuration."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("EDGED_CONFIG", raising=False)
    root = typer.Typer()
    root.add_typer(evaluation.app, name="eval")
    root.command("bench")(bench.bench)
    return root


@pytest.fixture
def few(photos_dir: Path, tmp_path: Path) -> Path:
    """The heads of the lists, and a tree with the photographs of 24 people."""
    for name, keep in (("pairs", 40), ("enrol", 30), ("probe", 0)):
        with (photos_dir / f"{name}.csv").open(newline="") as stream:
            header, *rows = csv.reader(stream)
        if name == "pairs":
            rows = [row for row in rows if row[2] == "1"][:20] + [row for row in rows if row[2] == "0"][:20]
        if name == "probe":
            rows = [row for row in rows if row[0]][:10] + [row for row in rows if not row[0]][:40]
        with (tmp_path / f"{name}.csv").open("w", newline="") as stream:
            csv.writer(stream).writerows([header, *(rows[:keep] if keep else rows)])
    (tmp_path / "tree").mkdir()
    for folder in sorted((photos_dir / "images").iterdir())[:24]:
        (tmp_path / "tree" / folder.name).symlink_to(folder)
    return tmp_path


def run(app: typer.Typer, *arguments: object) -> dict[str, object]:
    result = CliRunner().invoke(app, [str(one) for one in arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert isinstance(report, dict)
    return report


def test_pairs(app: typer.Typer, few: Path, photos_dir: Path, packs_dir: Path) -> None:
    report = run(
        app, "eval", "pairs", "--images", photos_dir / "images", "--pairs", few / "pairs.csv",
        "--models", packs_dir, "--json",
    )  # fmt: skip
    assert report["pairs"]["accuracy"] > 0.95  # type: ignore[index]
    assert report["face_rate"] == 1


def test_open_set(app: typer.Typer, few: Path, photos_dir: Path, packs_dir: Path) -> None:
    report = run(
        app, "eval", "open-set", "--images", photos_dir / "images", "--enrol", few / "enrol.csv",
        "--probes", few / "probe.csv", "--models", packs_dir, "--json",
    )  # fmt: skip
    assert report["open_set"]["people"] == 10  # type: ignore[index]
    assert report["open_set"]["strangers"] == 40  # type: ignore[index]


def test_calibration(app: typer.Typer, few: Path, packs_dir: Path) -> None:
    report = run(app, "eval", "calibration", "--images", few / "tree", "--models", packs_dir, "--json")
    points = report["calibration"]
    assert isinstance(points, list)
    # 24 people have too few pairs for anything below one in a hundred.
    assert [point["fmr"] for point in points] in ([], [0.01], [0.01, 0.003])


def test_template(app: typer.Typer, few: Path, packs_dir: Path) -> None:
    report = run(
        app, "eval", "template", "--images", few / "tree", "--reference", "scrfd-500m",
        "--models", packs_dir, "--json",
    )  # fmt: skip
    assert report["landmarks"] == "yunet"
    (left, right, nose, *_), faces = report["template"], report["faces"]  # type: ignore[misc]
    assert faces >= 20  # type: ignore[has-type]
    assert left[0] < nose[0] < right[0]  # type: ignore[has-type]


@pytest.mark.parametrize("with_images", [True, False])
def test_bench(app: typer.Typer, few: Path, packs_dir: Path, with_images: bool) -> None:
    images = ["--images", few / "tree" / next((few / "tree").iterdir()).name] if with_images else []
    report = run(app, "bench", "--models", packs_dir, "--rounds", 5, "--gallery", 10, *images, "--json")
    assert set(report["stages"]) == {"detect", "align", "quality", "embed", "match"}  # type: ignore[call-overload]
    assert report["faces"] == (5 if with_images else 0)
    assert report["frame"]["p50_ms"] > 0  # type: ignore[index]


def test_an_empty_folder_is_refused(app: typer.Typer, tmp_path: Path, packs_dir: Path) -> None:
    with pytest.raises(EvaluationError, match="got none"):
        run(app, "eval", "calibration", "--images", tmp_path, "--models", packs_dir)
