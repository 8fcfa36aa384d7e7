"""Turns: everybody sees every frame, in the same turns, and whoever fails is a line that says why."""

import random
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.peers import race as racing
from tests.peers.contender import Contender
from tests.peers.race import FRAMES_A_TURN, Entrants, Times, race, start
from tests.peers.seat import Look, PeerError, Usage


class FakeSeat:
    """Takes ``cpu_ms`` a frame; breaks at the frame called ``broken``."""

    order: list[tuple[str, str]] = []  # noqa: RUF012 - emptied by the fixture

    def __init__(self, name: str, cpu_ms: float) -> None:
        self.name = name
        self.cpu_ms = cpu_ms
        self.closed = False

    def look(self, files: list[Path]) -> tuple[list[Look], float]:
        FakeSeat.order.append((self.name, files[0].name))
        if self.name == "fragile" and files[0].name == "20":
            raise PeerError("fell over")
        return [Look(self.cpu_ms, np.ones(2, np.float32)) for _ in files], self.cpu_ms * len(files)

    def usage(self) -> Usage:
        return Usage(0.0, 100.0, 120.0)

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def entrants(monkeypatch: pytest.MonkeyPatch) -> Entrants:
    monkeypatch.setattr(racing, "_PAUSE_SECONDS", 0)
    monkeypatch.setattr(FakeSeat, "order", [])
    seats = {
        "edged": FakeSeat("edged", 2.0),
        "slow": FakeSeat("slow", 9.0),
        "fragile": FakeSeat("fragile", 1.0),
    }
    return Entrants(seats, {name: Times() for name in seats})  # type: ignore[arg-type]


def test_everybody_has_every_turn_before_the_next_one_begins(entrants: Entrants) -> None:
    frames = [Path(str(number)) for number in range(5 * FRAMES_A_TURN)]
    race(entrants, frames, chance=random.Random(1), step=lambda _done, _total: None)
    rounds = [first for name, first in FakeSeat.order if name == "edged"]
    assert rounds == ["0", "0", "10", "20", "30", "40"], "the warm-up, then each turn once"
    for number in range(3):
        mine = FakeSeat.order[3 * number : 3 * number + 3]
        assert {name for name, _ in mine} == {"edged", "slow", "fragile"}
        assert len({first for _, first in mine}) == 1
    took = entrants.times["slow"]
    assert (len(took.frame_ms), took.turn_cpu_ms) == (50, [9.0] * 5), "the warm-up is not counted"
    assert took.usage is not None
    assert took.usage.rss_mb == 100.0


def test_whoever_falls_over_is_out_and_the_others_go_on(entrants: Entrants) -> None:
    fragile = entrants.seats["fragile"]
    frames = [Path(str(number)) for number in range(50)]
    race(entrants, frames, chance=random.Random(1), step=lambda _done, _total: None)
    assert entrants.out == {"fragile": "fell over"}
    assert set(entrants.times) == set(entrants.seats) == {"edged", "slow"}
    assert fragile.closed  # type: ignore[attr-defined]


def test_who_lacks_something_is_never_started(tmp_path: Path) -> None:
    lacking = [
        Contender("no weights", "m", sys.executable, {}, (tmp_path / "y1.onnx",)),
        Contender("not installed", "m", str(tmp_path / "python"), {}),
    ]
    entrants = start(
        lacking, tmp_path, tmp_path, times=1, chance=random.Random(1), step=lambda _done, _total: None
    )
    assert entrants.seats == {}
    assert entrants.out == {
        "no weights": "no y1.onnx on this machine",
        "not installed": "its environment is not installed: make bench-peers",
    }
