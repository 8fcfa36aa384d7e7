"""A second factor over a real broker: the daemon's own parts at one end, the keypad's client at the other."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from prometheus_client import CollectorRegistry
from typer.testing import CliRunner

from edged.cli import second_factor as command
from edged.config.sections import MqttConfig, SecondFactorConfig
from edged.devices.clock import Clock
from edged.domain.access import AccessRules
from edged.domain.calibration import threshold_for
from edged.domain.gallery import build_snapshot
from edged.domain.people import Person
from edged.domain.risk import Risk
from edged.domain.second_factor import FactorKind
from edged.domain.types import Decision, Outcome, Reason
from edged.errors import ConfigError, EdgedError, FleetError, StoreError
from edged.fleet.factor_client import MqttKeypad
from edged.fleet.factor_messages import AnswerGiven, Asked, FromDoor, heard_from_door, line_of
from edged.fleet.factor_seal import FactorSeal, Speaker
from edged.metrics import Metrics
from edged.storage.factors import Verifier
from edged.storage.key_file import create_key, read_key
from edged.workers.factor_part import FactorPart
from edged.workers.gallery_sync import GalleryState
from edged.workers.publisher import PublisherWorker
from edged.workers.recognition import RecognitionSettings
from tests.fakes.collector import Collector, eventually
from tests.fakes.mosquitto import Mosquitto, mosquitto
from tests.fakes.outbox import FakeOutbox
from tests.integration.fleet.conftest import ALL, BIRTH, STATE, TOPICS, mqtt_config, new_client
from tests.unit.domain.conftest import template
from tests.unit.workers.test_second_factor import ASK, POLICY

PIN = "482913"
PINS = {"p-ada": {FactorKind.PIN: Verifier.of(PIN)}}


class Door:
    """Publisher, clerk, socket and the way over MQTT, on threads of their own."""

    def __init__(self, folder: Path, config: MqttConfig) -> None:
        self.key_file = folder / "second-factor.key"
        create_key(self.key_file)
        self.config = config
        self.metrics = Metrics(CollectorRegistry())
        people = [Person("p-ada", "Ada")]
        snapshot = build_snapshot("toy/1", 8, 1, people, [template("p-ada", 0)])
        self.state = GalleryState(snapshot, threshold_for((), 1, Risk(1e-3)))
        self.done: list[Decision] = []
        self.publisher = PublisherWorker(
            FakeOutbox(), new_client(self.config), TOPICS, self.metrics, self.config, birth=BIRTH, state=STATE
        )
        settings = RecognitionSettings(1.0, lambda _threshold: POLICY, AccessRules({}, {}))
        factor = SecondFactorConfig(
            enabled=True,
            ask=("always",),
            wait_seconds=20,
            socket_path=folder / "sf.sock",
            mqtt_key_file=self.key_file,
        )
        self.part = FactorPart(
            factor,
            SimpleNamespace(factors=lambda person_id: PINS[person_id]),
            lambda decision, _state: self.done.append(decision) or True,
            lambda: SimpleNamespace(settings=settings, take_back=lambda _decision: None),  # type: ignore[arg-type,return-value]
            (self.metrics, Clock()),
            broker=self.publisher,
        )
        self.workers = [self.publisher]
        self.part.add_to(SimpleNamespace(add=self.workers.append))  # type: ignore[arg-type]
        for worker in self.workers:
            worker.start()

    def ask(self) -> None:
        self.part.decide(ASK, self.state)

    def told(self) -> list[tuple[Outcome, Reason]]:
        self.part.settle(self.state)
        return [(one.outcome, one.reason) for one in self.done]

    def dropped(self, cause: str) -> float:
        return self.metrics.factor_messages.labels(cause)._value.get()

    def keypad(self, key: bytes | None = None) -> MqttKeypad:
        return MqttKeypad(self.config, TOPICS, key or read_key(self.key_file, ""))

    def stop(self) -> None:
        for worker in reversed(self.workers):
            worker.stop()
            assert worker.join(30)
            assert worker.failure is None


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    with mosquitto(tmp_path / "broker") as running:
        yield running


@pytest.fixture
def door(tmp_path: Path, broker: Mosquitto) -> Iterator[Door]:
    door = Door(tmp_path, mqtt_config(broker.port))
    eventually(lambda: door.publisher.connected)
    yield door
    door.stop()


def next_of(keypad: MqttKeypad, kind: type) -> FromDoor:
    while True:
        line = keypad.line(30)
        assert line is not None
        message = heard_from_door(line)
        if isinstance(message, kind):
            return message


def answered(keypad: MqttKeypad, secret: str = PIN) -> str:
    asked = next_of(keypad, Asked)
    keypad.send(line_of(AnswerGiven(request_id=asked.request_id, kind=FactorKind.PIN, secret=secret)))
    return asked.request_id


def test_an_answer_over_the_broker_opens_and_the_broker_learns_nothing(
    door: Door, broker: Mosquitto, tmp_path: Path
) -> None:
    with Collector(broker.port, ALL) as spy, door.keypad() as keypad:
        door.ask()
        request_id = answered(keypad)
        eventually(lambda: door.told() == [(Outcome.GRANT, Reason.MATCHED)])
        seen = [one for one in spy.messages if "/second_factor/" in one.topic]
        assert {len(one.payload) for one in seen} == {1053}
        assert not any(one.retain for one in seen)
        assert not any(
            word in one.payload for one in seen for word in (PIN.encode(), request_id.encode(), b"pin")
        )
        # Whoever owns the broker sends all that was ever said again, as it was and retained.
        door.done.clear()
        door.ask()
        for one in seen:
            for topic in (TOPICS.factor_keypad, TOPICS.factor_door):
                spy.say(topic, one.payload)
                spy.say(topic, one.payload, retain=True)
        eventually(lambda: door.dropped("unknown") >= 1 and door.dropped("retained") >= 1)
        assert door.told() == []
        while next_of(keypad, Asked).request_id == request_id:
            pass  # what the door said can be repeated to a keypad; an answer to it is worth nothing


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_a_retained_answer_from_before_the_door_connected_is_not_taken(
    tmp_path: Path, broker: Mosquitto, protocol: str
) -> None:
    key = tmp_path / "second-factor.key"
    create_key(key)
    answer = AnswerGiven(request_id="r1", kind=FactorKind.PIN, secret=PIN)
    payload = FactorSeal(read_key(key, ""), TOPICS).seal(answer, Speaker.KEYPAD)
    with Collector(broker.port, ALL) as spy:
        spy.say(TOPICS.factor_keypad, payload, retain=True)
    door = Door(tmp_path, mqtt_config(broker.port))
    eventually(lambda: door.dropped("retained") == 1)
    door.stop()


def test_another_key_is_told_from_the_doors_at_both_ends(door: Door) -> None:
    with door.keypad(bytes(32)) as keypad:
        door.ask()
        assert keypad.line(1.2) is None
        keypad.send(line_of(AnswerGiven(request_id="r1", kind=FactorKind.PIN, secret=PIN)))
        eventually(lambda: door.dropped("forged") == 1)
    assert door.told() == []


def test_without_a_broker_the_socket_still_takes_answers_and_a_later_keypad_hears_of_a_request(
    door: Door, broker: Mosquitto, tmp_path: Path
) -> None:
    from edged.devices.factor_keypad import FactorKeypad
    from edged.fleet.factor_messages import Watch

    broker.kill()
    eventually(lambda: not door.publisher.connected)
    door.ask()
    with FactorKeypad(tmp_path / "sf.sock") as local:
        local.send(line_of(Watch()))
        asked = heard_from_door(local.line(5) or b"")
        assert isinstance(asked, Asked)
        local.send(line_of(AnswerGiven(request_id=asked.request_id, kind=FactorKind.PIN, secret=PIN)))
        eventually(lambda: door.told() == [(Outcome.GRANT, Reason.MATCHED)])
    door.done.clear()
    door.ask()
    broker.start()
    with door.keypad() as keypad:
        while next_of(keypad, Asked).request_id == asked.request_id:
            pass  # said before it ended, and kept for a moment
        answered(keypad)
        eventually(lambda: door.told() == [(Outcome.GRANT, Reason.MATCHED)])


@pytest.fixture
def desk(door: Door, tmp_path: Path) -> Callable[..., tuple[int, str]]:
    """Run ``edged second-factor`` on the door's configuration."""
    (tmp_path / "config.yaml").write_text(
        "site: hq\ndoor_id: front\ncamera: {source: {type: v4l2, device: /dev/video0}}\n"
        f"door: {{lock: {{driver: fake}}}}\nmqtt: {{host: 127.0.0.1, port: {door.config.port}}}\n"
        "second_factor: {enabled: true, socket_path: none.sock, mqtt_key_file: second-factor.key}\n"
    )
    (tmp_path / "pin").write_text(f"{PIN}\n")

    def run(*arguments: str) -> tuple[int, str]:
        done = CliRunner().invoke(command.app, [*arguments, "--config", str(tmp_path / "config.yaml")])
        if isinstance(done.exception, EdgedError):
            raise done.exception
        return done.exit_code, done.output

    return run


