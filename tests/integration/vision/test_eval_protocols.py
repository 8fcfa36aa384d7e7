"""``edged eval closed-set``, ``pairs``, ``open-set``, ``door`` and ``run`` on the demo's people."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner, Result

from edged.cli import eval as evaluation
from edged.demo.bundled import bundled_cast

# The background of the report's style sheet, blue, green, red.
LIGHT, DARK = (255, 255, 255), (23, 17, 13)


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo's people and strangers, one folder each, and a file that is no picture."""
    root = tmp_path_factory.mktemp("people")
    people, strangers = bundled_cast()
    for name, photos in (people | {f"Stranger {row}": one for row, one in enumerate(strangers)}).items():
        (root / name).mkdir()
        for photo in photos:
            (root / name / photo.name).symlink_to(photo)
    (root / "Stranger 0" / "notes.jpg").write_text("no picture")
    return root


@pytest.fixture
def lists(tree: Path, tmp_path: Path) -> list[str]:
    """The options with three photographs of each person enrolled, and all others asking."""
    people, strangers = bundled_cast()
    enrol = [f"{name},{name}/{photo.name}" for name, photos in people.items() for photo in photos[:3]]
    probes = [f"{name},{name}/{photo.name}" for name, photos in people.items() for photo in photos[3:]]
    probes += [f",Stranger {row}/{photo.name}" for row, photos in enumerate(strangers) for photo in photos]
    (tmp_path / "enrol.csv").write_text("\n".join(["person,image", *enrol]))
    (tmp_path / "probe.csv").write_text("\n".join(["person,image", *probes]))
    return ["--enrol", str(tmp_path / "enrol.csv"), "--probes", str(tmp_path / "probe.csv")]


@pytest.fixture(scope="module")
def quiet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A folder without a configuration."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("empty"))
        patch.delenv("EDGED_CONFIG", raising=False)
        yield


def invoke(*arguments: object) -> Result:
    return CliRunner().invoke(evaluation.app, [str(one) for one in arguments], catch_exceptions=False)


def printed(*arguments: object) -> str:
    result = invoke(*arguments)
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.fixture(scope="module")
def whole(quiet: None, tree: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], Path]:
    """All protocols of one run, as JSON and as a report without names."""
    report = tmp_path_factory.mktemp("report") / "report.html"
    told = json.loads(
        printed("run", "--images", tree, "--html", report, "--anonymous", "--sizes", "3,100", "--json")
    )
    return told, report


def test_one_run_measures_every_protocol(whole: tuple[dict[str, Any], Path]) -> None:
    (row,) = whole[0]["packs"]
    people = len(bundled_cast()[0]) + 2
    assert (row["pack"], row["people"], row["photographs"], row["face_rate"]) == ("starter", people, 45, 1)
    assert row["skipped"] == {}
    assert [rule["rule"] for rule in row["closed_set"]["rules"]] == ["centroid", "templates"]
    assert row["closed_set"]["rules"][0]["accuracy"]["value"] > 0.9
    assert row["pairs"]["accuracy"]["value"] > 0.9
    # 900 comparisons carry no rate at all.
    assert [point["tmr"] for point in row["pairs"]["points"]] == [None] * 5
    assert [size["people"] for size in row["open_set"]["sizes"]] == [3, 6]
    assert row["open_set"]["not_carried"] == [100]
    door = row["door"]["result"]
    assert door["granted"]["value"] > 0.8
    assert door["wrong"]["hits"] == 0
    assert door["visits"] == row["open_set"]["sizes"][-1]["mated"]


def test_a_file_that_is_no_picture_is_a_line_of_the_report(whole: tuple[dict[str, Any], Path]) -> None:
    (failure,) = whole[0]["packs"][0]["failures"]
    assert (failure["reason"], failure["text"], failure["image"]) == ("unreadable", "not a picture", None)
    assert "unreadable 1" in whole[1].read_text()


