import ast
import inspect

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
