"""What the failures of SQLite mean."""

import sqlite3
from pathlib import Path

import pytest

from edged.errors import StoreCorruptError, StoreError
from edged.storage import connections
from edged.storage.people_queries import SCHEMA

GREEDY = Path("people.db")


class Greedy(sqlite3.Connection):
    """Answers as SQLite does for a schema that claims to be larger than memory."""

    def execute(self, *_: object) -> sqlite3.Cursor:  # type: ignore[override]
        raise MemoryError


def test_a_schema_that_claims_more_than_there_is_is_damage(tmp_path: Path) -> None:
    connection = Greedy(":memory:")
    with pytest.raises(sqlite3.DatabaseError) as caught:
        connections.check_header(connection, GREEDY, SCHEMA)
    connection.close()
    assert isinstance(connections.translate(GREEDY, caught.value), StoreCorruptError)


def test_a_question_that_finds_no_memory_says_so_and_calls_nothing_damaged(tmp_path: Path) -> None:
    path = tmp_path / "people.db"
    path.touch()
    with pytest.raises(StoreError, match="no memory") as caught, connections.reading(path):
        raise MemoryError
    assert not isinstance(caught.value, StoreCorruptError)