def test_an_anonymous_run_names_nobody(whole: tuple[dict[str, Any], Path]) -> None:
    told = json.dumps(whole[0]) + whole[1].read_text()
    for name in [*bundled_cast()[0], "Stranger"]:
        assert name not in told
    assert ".jpg" not in told


def screenshot(report: Path, to: Path, scheme: int) -> np.ndarray:
    """Open a report as Chromium shows it to a reader who prefers dark (0) or light (1)."""
    browser = shutil.which("chromium") or shutil.which("chromium-browser")
    if browser is None:
        pytest.skip("there is no Chromium on this machine")
    # The page is our own and runs nothing, so that no sandbox is needed where root has none.
    subprocess.run(
        [
            browser, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run",
            f"--user-data-dir={to}.profile", f"--blink-settings=preferredColorScheme={scheme}",
            "--window-size=1200,2400", f"--screenshot={to}", report.as_uri(),
        ],
        check=True, capture_output=True, timeout=60,
    )  # fmt: skip
    shown = cv2.imread(str(to))
    assert shown is not None
    return shown


@pytest.mark.parametrize(("scheme", "background"), [(0, DARK), (1, LIGHT)])
def test_a_browser_shows_the_report_in_light_and_dark(
    whole: tuple[dict[str, Any], Path], tmp_path: Path, scheme: int, background: tuple[int, int, int]
) -> None:
    shown = screenshot(whole[1], tmp_path / "page.png", scheme)
    assert shown.shape[1] == 1200
    assert tuple(shown[2, 2]) == background
    # Text and plots cover a good part of it, and there is colour, which only plots have.
    other = np.any(shown != np.array(background), axis=2)
    assert 0.05 < other.mean() < 0.9
    spread = shown.max(axis=2).astype(int) - shown.min(axis=2)
    assert np.count_nonzero(spread > 80) > 1000


def test_packs_stand_side_by_side_in_one_table(quiet: None, tree: Path) -> None:
    table = printed("closed-set", "--images", tree, "--packs", "starter,starter+starter:int8", "--per-person")
    for cell in ("starter+starter:int8", "centroid", "templates", "precision", "Greta", "Stranger 1"):
        assert cell in table
    assert "Stranger 0/notes.jpg: unreadable (not a picture)" in table
    told = json.loads(printed("closed-set", "--images", tree, "--enrolled", 0.4, "--json"))
    result = told["packs"][0]["closed_set"]
    assert (result["templates"], result["probes"]) == (18, 27)
    assert "pairs" not in told["packs"][0]


@pytest.mark.weights
def test_an_embedder_alone_takes_the_detector_beside_it(quiet: None, tree: Path, packs_dir: Path) -> None:
    packs = ("--packs", "arcface-y1,yunet+arcface-y1:float32", "--detector", "yunet", "--models", packs_dir)
    alone, both = json.loads(printed("closed-set", "--images", tree, *packs, "--json"))["packs"]
    assert alone["detector"] == both["detector"] == "yunet"
    assert alone["weights"]["detector"] == both["weights"]["detector"]
    assert both["closed_set"]["rules"][0]["accuracy"]["value"] == 1


def test_lists_say_who_is_enrolled(quiet: None, tree: Path, lists: list[str]) -> None:
    # The strangers of the lists are none of the closed set's business.
    result = invoke("closed-set", "--images", tree, *lists, "--json")
    (row,) = json.loads(result.stdout)["packs"]
    assert (row["closed_set"]["templates"], row["closed_set"]["probes"]) == (21, 14)


def test_mirrored_faces_are_recognised_too(quiet: None, tree: Path) -> None:
    told = json.loads(
        printed("closed-set", "--images", tree, "--mirror", "both", "--quality-floor", "--json")
    )
    assert told["packs"][0]["closed_set"]["rules"][0]["accuracy"]["value"] > 0.9


