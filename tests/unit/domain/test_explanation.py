import ast
import inspect
from dataclasses import replace

import pytest

from edged.domain import decision
from edged.domain.explanation import GATES, REASONS, gate_text, reason_text
from edged.domain.types import Event, EventKind, Gate, Reason, StoredEvent


def stored(kind: EventKind = EventKind.ACCESS, reason: str = "unknown") -> StoredEvent:
    event = Event("01A", kind, 0, 0, "b", time_synced=True, body={"reason": reason})
    return StoredEvent("e", 1, event, "")


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_has_a_sentence(reason: Reason) -> None:
    assert reason_text(stored(reason=reason.value)) == REASONS[reason]
    assert REASONS[reason].endswith(".")


@pytest.mark.parametrize(
    ("reason", "outcome", "told"),
    [
        ("disarmed", None, "An armed door would have asked for a second factor: somebody"),
        ("too_many_attempts", None, "Else the door would have asked for a second factor: somebody"),
        ("no_second_factor", "missing", "A second factor was needed: somebody"),
        ("second_factor_wrong", "wrong", "A second factor was asked for (somebody"),
    ],
)
def test_what_a_second_factor_had_to_do_with_it_is_told(reason: str, outcome: str | None, told: str) -> None:
    body = {"reason": reason, "second_factor": "lookalike", "factor_outcome": outcome}
    event = stored(reason=reason)
    assert told in reason_text(replace(event, event=replace(event.event, body=body)))


def test_a_gesture_that_shadow_mode_left_out_is_told() -> None:
    event = stored(reason="disarmed")
    trace = (Gate("challenge", "not_asked", "passed", passed=False),)
    told = reason_text(replace(event, event=replace(event.event, trace=trace)))
    assert told.endswith("An armed door would have asked for a gesture.")


def test_every_gate_of_the_engine_is_explained() -> None:
    calls = [node for node in ast.walk(ast.parse(inspect.getsource(decision))) if isinstance(node, ast.Call)]
    names = {
        call.args[0].value
        for call in calls
        if isinstance(call.func, ast.Name)
        and call.func.id == "Gate"
        and isinstance(call.args[0], ast.Constant)
    }
    assert len(names) >= 8
    assert names <= GATES.keys()


def test_what_is_not_known_is_shown_as_recorded() -> None:
    assert "'moon_phase'" in reason_text(stored(reason="moon_phase"))
    assert gate_text(Gate("moon", 1, 2, passed=True)) == ""
    assert reason_text(stored(EventKind.SYSTEM)) == ""
