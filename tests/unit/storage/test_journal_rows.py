"""Rows of a journal that nobody of ours wrote, under checksums that are right."""

from typing import Any

import pytest

from edged.domain.types import Event, EventKind
from edged.errors import StoreCorruptError, StoreError
from edged.storage.journal_rows import checksum, decode, encode, is_storable

GOOD = ("01KJQ", "access", 1.5, 2.5, "boot", 1, "p", '{"a":1}', '[["score",0.5,0.4,true]]')


def row(**changes: Any) -> tuple[Any, ...]:
    names = ("event_id", "kind", "at", "mono", "boot", "synced", "person", "body", "trace")
    return tuple(dict(zip(names, GOOD, strict=True), **changes).values())


def test_a_row_of_ours_is_read() -> None:
    assert decode("e", (1, *GOOD, checksum("e", 1, GOOD), b"d")).event.body == {"a": 1}


# Kept by a salvage, since a newer version may have known what they say; never taken for an event here.
STORABLE = [
    row(kind="acces"),
    row(body="{"),
    row(body="[1]"),
    row(body="[" * 100_000),
    row(trace='[["score"]]'),
    row(trace="3"),
]
UNSTORABLE = [
    row(at="noon"),
    row(mono=float("inf")),
    row(person=7),
    row(event_id=b"01"),
    row(boot="\udcff"),
]


@pytest.mark.parametrize("columns", STORABLE + UNSTORABLE)
def test_what_is_no_event_is_damage(columns: tuple[Any, ...]) -> None:
    assert is_storable(columns) == (columns in STORABLE)
    with pytest.raises(StoreCorruptError, match="event number 1"):
        decode("e", (1, *columns, checksum("e", 1, columns), b"d"))


def test_text_that_no_disk_takes_is_refused_before_it_is_written() -> None:
    event = Event("01", EventKind.SYSTEM, 1.0, 1.0, "b", time_synced=True, body={"file": "\udcff.jpg"})
    with pytest.raises(StoreError, match="expected JSON values"):
        encode(event)