def test_the_commands_do_what_a_keypad_does(
    door: Door, desk: Callable[..., tuple[int, str]], tmp_path: Path
) -> None:
    door.ask()
    # It is said again each second, and shown once.
    code, output = desk("watch", "--mqtt", "--seconds", "3.5")
    assert (code, output.count("asked for pin (always)"), len(output.splitlines())) == (0, 1, 1)
    code, output = desk("answer", "--mqtt", "--json", "--secret-file", str(tmp_path / "pin"))
    assert (code, json.loads(output)["result"]) == (0, "confirmed")
    assert door.told() == [(Outcome.GRANT, Reason.MATCHED)]


def test_a_key_is_made_once_and_for_its_owner_alone(
    desk: Callable[..., tuple[int, str]], door: Door, tmp_path: Path
) -> None:
    with pytest.raises(StoreError, match="exists already"):
        desk("key")
    code, _ = desk("key", str(tmp_path / "keys" / "other.key"))
    made = tmp_path / "keys" / "other.key"
    assert (code, made.stat().st_size, made.stat().st_mode & 0o777) == (0, 32, 0o600)
    assert made.read_bytes() != door.key_file.read_bytes()
    made.chmod(0o640)
    with pytest.raises(StoreError, match="others may read"):
        read_key(made, "")
    (tmp_path / "config.yaml").write_text(
        (tmp_path / "config.yaml").read_text().replace(", mqtt_key_file: second-factor.key", "")
    )
    with pytest.raises(ConfigError, match="mqtt_key_file"):
        desk("answer", "--mqtt", "--secret-file", str(tmp_path / "pin"))


def test_a_door_whose_key_is_missing_does_not_start(tmp_path: Path) -> None:
    factor = SecondFactorConfig(
        enabled=True, socket_path=tmp_path / "sf.sock", mqtt_key_file=tmp_path / "none.key"
    )
    with pytest.raises(StoreError, match="`edged second-factor key` makes one"):
        FactorPart(
            factor,
            SimpleNamespace(),  # type: ignore[arg-type]
            lambda *_: True,
            SimpleNamespace,  # type: ignore[arg-type]
            (Metrics(CollectorRegistry()), Clock()),
            broker=SimpleNamespace(topics=TOPICS),  # type: ignore[arg-type]
        )
    assert not (tmp_path / "sf.sock").exists()


def test_a_broker_that_is_away_is_an_error_of_the_command() -> None:
    config = MqttConfig(host="127.0.0.1", port=1, reconnect_min_seconds=0.05, reconnect_max_seconds=0.1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("edged.fleet.factor_client.TRIAL_SECONDS", 0.3)
        with pytest.raises(FleetError, match="cannot be reached"):
            MqttKeypad(config, TOPICS, bytes(32))
