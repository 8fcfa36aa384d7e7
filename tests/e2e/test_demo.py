"""The demo as a newcomer sees it: on the bundled people and models, without anything beside the checkout."""

import json
import shutil
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from edged.demo.bundled import bundled_cast
from tests.e2e.door import edged

pytestmark = pytest.mark.timeout(300)


def demo(cwd: Path, *options: object, check: bool = True) -> tuple[dict[str, Any], str]:
    """Run the demo; return its summary (empty where there is none) and what it told."""
    done = edged("demo", "--folder", "demo", "--http-port", 0, "--json", *options, cwd=cwd, check=check)
    assert "Traceback" not in done.stderr
    assert (done.returncode == 0) is check
    return (json.loads(done.stdout) if done.stdout else {}), done.stderr


def give(folder: Path, photos: list[Path]) -> None:
    folder.mkdir(parents=True)
    for number, photo in enumerate(photos):
        shutil.copy(photo, folder / f"{number}{photo.suffix}")


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any], str]:
    """One whole show: its folder, summary and console."""
    folder = tmp_path_factory.mktemp("shown")
    return folder, *demo(folder, "--picture", "show.png")


Shown = tuple[Path, dict[str, Any], str]


def test_everybody_enrolled_comes_in_and_no_stranger_does(shown: Shown) -> None:
    _, summary, _ = shown
    people, strangers = bundled_cast()
    assert summary["enrolled"] == summary["recognised"] == len(people) >= 6
    outcomes = [
        {one["decision"] for one in visit["decisions"]}
        for visit in summary["visits"]
        if visit["role"] == "stranger"
    ]
    assert outcomes == [{"denied"}] * len(strangers)
    assert (summary["wrong_person"], summary["problems"], summary["ok"]) == (0, [], True)


def test_the_lock_moves_once_a_grant_and_is_locked_in_the_end(shown: Shown) -> None:
    folder, summary, told = shown
    trace = [json.loads(line) for line in (folder / "demo" / "lock.jsonl").read_text().splitlines()]
    assert told.count("UNLOCKED") == told.count("locked after") == summary["granted"]
    states = [line["state"] for line in trace]
    assert states[0] == states[-1] == "locked"
    assert states.count("unlocked") == summary["granted"]


def test_the_console_tells_the_whole_way(shown: Shown) -> None:
    _, summary, told = shown
    for part in ("http://127.0.0.1:", "/metrics", "a fake lock", "event/access", "event/attendance"):
        assert part in told
    for visit in summary["visits"]:
        assert visit["visitor"] in told
    assert "not close enough to anybody" in told
    assert "edged events tail --config demo/config.yaml" in told


def test_what_became_of_the_printed_photograph_is_not_hidden(shown: Shown) -> None:
    _, summary, told = shown
    assert [visit["role"] for visit in summary["visits"]].count("printed photograph") == 1
    fooled = summary["printed_photographs_let_in"] == 1
    assert ("A PHOTOGRAPH FOOLED THIS DOOR" in told) is fooled
    assert ("THE PRINTED PHOTOGRAPH OPENED THE DOOR" in told) is fooled


def test_the_picture_is_written(shown: Shown) -> None:
    picture = cv2.imread(str(shown[0] / "show.png"))
    assert picture.shape[1] == 1280
    assert picture.std() > 10


def test_the_door_stays_to_be_asked(shown: Shown) -> None:
    folder, summary, _ = shown
    config = ("--config", summary["config"])
    assert "whole and unaltered" in edged("events", "verify", *config, cwd=folder).stdout
    people = json.loads(edged("people", "list", *config, "--json", cwd=folder).stdout)
    assert len(people) == summary["enrolled"]


def test_own_photographs_odd_ones_are_named_and_passed_over(tmp_path: Path) -> None:
    people, _ = bundled_cast()
    (ada, first), (ben, second) = list(people.items())[:2]
    give(tmp_path / "photos" / "Ada", first)
    give(tmp_path / "photos" / "Solo", second[:1])
    (tmp_path / "photos" / "Ada" / "letter.jpg").write_text("dear Ada")
    noise = np.random.default_rng(1).integers(0, 255, (200, 200, 3), dtype=np.uint8)
    cv2.imwrite(str(tmp_path / "photos" / "Ada" / "wall.png"), noise)
    summary, told = demo(tmp_path, "--photos", "photos")
    assert "letter.jpg: not a picture" in told
    assert "wall.png: no face" in told
    assert (summary["enrolled"], summary["recognised"], summary["wrong_person"]) == (1, 1, 0)
    assert "stranger, Solo" in [visit["visitor"] for visit in summary["visits"]]
    assert {ada, ben}.isdisjoint(visit["visitor"] for visit in summary["visits"])
    again, _ = demo(tmp_path, "--photos", "photos", "--seconds", 4)  # afresh, and cut short
    assert again["enrolled"] == 1
    assert not again["visits"][-1]["seen"]


def test_a_video_stands_in_for_a_camera(shown: Shown, tmp_path: Path) -> None:
    frames = sorted((shown[0] / "demo" / "scene").glob("00-*.jpg"))
    height, width = cv2.imread(str(frames[0])).shape[:2]
    video = cv2.VideoWriter(str(tmp_path / "clip.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 10, (width, height))
    for frame in frames:
        video.write(cv2.imread(str(frame)))
    video.release()
    summary, told = demo(tmp_path, "--camera", "clip.avi", "--picture", "show.jpg")
    assert "stand before it" in told
    assert summary["visits"] == []
    assert summary["granted"] >= 1
    assert (tmp_path / "show.jpg").stat().st_size > 10_000


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--camera", "987"), "/dev/video987 is not there"),
        (("--photos", "empty"), "empty: empty; expected one folder a person"),
        (("--photos", "nowhere"), "nowhere: not there; expected one folder a person"),
        (("--models", "nowhere"), "--models nowhere: not a folder"),
        (("--detector", "yunet"), "the files of the model pack yunet are missing"),
        (("--picture", "show.gif"), "expected a name that ends in .jpg"),
        (("--folder", "taken"), "name an empty --folder"),
    ],
)
def test_what_cannot_be_shown_is_told_in_one_line(
    tmp_path: Path, options: tuple[str, str], words: str
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "people.db").write_text("somebody's")
    _, told = demo(tmp_path, *options, check=False)
    assert words in told
    assert (tmp_path / "taken" / "people.db").read_text() == "somebody's"


@pytest.mark.weights
def test_other_models_are_taken_where_they_are_named(
    tmp_path: Path, weights_dir: Path, photos_dir: Path
) -> None:
    for name in ("Tony_Blair", "Colin_Powell"):
        give(tmp_path / "photos" / name, sorted((photos_dir / "images" / name).iterdir())[:5])
    models = ("--models", weights_dir, "--detector", "yunet", "--embedder", "arcface-y1")
    summary, told = demo(tmp_path, "--photos", "photos", *models)
    assert "yunet (float32), arcface-y1 (float32)" in told
    assert summary["recognised"] == 2
