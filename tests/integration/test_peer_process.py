"""A contender in a process of its own: what it prints and how it breaks stays out of the answers."""

import sys
from pathlib import Path

import pytest

from tests.peers.contender import Contender
from tests.peers.seat import PeerError, Seat
from tests.unit.peers.test_worker import painted


def contender(**options: str) -> Contender:
    return Contender("painted", "tests.unit.peers.painted_peer", sys.executable, dict(options))


def test_a_process_answers_as_well_whatever_its_libraries_print(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with Seat(contender(), log) as seat:
        looks, cpu_ms = seat.look(painted(tmp_path, (0, 5, 0), (0, 0, 0)))
        assert seat.usage().cpu_ms >= cpu_ms
    assert [None if look.vector is None else look.vector.tolist() for look in looks] == [[0, 1, 0], None]
    assert "where they please" in log.read_text()


def test_a_contender_that_breaks_says_why_in_one_line(tmp_path: Path) -> None:
    with (
        Seat(contender(), tmp_path / "log") as seat,
        pytest.raises(PeerError, match=r"^RuntimeError: too bright$"),
    ):
        seat.look(painted(tmp_path, (255, 255, 255)))
    with pytest.raises(PeerError, match="ValueError: no weights"):
        Seat(contender(broken="no weights"), tmp_path / "log")
    gone = Contender("gone", "tests.unit.peers.no_such_module", sys.executable, {})
    with pytest.raises(PeerError, match="ModuleNotFoundError"):
        Seat(gone, tmp_path / "log")