def test_pairs_need_no_list(quiet: None, tree: Path) -> None:
    result = invoke("pairs", "--images", tree, "--json")
    report = json.loads(result.stdout)
    assert report["pairs"]["accuracy"] == pytest.approx(report["rates"]["accuracy"]["value"])
    assert (report["rates"]["same_pairs"], report["rates"]["comparisons"]) == (27, 900)
    assert report["unreadable"] == {"Stranger 0/notes.jpg": "not a picture"}
    assert "passed over: Stranger 0/notes.jpg: not a picture" in result.stderr
    assert "rule of 30: needs 3,000 trials, has 900" in printed("pairs", "--images", tree)


def test_open_set_by_size(quiet: None, tree: Path, lists: list[str]) -> None:
    report = json.loads(printed("open-set", "--images", tree, *lists, "--sizes", "2", "--json"))
    whole = report["open_set"]
    assert [size["people"] for size in report["sizes"]["sizes"]] == [2, whole["people"]]
    last = report["sizes"]["sizes"][-1]
    assert last["rank_one"]["value"] == pytest.approx(whole["rank_one"])
    assert last["points"][0]["hindsight"]["fnir"]["value"] == pytest.approx(whole["points"][0]["fnir"])
    table = printed("open-set", "--images", tree, *lists, "--sizes", "2,50")
    assert "N = 50: not carried" in table


@pytest.mark.parametrize("visit", ["views", "photographs"])
def test_the_enrolled_come_in_at_the_door(quiet: None, tree: Path, lists: list[str], visit: str) -> None:
    frames = 4 if visit == "views" else 2
    arguments = ("door", "--images", tree, *lists, "--visit", visit, "--frames", frames, "--risk", 0.001)
    report = json.loads(printed(*arguments, "--json"))["packs"][0]["door"]
    result = report["result"]
    assert report["target_fpir"] == 0.001
    assert result["wrong"]["hits"] == 0
    assert result["people"] == len(bundled_cast()[0])
    if visit == "views":
        assert (result["visits"], result["stranger_visits"]) == (14, 10)
        assert result["granted"]["value"] > 0.8
        assert result["waiting"]["frames_p50"] >= 3
    else:
        # Two photographs never make three frames that agree.
        assert (result["visits"], result["stranger_visits"]) == (7, 4)
        assert result["granted"]["hits"] == 0


def test_doors_of_as_many_people_as_the_table_carries(quiet: None, tree: Path, lists: list[str]) -> None:
    asked = ("door", "--images", tree, *lists, "--frames", 3, "--security", "secure", "--dealt", "carried")
    (row,) = json.loads(printed(*asked, "--json"))["packs"]
    door = row["door"]
    assert door["target_fpir"] == 1e-4
    result = door["result"]
    # The starter pack's table ends at 1e-5: two people at this level.
    assert (result["people"], result["doors"]) == (2, 3)
    assert result["threshold"] is not None
    assert (result["wrong"]["hits"], result["let_in"]["hits"]) == (0, 0)


@pytest.mark.parametrize(
    "arguments",
    [
        ("open-set", "--sizes", "few"),
        ("open-set", "--sizes", "0"),
        ("door", "--enrol", "enrol.csv"),
        ("door", "--dealt", "0"),
        ("run", "--dealt", "all"),
        ("run", "--risk", "0.01", "--security", "secure"),
        ("closed-set", "--enrol", "enrol.csv", "--probes", "probe.csv", "--people", "people.txt"),
        ("pairs", "--pairs", "pairs.csv", "--people", "people.txt"),
        ("run", "--protocols", "closed-set,open-door"),
        ("run", "--packs", "starter,starter"),
        ("closed-set", "--packs", "starter:int4"),
        ("closed-set", "--packs", "starter", "--precision", "int8"),
    ],
)
def test_mistakes_on_the_command_line_are_usage_errors(
    quiet: None, tree: Path, arguments: tuple[str, ...]
) -> None:
    assert invoke(*arguments, "--images", tree).exit_code == 2
