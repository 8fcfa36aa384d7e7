"""A gesture beside the passive check, and one that stands alone."""

from types import SimpleNamespace
from typing import Literal

import pytest

from edged.config.sections import LivenessConfig
from edged.doctor.challenge import challenge
from edged.doctor.finding import State


@pytest.mark.parametrize(
    ("mode", "asked", "state"),
    [
        ("off", "off", State.OK),
        ("required", "off", State.OK),
        ("required", "turn", State.OK),
        ("advisory", "turn", State.WARNING),
        ("off", "turn", State.WARNING),
    ],
)
def test_a_gesture_that_stands_alone_is_told_of(
    mode: Literal["required", "advisory", "off"], asked: Literal["off", "turn"], state: State
) -> None:
    config = LivenessConfig(mode=mode, challenge=asked)
    patient = SimpleNamespace(config=SimpleNamespace(liveness=config))
    found = challenge(patient)  # type: ignore[arg-type]
    assert found.state is state
    assert ("mode required asks for both" in found.detail) is (state is State.WARNING)
