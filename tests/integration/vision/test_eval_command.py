"""``edged eval`` and ``edged bench`` on a few photographs."""

import csv
import json
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import cv2
import msgspec
import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from edged.cli import bench
from edged.cli import eval as evaluation
from edged.config.sections import ModelsConfig
from edged.demo.bundled import bundled_cast
from edged.errors import EvaluationError, ModelError
from edged.vision.choice import running_threads
from edged.vision.profile import standing
from tests.fakes.model_packs import write_liveness_pack

STAGES = ["capture", "motion", "detect", "track", "align", "quality", "embed", "match", "decide", "journal"]


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
def few(tmp_path: Path) -> Path:
    """The demo's people as a tree of photographs, and the lists of every protocol."""
    people, strangers = bundled_cast()
    tree = tmp_path / "tree"
    others = {f"Stranger {number}": photos for number, photos in enumerate(strangers)}
    for name, photos in (people | others).items():
        (tree / name).mkdir(parents=True)
        for photo in photos:
            (tree / name / photo.name).symlink_to(photo)
    rows = {name: [f"{name}/{photo.name}" for photo in photos] for name, photos in people.items()}
    same = [(a, b, 1) for images in rows.values() for a, b in pairwise(images)]
    columns = list(zip(*rows.values(), strict=True))
    different = [(a, b, 0) for images in columns for a, b in pairwise(images)]
    write(tmp_path / "pairs.csv", "image_a,image_b,same", [*same, *different])
    write(tmp_path / "enrol.csv", "person,image", [(name, one) for name in rows for one in rows[name][:3]])
    probes = [(name, one) for name in rows for one in rows[name][3:]]
    unknown = [("", f"{name}/{photo.name}") for name, photos in others.items() for photo in photos]
    write(tmp_path / "probe.csv", "person,image", [*probes, *unknown])
    return tmp_path


def write(path: Path, header: str, rows: Sequence[Sequence[object]]) -> None:
    with path.open("w", newline="") as stream:
        csv.writer(stream).writerows([header.split(","), *rows])


