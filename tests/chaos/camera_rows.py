"""Faults of the camera: what it cannot show opens nothing, is noticed soon, and is over when it is over."""

import random
import time

from edged.domain.types import EventKind
from tests.chaos.door_rows import Fault, Finding
from tests.chaos.stage import Stage

# The bars of a door: lost within three seconds, back within ten.
_NOTICED_SECONDS, _BACK_SECONDS = 3.0, 10.0


def _cut(stage: Stage, chance: random.Random, found: Finding) -> None:
    _fault(stage, chance, found, mode="cut", alarm="camera_down")


def _stall(stage: Stage, chance: random.Random, found: Finding) -> None:
    _fault(stage, chance, found, mode="stall", alarm="camera_down")


def _frozen(stage: Stage, chance: random.Random, found: Finding) -> None:
    """Repeat one frame of somebody who may enter, who was never there."""
    since = time.monotonic()
    _fault(stage, chance, found, mode="frozen", alarm="camera_frozen", somebody=False)
    _nobody_let_in(stage, since, found)


def _black(stage: Stage, chance: random.Random, found: Finding) -> None:
    since = time.monotonic()
    _fault(stage, chance, found, mode="black", alarm="camera_blind", somebody=False)
    _nobody_let_in(stage, since, found)


def _stranger(stage: Stage, chance: random.Random, found: Finding) -> None:
    since = time.monotonic()
    stage.show("stranger")
    time.sleep(chance.uniform(1.0, 2.5))
    stage.away()
    _nobody_let_in(stage, since, found)


CAMERA_FAULTS = (
    Fault("camera program dies within a frame", 10, "noticed ≤ 3 s, back ≤ 10 s, no stale grant", _cut),
    Fault("camera stalls within a frame", 10, "noticed ≤ 3 s, back ≤ 10 s, no stale grant", _stall),
    Fault("camera repeats a face for ever", 8, "camera_frozen, no opening", _frozen),
    Fault("camera sees nothing but black", 8, "camera_blind, no opening", _black),
    Fault("somebody who may not enter", 8, "no opening", _stranger),
)


def _fault(
    stage: Stage, chance: random.Random, found: Finding, *, mode: str, alarm: str, somebody: bool = True
) -> None:
    """Break the camera, in front of ``somebody`` or of nobody, and mend it a while later."""
    stage.until_shut()
    if somebody:
        stage.show("face")
        time.sleep(chance.uniform(0.0, 0.8))
    broken_at = time.monotonic()
    stage.show(mode)
    stage.until(lambda: _alarm_after(stage, alarm, broken_at), f"{alarm} is recorded", 20)
    # By the clock of who noticed it, not of who found it in the journal.
    found.took("noticed", (_alarm_after(stage, alarm, broken_at) or 0.0) - broken_at, _NOTICED_SECONDS)
    time.sleep(chance.uniform(0.2, 2.0))
    mended_at = time.monotonic()
    stage.show("empty")
    stage.until(lambda: _alarm_after(stage, "camera_up", mended_at), "the camera is back", 40)
    found.took("back", (_alarm_after(stage, "camera_up", mended_at) or 0.0) - mended_at, _BACK_SECONDS)
    time.sleep(0.7)


def _alarm_after(stage: Stage, kind: str, at: float) -> float | None:
    return next(
        (
            one.event.monotonic_at
            for one in stage.events()
            if one.event.monotonic_at >= at
            and one.event.kind is EventKind.ALARM
            and one.event.body.get("type") == kind
        ),
        None,
    )


def _nobody_let_in(stage: Stage, since: float, found: Finding) -> None:
    opened = len(stage.openings(since))
    found.expect(holds=not opened, breach=f"{opened} openings for nobody who may enter")
