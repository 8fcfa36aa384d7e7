"""Lists of photographs."""

from pathlib import Path

import pytest

from edged.errors import EvaluationError
from edged.evaluation.protocols import (
    Labelled,
    Pair,
    folder_of,
    images_below,
    photographs,
    read_labelled,
    read_pairs,
    readable,
    readable_pairs,
)


def written(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_pairs_are_read(tmp_path: Path) -> None:
    path = written(tmp_path / "pairs.csv", "image_a,image_b,same\na/1.jpg,a/2.jpg,1\na/1.jpg,b/1.jpg,0\n")
    assert read_pairs(path) == [Pair("a/1.jpg", "a/2.jpg", True), Pair("a/1.jpg", "b/1.jpg", False)]


def test_a_stranger_has_no_name(tmp_path: Path) -> None:
    path = written(tmp_path / "probe.csv", 'person,image\n,s/1.jpg\n"Ümit, B.",u/1.jpg\n')
    assert read_labelled(path) == [Labelled("", "s/1.jpg"), Labelled("Ümit, B.", "u/1.jpg")]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "expected the header"),
        ("a,b\n1,2\n", "expected the header image_a,image_b,same"),
        ("image_a,image_b,same\n", "has no rows"),
        ("image_a,image_b,same\na,b\n", ":2: expected 3 columns"),
        ("image_a,image_b,same\na,b,1,9\n", ":2: expected 3 columns"),
        ("image_a,image_b,same\na,b,1\na,b,yes\n", ":3: expected same to be 0 or 1, got 'yes'"),
    ],
)
def test_a_bad_list_says_where(tmp_path: Path, text: str, problem: str) -> None:
    with pytest.raises(EvaluationError, match=problem):
        read_pairs(written(tmp_path / "pairs.csv", text))


def test_a_list_that_is_no_text_or_missing_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_bytes(b"\xff\xfe\x00")
    for name in ("x.csv", "gone.csv"):
        with pytest.raises(EvaluationError, match=f"{name}: cannot be read"):
            read_labelled(tmp_path / name)


def test_a_tree_gives_one_person_a_folder(tmp_path: Path) -> None:
    for name in ("b/2.JPG", "a/1.jpg", "a/notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    assert photographs(tmp_path) == [Labelled("a", "a/1.jpg"), Labelled("b", "b/2.JPG")]
    assert [path.name for path in images_below(tmp_path)] == ["1.jpg", "2.JPG"]


def test_an_empty_tree_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EvaluationError, match="got none"):
        photographs(tmp_path)
    with pytest.raises(EvaluationError, match="got none"):
        images_below(tmp_path)


def test_what_is_no_picture_is_left_out_of_the_lists() -> None:
    listed = [Labelled("ann", "ann/0.jpg"), Labelled("", "zed/0.jpg")]
    assert readable(listed, {"zed/0.jpg"}) == listed[:1]
    pairs = [Pair("a", "b", same=True), Pair("b", "c", same=False)]
    assert readable_pairs(pairs, {"c": "not a picture"}) == pairs[:1]
    assert (folder_of("ann/0.jpg"), folder_of("0.jpg")) == ("ann", "0.jpg")


def test_a_heading_without_end_is_quoted_in_part(tmp_path: Path) -> None:
    path = tmp_path / "pairs.csv"
    path.write_text("x" * 100_000 + "," * 5000)
    with pytest.raises(EvaluationError) as caught:
        read_pairs(path)
    assert len(str(caught.value)) < 500
