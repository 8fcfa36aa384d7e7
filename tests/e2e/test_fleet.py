"""From an empty folder to a door that a publisher feeds, as its operator types it."""

import json
from pathlib import Path

import pytest

from edged.demo.bundled import bundled_cast
from tests.e2e.door import OfficeDoor, edged
from tests.fakes.mosquitto import Mosquitto

pytestmark = [pytest.mark.timeout(300), pytest.mark.parametrize("setting", ["bundled"], indirect=True)]


def visit(door: OfficeDoor) -> list[tuple[str, str | None]]:
    """Replay the scene; return how the visits ended."""
    before = len(door.events())
    with door.start("--until-end") as daemon:
        assert daemon.wait() == 0
    made = [event for event in door.events()[before:] if event["kind"] == "access"]
    return [(event["decision"], event.get("reason")) for event in made]


def test_a_publisher_says_who_may_enter(tmp_path: Path, broker: Mosquitto, setting: str) -> None:
    del setting
    (tmp_path / "passphrase").write_text("correct horse battery\n")
    key = ("--passphrase-file", "passphrase")
    people, _ = bundled_cast()
    name, photos = next(iter(people.items()))
    front = OfficeDoor(tmp_path / "front", None)
    front.configure(broker.port)
    config = tmp_path / "front" / "config.yaml"
    config.write_text(config.read_text() + "fleet: {enabled: true, directory: fleet}\n")

    def run(*arguments: object, check: bool = True) -> str:
        return edged(*arguments, cwd=tmp_path, check=check).stdout

    # The walk: eight commands from nothing to a door that knows somebody.
    run("fleet", "init", "test", "--broker", f"127.0.0.1:{broker.port}", *key)
    run("enrol", name, *photos[:3], "--config", "fleet/config.yaml")
    run("fleet", "card", "--config", config, "-o", "front.card")
    run("fleet", "add-door", "front.card", "-o", "front.invitation", *key)
    run("fleet", "join", "front.invitation", "--config", config)
    told = json.loads(run("fleet", "publish", "doors", "--dry-run", "--json", *key))
    assert (told["published"], len(told["added"])) == (False, 1)
    run("fleet", "publish", "doors", *key)

    def in_force() -> bool:
        return edged("fleet", "status", "--json", cwd=tmp_path, check=False).returncode == 0

    with front.start() as daemon:
        daemon.until(in_force)
    [row] = json.loads(run("fleet", "status", "--json"))
    assert (row["door"], row["version"], row["people"], row["state"]) == ("front", 1, 1, "in force")

    front.scene([photos[3:4]])
    assert visit(front)[-1] == ("granted", "matched")
    assert not list((tmp_path / "front").glob("people.db"))  # nobody was enrolled at the door itself

    run("fleet", "command-key", "doors", "reception", "--may", "unlock", "--may", "lockdown", *key)
    order = ("fleet", "command", "--key", "reception", "--door", "front", *key)
    unlocked = len(front.trace())
    with front.start() as daemon:
        # The door hears of the key as it hears of a gallery.
        command = (*order, "unlock", "--reason", "a parcel", "--json")
        daemon.until(lambda: edged(*command, cwd=tmp_path, check=False).returncode == 0)
        daemon.until(lambda: len(front.trace()) > unlocked)
        run(*order, "lockdown", "--reason", "a drill")
        assert edged(*order, "release", cwd=tmp_path, check=False).returncode == 1  # it may not
    assert visit(front)[-1] == ("denied", "door_refused")
    commands = [event for event in front.events() if event.get("type") == "command"]
    assert [(c["action"], c["result"]) for c in commands] == [("unlock", "done"), ("lockdown", "done")]
    run("fleet", "command-key", "doors", "boss", "--may", "release", *key)
    with front.start() as daemon:
        boss = ("fleet", "command", "release", "--key", "boss", "--door", "front", *key)
        daemon.until(lambda: edged(*boss, cwd=tmp_path, check=False).returncode == 0)

    person_id = json.loads(run("people", "list", "--config", "fleet/config.yaml", "--json"))[0]["person_id"]
    run("fleet", "deny", "doors", person_id, *key)
    with front.start() as daemon:
        daemon.until(in_force)
    assert visit(front)[-1] == ("denied", "disabled")

    forgotten = edged("fleet", "forget", "doors", person_id, "--json", *key, cwd=tmp_path, check=False)
    assert forgotten.returncode == 1  # the door is off: the ticket stays open
    assert json.loads(forgotten.stdout)[0]["open"] == ["front"]
    with front.start() as daemon:
        daemon.until(lambda: edged("fleet", "receipts", cwd=tmp_path, check=False).returncode == 0)
