"""A door that asks everybody for a second factor: what an answer, a wrong one and none at all lead to."""

import socket
import stat
from pathlib import Path

import pytest

from edged.devices.factor_keypad import FactorKeypad
from edged.domain.second_factor import FactorKind
from edged.fleet.factor_messages import AnswerGiven, Asked, Ended, FromDoor, Watch, heard_from_door, line_of
from tests.e2e.conftest import Cast
from tests.e2e.door import Daemon, OfficeDoor

pytestmark = pytest.mark.timeout(300)

# Long enough for a busy machine to answer in, short enough to wait for.
WAIT_SECONDS = 8
PIN = "482913"


def test_only_a_right_answer_opens_the_door(door: OfficeDoor, cast: Cast) -> None:
    first, second, third = (one["person_id"] for one in _people(door, cast)[:3])
    door.configure(1)
    with (door.folder / "config.yaml").open("a") as config:
        section = f"enabled: true, ask: [always], wait_seconds: {WAIT_SECONDS}, socket_path: sf.sock"
        config.write(f"second_factor: {{{section}}}\n")
    (door.folder / "pin").write_text(f"{PIN}\n")
    for person_id in (first, second):
        door.edged("people", "set-pin", person_id, "--pin-file", "pin")
    assert door.json("people", "show", first)["pin"] is True
    assert door.json("people", "show", third)["pin"] is False
    door.scene(cast.visits[:3], gap_frames=60)
    earlier, moved = len(door.events()), len(door.trace())
    path = door.folder / "sf.sock"
    with door.start() as daemon:
        # It is made before it has its mode, and nobody can connect then.
        daemon.until(lambda: path.exists() and stat.S_IMODE(path.stat().st_mode) == 0o660)
        with FactorKeypad(path) as keypad:
            keypad.send(line_of(Watch()))
            _answers_the_first(keypad, path)
            asked = _next(keypad, Asked)  # the second person, whom nobody answers for
            assert _next(keypad, Ended).request_id == asked.request_id
        daemon.until(lambda: len(_accesses(door, earlier)) >= 3)
        metrics = daemon.metrics()
        assert daemon.end() == 0
    assert not path.exists()
    told = {e["person_id"]: (e["decision"], e["reason"], e["factor_wrong"]) for e in _accesses(door, earlier)}
    assert told == {
        first: ("granted", "matched", 1),
        second: ("denied", "second_factor_unanswered", 0),
        third: ("denied", "no_second_factor", 0),
    }
    assert [change["state"] for change in door.trace()[moved:]].count("unlocked") == 1
    _is_told(door, earlier, metrics, daemon)


def _people(door: OfficeDoor, cast: Cast) -> list[dict]:
    order = [name.replace(" ", "_") for name in cast.enrol]
    listed = door.json("people", "list")
    return sorted(listed, key=lambda person: order.index(person["name"].replace(" ", "_")))


def _accesses(door: OfficeDoor, earlier: int) -> list[dict]:
    return [e for e in door.events()[earlier:] if e["kind"] == "access" and e["reason"] != "cooling_down"]


def _answers_the_first(keypad: FactorKeypad, path: Path) -> None:
    """Wrong, hostile, and then right: in this order, over several connections."""
    asked = _next(keypad, Asked)
    with socket.socket(socket.AF_UNIX) as hostile:
        hostile.connect(str(path))
        hostile.sendall(b"\xff" * 5000)
        hostile.settimeout(60)
        assert _hung_up(hostile)
    for secret, expected in (("000000", "wrong"), (PIN, "confirmed")):
        keypad.send(line_of(AnswerGiven(request_id=asked.request_id, kind=FactorKind.PIN, secret=secret)))
        while (said := _any(keypad)).__class__.__name__ != "Result":
            pass
        assert said.result == expected
    assert _next(keypad, Ended).outcome == "confirmed"


def _hung_up(connection: socket.socket) -> bool:
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True


def _any(keypad: FactorKeypad) -> FromDoor:
    line = keypad.line(60)
    assert line is not None
    return heard_from_door(line)


def _next(keypad: FactorKeypad, kind: type) -> FromDoor:
    while not isinstance(message := _any(keypad), kind):
        pass
    return message


def _is_told(door: OfficeDoor, earlier: int, metrics: dict[str, float], daemon: Daemon) -> None:
    granted = next(e for e in _accesses(door, earlier) if e["decision"] == "granted")
    assert granted["factor_source"] == "socket"
    explained = " ".join(door.edged("explain", granted["event_id"]).stdout.split())
    assert "A second factor was asked for (this door asks everybody): confirmed" in explained
    assert metrics['edged_second_factors_total{cause="always",outcome="confirmed"}'] == 1
    assert metrics['edged_second_factors_total{cause="always",outcome="unanswered"}'] == 1
    assert metrics['edged_second_factor_rejected_total{cause="malformed"}'] == 1
    assert PIN not in daemon.log
