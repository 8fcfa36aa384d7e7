"""The people that come with the demo: enough of them, small, and like nobody."""

import json

import cv2

from edged.demo.bundled import bundled_cast
from edged.evaluation.scene_visitor import figure

LIMIT_BYTES = 2_500_000


def test_there_are_people_to_enrol_and_strangers_with_five_photographs_each() -> None:
    people, strangers = bundled_cast()
    assert len(people) >= 6
    assert len(strangers) >= 2
    assert {len(photos) for photos in [*people.values(), *strangers]} == {5}
    assert all(" " in name and "_" not in name for name in people)


def test_all_photographs_decode_and_are_small() -> None:
    people, strangers = bundled_cast()
    photos = [path for group in [*people.values(), *strangers] for path in group]
    assert sum(path.stat().st_size for path in photos) <= LIMIT_BYTES
    for path in photos:
        picture = cv2.imread(str(path))
        assert picture is not None
        assert 320 <= picture.shape[0] == picture.shape[1] <= 400


def test_the_people_can_be_cut_out_of_their_photographs() -> None:
    people, strangers = bundled_cast()
    for path in [photos[0] for photos in [*people.values(), *strangers]]:
        cover = figure(cv2.imread(str(path))).cover
        height, width = cover.shape
        assert cover[: height // 2, : width // 12].max() < 0.1
        assert cover[height // 2, width // 2] > 0.99


def test_the_record_of_the_checks_is_within_the_limits() -> None:
    people, strangers = bundled_cast()
    (folder,) = {path.parents[2] for photos in [*people.values(), *strangers] for path in photos}
    checks = json.loads((folder / "checks.json").read_text())
    assert len(checks) == len(people) + len(strangers)
    for row in checks:
        assert max(row["contributors"], row["anybody"]) < 0.5
        assert row["others"] < 0.35
        assert row["within"] >= 0.5
