"""A daemon that was renamed knows its former names, and until when it had each."""

from pathlib import Path

import pytest

from edged.doorway.messages import MAX_BYTES, MOST_FORMER, Former, Hello, encode, from_reader
from edged.workers.former_names import former_names, names_path


def test_each_name_is_a_former_one_from_the_moment_it_was_given_up(tmp_path: Path) -> None:
    journal = tmp_path / "journal.db"
    assert former_names(journal, "hq.front", 10) == ()
    assert former_names(journal, "hq.front", 20) == ()
    front = Former(name="hq.front", until=30)
    assert former_names(journal, "hq.back", 30) == (front,)
    assert former_names(journal, "hq.back", 40) == (front,)
    # Had again: what happened under it meanwhile is another reader's.
    back = Former(name="hq.back", until=50)
    assert former_names(journal, "hq.front", 50) == (front, back)
    assert former_names(journal, "hq.gate", 60) == (back, Former(name="hq.front", until=60))


def test_a_clock_that_is_wrong_bounds_nothing(tmp_path: Path) -> None:
    journal = tmp_path / "journal.db"
    former_names(journal, "hq.front", None)
    (front,) = former_names(journal, "hq.back", None)
    assert front.until > 4e9  # beyond the clocks of this century
    hello = Hello(reader="hq.back", formerly=(front,))
    assert from_reader(encode(hello)) == hello


def test_so_many_are_kept_that_the_door_process_hears_them(tmp_path: Path) -> None:
    for number in range(MOST_FORMER + 5):
        found = former_names(tmp_path / "journal.db", f"{number:060d}.{'x' * 69}", 1_772_452_800.123456)
    assert len(found) == MOST_FORMER
    hello = Hello(reader="y" * 130, formerly=found)
    assert len(encode(hello)) < MAX_BYTES
    assert from_reader(encode(hello)) == hello


@pytest.mark.parametrize(
    "content",
    [b"", b"no json", b'{"name": "two words", "former": []}', b'{"name": "a", "former": [["a", -1]]}',
     b"[" * 9000, b"\xff"],
)  # fmt: skip
def test_what_is_no_list_of_names_is_replaced(tmp_path: Path, content: bytes) -> None:
    journal = tmp_path / "journal.db"
    names_path(journal).write_bytes(content)
    assert former_names(journal, "hq.front", 10) == ()
    assert former_names(journal, "hq.back", 20) == (Former(name="hq.front", until=20),)


def test_a_disk_that_keeps_nothing_stops_no_reader(tmp_path: Path) -> None:
    assert former_names(tmp_path / "missing" / "journal.db", "hq.front", 10) == ()
