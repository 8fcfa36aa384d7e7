"""Turns, and the time of networks."""

import time
from collections.abc import Callable

import numpy as np
import onnxruntime
import pytest

from edged.domain.types import Image
from edged.evaluation.speed.networks import network_time
from edged.evaluation.speed.race import Runner, race
from edged.evaluation.speed.settings import Setting
from tests.unit.vision import tiny_onnx

PICTURE = np.zeros((4, 4, 3), np.uint8)
SETTINGS = [Setting("d", "float32", "float32", threads) for threads in (1, 2, 3)]


def test_every_setting_has_its_turn_on_every_frame_in_changing_order() -> None:
    order: list[int] = []

    def noting(index: int) -> Callable[[Image], object]:
        return lambda _image: order.append(index)

    runners = [Runner(setting, noting(index), lambda _face: None) for index, setting in enumerate(SETTINGS)]
    told = race(runners, [(PICTURE, PICTURE)], rounds=12, seconds=60)
    assert [one.setting for one in told] == SETTINGS
    turns = [order[at : at + 3] for at in range(0, len(order), 3)]
    assert all(sorted(turn) == [0, 1, 2] for turn in turns)
    assert len(turns) == 14  # two of them to warm up
    assert len({tuple(turn) for turn in turns}) > 2
    assert told[0].ratio == 1


def test_the_race_ends_in_time_and_tells_slow_from_fast() -> None:
    def slow(_face: Image) -> object:
        return time.sleep(0.01)

    runners = [
        Runner(SETTINGS[0], lambda _image: None, slow),
        Runner(SETTINGS[1], lambda _image: None, lambda _face: None),
    ]
    told = race(runners, [(PICTURE, PICTURE)], rounds=10_000, seconds=0.0)
    assert told[0].embed_ms >= 10
    assert told[1].ratio < 0.5


def test_only_what_networks_do_is_counted_and_only_within_the_block() -> None:
    session = onnxruntime.InferenceSession(tiny_onnx.model((1, 3)), providers=["CPUExecutionProvider"])
    before = onnxruntime.InferenceSession.run
    with network_time() as clock:
        time.sleep(0.02)
        assert clock.seconds == 0
        session.run(None, {"x": np.zeros((1, 3), np.float32)})
        counted = clock.seconds
        assert 0 < counted < 0.02
        with pytest.raises(Exception, match="invalid dimensions"):
            session.run(None, {"x": np.zeros((2, 7), np.float32)})
        assert clock.seconds > counted
    assert onnxruntime.InferenceSession.run is before
