"""Events, people and stores in a temporary directory."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from edged.config.sections import JournalConfig
from edged.domain.types import Event, EventKind, FloatArray, Gate
from edged.storage.journal import Journal
from edged.storage.vault import Vault

NOON = 1_772_452_800.0  # 2026-03-02 12:00 UTC


def event(number: int, kind: EventKind = EventKind.ACCESS, person_id: str | None = "p-ada") -> Event:
    return Event(
        event_id=f"01KJQ{number:021d}",
        kind=kind,
        occurred_at=NOON + number,
        monotonic_at=number / 3,
        boot_id="boot-1",
        time_synced=True,
        person_id=person_id,
        body={"decision": "granted", "score": 0.5123, "note": "Grüße"},
        trace=(Gate("score", 0.5123, 0.4, passed=True), Gate("person", None, "may enter", passed=True)),
    )


def alter(path: Path, *statements: str) -> None:
    """Change a database behind the back of whoever checks what is written."""
    connection = sqlite3.connect(path)
    with connection:
        for statement in statements:
            connection.execute(statement)
    connection.close()


def unit(axis: int, dimension: int = 64) -> FloatArray:
    vector = np.zeros(dimension, np.float32)
    vector[axis] = 1
    return vector


@pytest.fixture
def journal_path(tmp_path: Path) -> Path:
    return tmp_path / "var" / "journal.db"


@pytest.fixture
def journal(journal_path: Path) -> Iterator[Journal]:
    opened = Journal.open(JournalConfig(path=journal_path))
    yield opened
    opened.close()


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    return Vault.open(tmp_path / "var" / "vault.key", environ={})
