"""The whole daemon: somebody is recognised, asked over a real broker, and let in by a sealed answer."""

import threading
from pathlib import Path

import numpy as np
import pytest

from edged.app import Daemon
from edged.config import Config, load
from edged.demo.bundled import bundled_cast
from edged.domain.second_factor import FactorKind
from edged.domain.types import EventKind
from edged.enrolment.entries import Entry
from edged.enrolment.opening import open_enrolment
from edged.enrolment.service import Policy
from edged.enrolment.sources import FilePhoto
from edged.errors import EdgedError
from edged.fleet.factor_client import MqttKeypad
from edged.fleet.factor_messages import AnswerGiven, Asked, heard_from_door, line_of
from edged.fleet.topics import Topics
from edged.storage.journal_reader import JournalReader
from edged.storage.key_file import create_key, read_key
from edged.storage.people import PeopleStore
from edged.storage.vault import Vault
from tests.fakes.mosquitto import mosquitto
from tests.integration.vision.conftest import read
from tests.integration.vision.test_liveness import door as write_door

PIN = "482913"


def door(folder: Path, port: int) -> Config:
    """Write a door that asks everybody; one enrolled person comes and goes."""
    name, photos = next(iter(bundled_cast()[0].items()))
    empty = np.full(read(photos[-1]).shape, (150, 160, 170), np.uint8)
    path = write_door(folder, [*[empty] * 4, *[read(photos[-1])] * 12, *[empty] * 24], mode="off")
    text = (
        path.read_text()
        .replace("fps: 200", "fps: 10")
        .replace("camera:", "camera:\n  max_frame_age_ms: 2000")
    )
    text = text.replace("enabled: false", f"host: 127.0.0.1\n  port: {port}")
    factor = "enabled: true, ask: [always], wait_seconds: 20, socket_path: sf.sock, mqtt_key_file: sf.key"
    path.write_text(f"{text}http: {{enabled: false}}\nsecond_factor: {{{factor}}}\n")
    config = load(path, {})
    with open_enrolment(config.models, config.quality, config.gallery, Policy()) as tools:
        (report,) = tools.enrolment.run([Entry(name, tuple(FilePhoto(photo) for photo in photos[:2]))])
    assert report.person_id is not None
    with PeopleStore.open(config.gallery.path, Vault.open(config.gallery.key_file), writable=True) as store:
        store.set_factor(report.person_id, FactorKind.PIN, PIN)
    return config


def answer(config: Config, key: bytes, failed: list[EdgedError]) -> None:
    """Answer whoever is asked, as a keypad somewhere else would."""
    try:
        topics = Topics(config.mqtt.topic_prefix, config.site, config.door_id)
        with MqttKeypad(config.mqtt, topics, key) as keypad:
            asked = heard_from_door(keypad.line(30) or b"")
            assert isinstance(asked, Asked)
            keypad.send(line_of(AnswerGiven(request_id=asked.request_id, kind=FactorKind.PIN, secret=PIN)))
            keypad.line(10)
    except EdgedError as exc:
        failed.append(exc)


def test_a_sealed_answer_opens_the_door(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    failed: list[EdgedError] = []
    with mosquitto(tmp_path / "broker") as broker:
        config = door(tmp_path, broker.port)
        create_key(tmp_path / "sf.key")
        key = read_key(tmp_path / "sf.key", "")
        keypad = threading.Thread(target=answer, args=(config, key, failed))
        keypad.start()
        daemon = Daemon(config, until_end=True)
        assert daemon.run() == 0
        keypad.join(20)
    assert failed == []
    with JournalReader.open(config.journal.path) as reader:
        events = [one.event for one in reader.events() if one.event.kind is EventKind.ACCESS]
    told = [(one.body["decision"], one.body["reason"], one.body.get("factor_source")) for one in events]
    assert told[0] == ("granted", "matched", "mqtt")
    assert PIN not in caplog.text
