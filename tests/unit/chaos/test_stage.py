"""What the table counts beside events must be counted: openings without a record, and for nobody."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from edged.domain.types import EventKind, StoredEvent
from tests.chaos.door_rows import STALE_SECONDS, stale_openings
from tests.chaos.line import Opening
from tests.chaos.stage import Shown, unrecorded
from tests.fakes.outbox import event

OPENED = [Opening(10.0, 13.0), Opening(20.0, 23.0)]


def told(at: float, request: str, cause: str = "face") -> StoredEvent:
    body = {"type": "unlocked", "access_event_id": request, "cause": cause}
    return StoredEvent("e", int(at), replace(event(EventKind.DOOR, body), monotonic_at=at), "0")


def test_each_opening_with_its_record_is_in_order() -> None:
    assert unrecorded(OPENED, [told(10.0, "a"), told(20.001, "b")]) == (0, 0, 0)


def test_an_opening_without_a_record_is_lost() -> None:
    assert unrecorded(OPENED, [told(10.0, "a")]) == (1, 0, 0)
    assert unrecorded(OPENED, [told(10.0, "a"), told(20.5, "b")]) == (1, 0, 0)
    assert unrecorded(OPENED, [told(10.0, "a"), told(20.5, "b")], patience=5.0) == (0, 0, 0)
    assert unrecorded(OPENED, [told(10.0, "a")], patience=5.0) == (1, 0, 0)


def test_a_record_without_an_opening_is_invented() -> None:
    assert unrecorded(OPENED[:1], [told(10.0, "a"), told(15.0, "b")]) == (0, 1, 0)


def test_a_grant_within_a_pulse_has_a_record_and_moves_nothing() -> None:
    assert unrecorded(OPENED[:1], [told(10.0, "a"), told(11.0, "b")]) == (0, 0, 0)


def test_one_grant_recorded_twice_is_seen() -> None:
    assert unrecorded(OPENED[:1], [told(10.0, "a"), told(10.001, "a")]) == (0, 0, 1)


@pytest.mark.parametrize(
    ("left_at", "stale"), [(9.5, 0), (10.0 - STALE_SECONDS - 0.1, 1), (10.0 - STALE_SECONDS + 0.1, 0)]
)
def test_an_opening_for_who_has_left_is_seen(left_at: float, stale: int) -> None:
    stage: Any = SimpleNamespace(
        patience=0.0,
        shown=lambda: [Shown(1.0, "empty"), Shown(2.0, "face"), Shown(left_at, "face_over")],
        events=lambda: [told(10.0, "a")],
    )
    assert stale_openings(stage, OPENED[:1]) == stale


def test_what_a_technician_asks_for_needs_nobody_before_the_camera() -> None:
    stage: Any = SimpleNamespace(patience=0.0, shown=list, events=lambda: [told(10.0, "a", "test")])
    assert stale_openings(stage, OPENED[:1]) == 0
    assert stale_openings(stage, OPENED) == 1
