"""From an empty folder to a door that a publisher feeds, as its operator types it."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from edged.config.sections import MqttConfig
from edged.demo.bundled import bundled_cast
from edged.errors import FleetError
from edged.fleet.broker import BrokerClient
from edged.publishing.commanding import Commander, Order
from edged.publishing.keyring import Keyring
from edged.publishing.release import FleetFolder
from tests.e2e.door import OfficeDoor, edged
from tests.fakes.mosquitto import mosquitto

pytestmark = pytest.mark.timeout(300)
KEY = ("--passphrase-file", "passphrase")
PASSPHRASE = "correct horse battery"


@dataclass
class Site:
    """A publisher's desk in ``folder``, and one door."""

    folder: Path
    door: OfficeDoor
    port: int

    def run(self, *arguments: object) -> str:
        return edged(*arguments, cwd=self.folder).stdout

    def tried(self, *arguments: object) -> subprocess.CompletedProcess[str]:
        return edged(*arguments, cwd=self.folder, check=False)

    def until(self, *arguments: object) -> None:
        """Start the door, and wait until the command succeeds."""
        with self.door.start() as daemon:
            daemon.until(lambda: self.tried(*arguments).returncode == 0)

    def visit(self) -> tuple[str, str | None]:
        """Replay the scene; return how the last visit ended."""
        with self.door.start("--until-end") as daemon:
            assert daemon.wait() == 0
        event = [event for event in self.door.events() if event["kind"] == "access"][-1]
        return event["decision"], event.get("reason")

    def json(self, *arguments: object) -> Any:
        return json.loads(self.run(*arguments, "--json"))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Eight commands from nothing to a door that knows somebody."""
    folder = tmp_path_factory.mktemp("fleet")
    with mosquitto(folder / "broker") as broker:
        (folder / "passphrase").write_text(f"{PASSPHRASE}\n")
        door = OfficeDoor(folder / "front", None)
        door.configure(broker.port)
        config = folder / "front" / "config.yaml"
        config.write_text(config.read_text() + "fleet: {enabled: true, directory: fleet}\n")
        name, photos = next(iter(bundled_cast()[0].items()))
        door.scene([photos[3:4]])
        made = Site(folder, door, broker.port)
        made.run("fleet", "init", "test", "--broker", f"127.0.0.1:{broker.port}", *KEY)
        made.run("enrol", name, *photos[:3], "--config", "fleet/config.yaml")
        made.run("fleet", "card", "--config", config, "-o", "front.card")
        added = made.json("fleet", "add-door", "front.card", "-o", "front.invitation", *KEY)
        digits = ("--fingerprint", added["fingerprint"])
        made.run("fleet", "join", "front.invitation", "--config", config, *digits)
        told = made.json("fleet", "publish", "doors", "--dry-run", *KEY)
        assert (told["published"], len(told["added"])) == (False, 1)
        made.run("fleet", "publish", "doors", *KEY)
        made.until("fleet", "status")
        yield made


def test_a_publisher_says_who_may_enter(site: Site) -> None:
    [row] = site.json("fleet", "status")
    assert (row["door"], row["version"], row["people"]) == ("front", 1, 1)
    assert row["state"].endswith(", last known in force")  # it is off again
    assert site.visit() == ("granted", "matched")
    assert not list(site.door.folder.glob("people.db"))  # nobody was enrolled at the door itself
    photo = next(iter(bundled_cast()[0].values()))[3]
    known = site.json("people", "list", "--config", "fleet/config.yaml")[0]["person_id"]
    found = site.run("identify", photo, "--config", "front/config.yaml", "--json")
    assert known in found.splitlines()[-1]


def test_keys_command_what_they_may(site: Site) -> None:
    site.run("fleet", "command-key", "doors", "reception", "--may", "unlock", "--may", "lockdown", *KEY)
    site.run("fleet", "command-key", "doors", "boss", "--may", "release", *KEY)
    order = ("fleet", "command", "--key", "reception", "--door", "front", *KEY)
    unlocked = len(site.door.trace())
    with site.door.start() as daemon:
        # The door hears of the key as it hears of a gallery.
        unlock = (*order, "unlock", "--reason", "a parcel")
        daemon.until(lambda: site.tried(*unlock).returncode == 0)
        daemon.until(lambda: len(site.door.trace()) > unlocked)
        site.run(*order, "lockdown", "--reason", "a drill")
        assert site.tried(*order, "release").returncode == 1  # it may not
    assert site.visit() == ("denied", "door_refused")
    commands = [event for event in site.door.events() if event.get("type") == "command"]
    assert [(c["action"], c["result"]) for c in commands] == [("unlock", "done"), ("lockdown", "done")]
    site.until("fleet", "command", "release", "--key", "boss", "--door", "front", *KEY)
    assert set(answers_to_a_removed_key(site)) <= {"refused"}
    ordered = [event for event in site.door.events() if event.get("type") == "command"]
    assert {event["result"] for event in ordered if "theft" in event.values()} <= {"refused"}


def answers_to_a_removed_key(site: Site) -> list[str]:
    """Take "reception" away while the door is off; return what that key is answered from its start on."""
    folder = FleetFolder(site.folder / "fleet", Keyring(site.folder / "fleet" / "keys", PASSPHRASE.encode()))
    key, fleet = folder.keyring.signing("command-reception"), folder.register.read()
    site.run("fleet", "command-key", "doors", "reception", "--remove", *KEY)
    client = BrokerClient(MqttConfig(port=site.port), client_id="thief", will=None)
    thief = Commander(client, fleet.prefix, fleet.site, "reception", key)
    door, answers = fleet.doors["front"].card.signing, []
    try:
        with site.door.start() as daemon:
            before = daemon.log.count("result=unknown_key")

            def known() -> bool:
                with suppress(FleetError):
                    answers.append(thief.command("front", door, Order("unlock", "theft"), 1.5).result)
                return daemon.log.count("result=unknown_key") > before

            daemon.until(known)
    finally:
        thief.close()
    return answers


def test_who_is_denied_and_forgotten(site: Site) -> None:
    person_id = site.json("people", "list", "--config", "fleet/config.yaml")[0]["person_id"]
    site.run("fleet", "deny", "doors", person_id, *KEY)
    site.until("fleet", "status")
    assert site.visit() == ("denied", "disabled")
    forgotten = site.tried("fleet", "forget", "doors", person_id, "--json", *KEY)
    assert forgotten.returncode == 1  # the door is off: the ticket stays open
    assert json.loads(forgotten.stdout)[0]["open"] == ["front"]
    site.until("fleet", "receipts")
