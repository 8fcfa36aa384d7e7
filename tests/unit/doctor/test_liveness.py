"""Doctor says what a face's liveness is worth, and fails where the daemon would not start."""

from pathlib import Path
from types import SimpleNamespace
from typing import Literal, cast

import pytest

from edged.config.sections import FakeLockConfig, GpiodLockConfig, LivenessConfig, ModelsConfig
from edged.doctor.examination import examine
from edged.doctor.finding import Finding, State
from edged.doctor.liveness import liveness
from edged.doctor.patient import Patient

STRIKE = GpiodLockConfig(chip="gpiochip0", line=17, active="high", power="fail_secure")


def finding(asked: LivenessConfig, folder: Path, *, real: bool = True) -> Finding:
    door = SimpleNamespace(lock=STRIKE if real else FakeLockConfig())
    config = SimpleNamespace(door=door, liveness=asked, models=ModelsConfig(directory=folder))
    patient = cast("Patient", SimpleNamespace(config=config))
    return examine(patient, {"liveness": liveness}, seconds={})["liveness"]


@pytest.mark.parametrize("mode", ["required", "advisory"])
def test_a_pack_that_is_not_there_fails_as_it_keeps_the_daemon_from_starting(
    mode: Literal["required", "advisory"], tmp_path: Path
) -> None:
    found = finding(LivenessConfig(mode=mode, pack="minifasnet"), tmp_path, real=False)
    assert found.state is State.FAILED
    assert "minifasnet" in found.detail


def test_off_is_told_and_at_a_real_lock_warned_of(tmp_path: Path) -> None:
    found = finding(LivenessConfig(), tmp_path)
    assert (found.state, found.facts["mode"]) == (State.WARNING, "off")
    assert "a photograph may open the door" in found.detail
    assert finding(LivenessConfig(), tmp_path, real=False).state is not State.WARNING


def test_mode_pack_and_cues_are_told(tmp_path: Path) -> None:
    found = finding(LivenessConfig(mode="required", cues=("border", "screen")), tmp_path)
    assert (found.state, found.detail) == (State.OK, "required, no networks, cues border, screen")


def test_what_only_tells_is_warned_of_at_a_real_lock(tmp_path: Path) -> None:
    assert finding(LivenessConfig(mode="advisory", cues=("border",)), tmp_path).state is State.WARNING


def test_nothing_to_measure_fails(tmp_path: Path) -> None:
    assert finding(LivenessConfig(mode="required", cues=()), tmp_path).state is State.FAILED
