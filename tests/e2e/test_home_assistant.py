"""A door on the broker of docs/mosquitto, shown to Home Assistant and unlocked and locked from there."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.e2e.door import OfficeDoor
from tests.fakes.collector import eventually
from tests.fakes.example_broker import Peer, example_broker

pytestmark = pytest.mark.timeout(300)
ANNOUNCED = "homeassistant/device/hq/front/config"
ORDER = "edged/hq/front/command/lock"


def configure(door: OfficeDoor, port: int, ca: Path, certificate: Path, key: Path) -> None:
    (door.folder / "scene").mkdir()
    noise = np.random.default_rng(1).integers(0, 255, (240, 320, 3), np.uint8)
    cv2.imwrite(str(door.folder / "scene/empty.png"), noise)
    (door.folder / "config.yaml").write_text(
        f"""
site: hq
door_id: front
camera:
  source: {{type: folder, path: scene, fps: 5, loop: true}}
door:
  unlock_seconds: 60
  max_unlock_seconds: 60
  lock: {{driver: fake, trace_path: lock.jsonl}}
models: {{directory: models}}
mqtt:
  port: {port}
  tls: {{ca_file: {ca}, certificate_file: {certificate}, key_file: {key}}}
home_assistant: {{enabled: true, plain_unlock: true}}
journal: {{path: journal.db}}
gallery: {{path: people.db, key_file: vault.key}}
http: {{port: {door.http_port}}}
""",
    )


def test_from_the_announcement_to_the_lock_and_back(tmp_path: Path) -> None:
    door = OfficeDoor(tmp_path / "door", None)
    with example_broker(tmp_path) as broker:
        issued = broker.authority.issue("hq/front")
        configure(door, broker.port, broker.authority.certificate, issued.certificate, issued.key)
        with Peer(broker, "home-assistant") as assistant, door.start() as daemon:
            assistant.hear("homeassistant/device/#", "edged/hq/+/state", "edged/hq/+/availability")
            daemon.until(lambda: assistant.last(ANNOUNCED) and assistant.last("edged/hq/front/state"))
            announced = json.loads(assistant.last(ANNOUNCED))
            assert announced["cmps"]["lock"]["command_topic"] == ORDER
            assert json.loads(assistant.last("edged/hq/front/state"))["lock"] == "locked"
            daemon.until(lambda: assistant.last("edged/hq/front/availability") == b"online")
            assert assistant.may(ORDER, b"UNLOCK")
            daemon.until(lambda: door.trace()[-1]["state"] == "unlocked")
            assert assistant.may(ORDER, b"LOCK")
            daemon.until(lambda: door.trace()[-1]["state"] == "locked")
            assert daemon.end() == 0
            eventually(lambda: assistant.last("edged/hq/front/availability") == b"stopped")
    facts = [(event["type"], event.get("key")) for event in door.events() if event["kind"] == "system"]
    assert ("command_unlock", "home_assistant") in facts
    assert ("command", "home_assistant") in facts
    held = [e["held_seconds"] for e in door.events() if e["kind"] == "door" and e["type"] == "locked"]
    assert held
    assert held[0] < 50