def run(app: typer.Typer, *arguments: object) -> dict[str, object]:
    result = CliRunner().invoke(app, [str(one) for one in arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert isinstance(report, dict)
    return report


def test_pairs(app: typer.Typer, few: Path) -> None:
    report = run(
        app, "eval", "pairs", "--images", few / "tree", "--pairs", few / "pairs.csv",
        "--json",
    )  # fmt: skip
    assert report["pairs"]["accuracy"] > 0.95  # type: ignore[index]
    assert report["face_rate"] == 1


def test_open_set(app: typer.Typer, few: Path) -> None:
    report = run(
        app, "eval", "open-set", "--images", few / "tree", "--enrol", few / "enrol.csv",
        "--probes", few / "probe.csv", "--json",
    )  # fmt: skip
    assert report["open_set"]["people"] == len(bundled_cast()[0])  # type: ignore[index]
    assert report["open_set"]["strangers"] == 10  # type: ignore[index]


def test_calibration(app: typer.Typer, few: Path) -> None:
    report = run(app, "eval", "calibration", "--images", few / "tree", "--json")
    points = report["calibration"]
    assert isinstance(points, list)
    # 45 photographs have too few pairs for a claim below one in a hundred.
    assert all(point["fmr"] >= max(1e-2, 3 / point["comparisons"]) for point in points)
    assert all(point["bound"] == point["fmr"] for point in points)


@pytest.mark.weights
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
def test_bench(app: typer.Typer, few: Path, with_images: bool) -> None:
    images = ["--images", few / "tree" / next((few / "tree").iterdir()).name] if with_images else []
    report = run(app, "bench", "--rounds", 5, "--gallery", 10, *images, "--json", "--plot", few / "plot.svg")
    assert list(report["stages"]) == STAGES  # type: ignore[call-overload]
    assert report["faces"] == 5
    width, height = report["size"]  # type: ignore[misc]
    assert (width == height) is with_images
    within = [report["stages"][one]["p50_ms"] for one in STAGES[1:-1]]  # type: ignore[index]
    assert report["frame"]["p95_ms"] > max(within) > 0  # type: ignore[index]
    assert 0 < report["around"] < 1  # type: ignore[operator]
    assert report["cpu_ms"]["p50_ms"] > 0  # type: ignore[index]
    assert (few / "plot.svg").read_text().startswith("<?xml")
    assert not list(few.glob("**/.edged-bench-*"))


def test_bench_shows_a_video(app: typer.Typer, tmp_path: Path) -> None:
    video = cv2.VideoWriter(str(tmp_path / "v.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 10, (320, 240))
    for level in range(3):
        video.write(np.full((240, 320, 3), 60 * level, np.uint8))
    video.release()
    report = run(app, "bench", "--rounds", 5, "--images", tmp_path / "v.avi", "--json")
    assert (report["size"], report["faces"]) == ([320, 240], 0)


def test_a_sweep_says_why_and_what_it_wrote_is_what_runs(app: typer.Typer, few: Path, tmp_path: Path) -> None:
    person = next((few / "tree").iterdir())
    written = run(app, "bench", "--rounds", 3, "--write", "--images", person, "--json")
    assert {one["what"] for one in written["picks"]} >= {  # type: ignore[attr-defined]
        "detector precision", "embedder precision", "threads", "frames a second",
    }  # fmt: skip
    assert all(one["why"] for one in written["picks"])  # type: ignore[attr-defined]
    models = ModelsConfig(directory=tmp_path / "var/models")
    assert json.loads(msgspec.json.encode(standing(models).profile)) == written["profile"]
    assert running_threads(models) == written["chosen"]["threads"]  # type: ignore[index]
    later = CliRunner().invoke(
        app, ["bench", "--rounds", "3", "--sweep", "--images", str(person)], catch_exceptions=False
    )
    assert "nothing written" in later.stdout
    assert "profile in force" in later.stdout


def test_bench_times_each_cue_of_liveness_and_counts_it_into_the_frame(
    app: typer.Typer, tmp_path: Path
) -> None:
    write_liveness_pack(tmp_path / "var/models")
    report = run(app, "bench", "--rounds", 5, "--liveness", "toy-liveness", "--json")
    stages, frame = report["stages"], report["frame"]
    cues = {"liveness model", "liveness border", "liveness screen", "liveness parallax"}
    assert report["liveness"] == "toy-liveness"
    assert set(stages) == {*STAGES, *cues}  # type: ignore[call-overload]
    assert frame["p95_ms"] >= max(stages[name]["p50_ms"] for name in cues)  # type: ignore[index]


def test_bench_refuses_a_liveness_pack_that_is_not_installed(app: typer.Typer) -> None:
    result = CliRunner().invoke(app, ["bench", "--rounds", "1", "--liveness", "minifasnet"])
    assert isinstance(result.exception, ModelError)


def test_packs_stand_side_by_side(app: typer.Typer, few: Path) -> None:
    result = CliRunner().invoke(app, ["eval", "compare", "starter", "--images", str(few / "tree")])
    assert result.exit_code == 0, result.output
    assert "45 photographs of 9 people" in result.stdout
    (few / "people.txt").write_text("Stranger 0\nStranger 1\n")
    arguments = ("--images", few / "tree", "--people", few / "people.txt", "--json")
    result = CliRunner().invoke(app, ["eval", "compare", "starter:int8", *map(str, arguments)])
    (row,) = json.loads(result.stdout)
    assert (row["people"], row["same_pairs"]) == (2, 6)
    assert row["space"].startswith("starter/")
    assert row["accuracy"] > 0.9


def test_a_mistyped_precision_is_refused(app: typer.Typer, few: Path) -> None:
    result = CliRunner().invoke(app, ["eval", "compare", "starter:int4", "--images", str(few / "tree")])
    assert result.exit_code == 2
    assert "int4" in result.stderr


def test_an_empty_folder_is_refused(app: typer.Typer, tmp_path: Path) -> None:
    with pytest.raises(EvaluationError, match="got none"):
        run(app, "eval", "calibration", "--images", tmp_path)


def test_what_a_quality_score_is_worth(app: typer.Typer, few: Path) -> None:
    asked = ("eval", "quality", "--images", few / "tree", "--limit", 2, "--fmr", 1e-3)
    report = run(app, *asked, "--json")
    assert report["photographs"] == 45
    worse = {one["condition"]: one for one in report["conditions"]}  # type: ignore[attr-defined]
    assert worse["as it is"]["pictures"] == 2
    assert worse["as it is"]["share"] == pytest.approx(1, abs=0.05)
    # Who is too far away has lost likeness, and the score says so.
    for measure in ("share", "score"):
        assert worse["20 px wide"][measure] < worse["60 px wide"][measure] - 0.1
    table = CliRunner().invoke(
        app, [*map(str, asked[:-4]), "--limit", "0", "--parts"], catch_exceptions=False
    )
    assert "error versus discard" in table.stdout
    assert "brightness" in table.stdout
    assert "made worse" not in table.stdout
    with pytest.raises(EvaluationError, match="does not reach"):
        run(app, "eval", "quality", "--images", few / "tree", "--fmr", 1e-8)


def test_doubles_that_were_planted_are_found_by_the_audit(app: typer.Typer, few: Path) -> None:
    asked = ("eval", "audit", "--images", few / "tree", "--planted", 4)
    report = run(app, *asked, "--json")
    assert (report["people"], report["planted"]) == (len(bundled_cast()[0]) + 2 + 4, 4)
    # Two of the demo's people look alike, and are listed as that and no more.
    assert (report["named"], report["recall"], report["told"], report["told_right"]) == (4, 1, 4, 4)
    table = CliRunner().invoke(app, [*map(str, asked)], catch_exceptions=False)
    assert "planted doubles: 4 said to be one person" in table.stdout
    write(few / "known.csv", "person_a,person_b", [("Ama_Delorre", "Greta_Holmsund")])
    same = run(app, *asked, "--known", few / "known.csv", "--first", 2, "--json")
    assert (len(same["first"]), same["recall"]) == (2, 0.5)  # type: ignore[arg-type]
    with pytest.raises(EvaluationError, match="expected 40 people with 2 photographs"):
        run(app, "eval", "audit", "--images", few / "tree", "--planted", 40)


def test_a_cue_that_needs_movement_is_not_asked_of_single_pictures(app: typer.Typer, few: Path) -> None:
    arguments = ["eval", "liveness", "--images", str(few / "tree"), "--cue", "parallax", "--limit", "3"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 2
    assert "parallax" in result.output
