"""Somebody was taken for another: one command, and the door never does it again."""

import pytest

from tests.e2e.conftest import Cast
from tests.e2e.door import OfficeDoor
from tests.fakes.mosquitto import free_port

# What is tested here does not depend on whose models recognise whom.
pytestmark = [pytest.mark.timeout(300), pytest.mark.parametrize("setting", ["bundled"], indirect=True)]


def visit(door: OfficeDoor) -> list[dict]:
    """Replay the scene; return all access events so far."""
    with door.start("--until-end") as daemon:
        assert daemon.wait() == 0
    return [event for event in door.events() if event["kind"] == "access"]


def test_a_face_that_is_not_the_persons_is_vetoed_by_its_visit_until_that_is_undone(
    door: OfficeDoor, cast: Cast
) -> None:
    door.configure(free_port())
    door.scene([cast.visits[0][:1]])
    before = visit(door)
    granted = before[-1]
    assert granted["decision"] == "granted"
    unlocked = len(door.trace())
    kept = [path.name for path in (door.folder / "people-probes").iterdir()]
    assert f"{granted['event_id']}~{granted['person_id']}.probe" in kept

    # The face is the person's own here, so the command would rather not.
    done = door.edged("people", "not-me", granted["event_id"], "--force")
    assert done.stdout.startswith("vetoed: ")
    denied = visit(door)[len(before) :]
    assert {(event["decision"], event["reason"]) for event in denied} == {("denied", "vetoed")}
    assert not [change for change in door.trace()[unlocked:] if change["state"] == "unlocked"]
    explained = door.json("explain", denied[0]["event_id"])
    assert "was taken for this person before" in explained["explanation"]
    assert [gate["name"] for gate in explained["trace"] if not gate["passed"]] in (["veto"], ["visit_veto"])

    assert "veto removed" in door.edged("people", "not-me", granted["event_id"], "--undo").stdout
    assert door.json("people", "show", granted["person_id"])["vetoes"] == []
