"""One thread where one is quick enough; more only where they are needed, gain something and leave a core."""

from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edged.config.sections import ModelsConfig, QualityConfig
from edged.vision.opening import Networks, open_networks
from edged.vision.pipeline import FacePipeline
from edged.vision.profile import write_profile
from edged.vision.session import OrtSession
from edged.vision.threads import (
    BUDGET_MS,
    Threads,
    detailed_picture,
    least_ms,
    most_threads,
    pick_threads,
    stated_threads,
)
from tests.unit.vision.test_profile import measured

QUICK, PI_4 = {1: 9.0}, {1: 140.0, 2: 85.0, 3: 60.0, 4: 50.0}


class Board:
    """A clock on which a frame takes the stated milliseconds by threads, the first one of a number longer."""

    def __init__(self, took_ms: dict[int, float]) -> None:
        self.took_ms = took_ms
        self.asked: list[int] = []
        self._seconds = 0.0

    def now(self, threads: int) -> float:
        ended = len(self.asked) % 2
        cold = 1.0 if self.asked.count(threads) > 1 else 1.5
        self._seconds += ended * cold * self.took_ms[threads] / 1000
        self.asked.append(threads)
        return self._seconds


@pytest.fixture
def models(tmp_path: Path) -> ModelsConfig:
    return ModelsConfig(directory=tmp_path, compile="off")


def four_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("threads", "opening"):
        monkeypatch.setattr(f"edged.vision.{module}.cores", lambda: 4)


def running_with(networks: Networks) -> set[int]:
    found = set()
    for session in (networks.detector[1].session, networks.embedder[1].session):
        assert isinstance(session, OrtSession)
        found.add(session._session.get_session_options().intra_op_num_threads)
    return found


@pytest.mark.parametrize(
    ("took_ms", "count", "tried"),
    [
        (QUICK, 1, [1]),
        ({1: BUDGET_MS}, 1, [1]),
        ({1: 40.0, 2: 30.0}, 2, [1, 2]),
        (PI_4, 3, [1, 2, 3]),
        # Two threads of one core, and a board of which the third gains nothing.
        ({1: 100.0, 2: 99.0}, 1, [1, 2]),
        ({1: 100.0, 2: 60.0, 3: 58.0}, 2, [1, 2, 3]),
    ],
)
def test_the_fewest_that_are_quick_enough(took_ms: dict[int, float], count: int, tried: list[int]) -> None:
    found = pick_threads(took_ms.__getitem__, 3)
    assert found.count == count
    assert [number for number, _ in found.took_ms] == tried
    assert f"{took_ms[count]:.1f} ms" in found.text


@given(st.lists(st.floats(0.1, 1000), min_size=4, max_size=4), st.integers(1, 4))
def test_none_is_taken_that_is_not_needed_or_gains_nothing(took: list[float], most: int) -> None:
    found = pick_threads(lambda count: took[count - 1], most)
    assert 1 <= found.count <= most
    fewer = took[: found.count]
    assert all(ms > BUDGET_MS for ms in fewer[:-1])
    assert fewer == sorted(fewer, reverse=True)


@pytest.mark.parametrize(("cores", "most"), [(1, 1), (2, 1), (3, 2), (4, 3), (64, 4)])
def test_a_core_is_left_to_the_camera(cores: int, most: int) -> None:
    assert most_threads(cores) == most


def test_the_least_of_a_few_runs_counts_and_one_that_is_quick_is_enough() -> None:
    slow, quick = Board(PI_4), Board(QUICK)
    assert least_ms(lambda: None, 1, slow.now) == pytest.approx(140)
    assert len(slow.asked) == 6
    assert least_ms(lambda: None, 1, quick.now) <= BUDGET_MS
    assert len(quick.asked) == 2


def test_nothing_is_measured_where_somebody_said_so(
    models: ModelsConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    four_cores(monkeypatch)
    assert stated_threads(models) is None
    stated = stated_threads(msgspec.structs.replace(models, threads=3))
    assert stated is not None
    assert stated.text == "threads 3: models.threads says so"
    monkeypatch.undo()
    write_profile(measured(models, threads=1), models)
    assert stated_threads(models) == Threads(1, "the profile of this machine says so")


def test_two_cores_run_one_thread_unasked(models: ModelsConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edged.vision.threads.cores", lambda: 2)
    board = Board(PI_4)
    networks = open_networks(models, now=board.now)
    assert (networks.threads.count, board.asked) == (1, [])
    assert "of 2 cores one is the camera's" in networks.threads.why
    assert running_with(networks) == {1}


@pytest.mark.parametrize(("took_ms", "count"), [(QUICK, 1), (PI_4, 3), ({1: 100.0, 2: 99.0}, 1)])
def test_the_networks_run_with_what_the_board_needs(
    models: ModelsConfig, monkeypatch: pytest.MonkeyPatch, took_ms: dict[int, float], count: int
) -> None:
    four_cores(monkeypatch)
    networks = open_networks(models, now=Board(took_ms).now)
    assert networks.threads.count == count
    assert running_with(networks) == {count}


def test_a_door_keeps_what_it_began_with_and_hands_it_on_to_liveness(
    models: ModelsConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    four_cores(monkeypatch)
    board = Board(PI_4)
    monkeypatch.setattr("edged.vision.opening.open_networks.__kwdefaults__", {"now": board.now})
    pipeline = FacePipeline.load(models, QualityConfig())
    assert pipeline.threads.count == 3
    assert pipeline.threaded(models).threads == 3
    asked = len(board.asked)
    pipeline.detect(np.zeros((480, 640, 3), np.uint8))
    assert len(board.asked) == asked


@given(st.integers(1, 300), st.integers(1, 300))
def test_the_picture_that_is_timed_is_full_of_detail(width: int, height: int) -> None:
    picture = detailed_picture(width, height)
    assert (picture.shape, picture.dtype) == ((height, width, 3), np.uint8)
    if picture.size > 1000:
        assert picture.std() > 60
