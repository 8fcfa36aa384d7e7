"""``edged events replay`` against a publisher on a real broker."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from edged.cli import registry
from edged.config.sections import JournalConfig
from edged.fleet import replay_asking
from edged.storage.journal import Journal
from tests.fakes.collector import Collector, eventually
from tests.fakes.mosquitto import Mosquitto, mosquitto
from tests.fakes.outbox import event
from tests.integration.cli.test_events import CONFIG
from tests.integration.fleet.conftest import ALL, Rig, mqtt_config, new_rig

Ask = Callable[..., dict[str, object]]


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    with mosquitto(tmp_path / "broker") as running:
        yield running


@pytest.fixture
def door(broker: Mosquitto, tmp_path: Path) -> Iterator[Rig]:
    journal = Journal.open(JournalConfig(path=tmp_path / "journal.db"))
    rig = new_rig(mqtt_config(broker.port, replay=True), journal)
    rig.worker.start()
    eventually(lambda: rig.worker.connected)
    yield rig
    rig.stop()
    journal.close()


@pytest.fixture
def ask(broker: Mosquitto, tmp_path: Path) -> Ask:
    app = typer.Typer()
    registry.register(app)
    path = tmp_path / "config.yaml"
    path.write_text(f"{CONFIG}\nmqtt: {{port: {broker.port}}}\n")

    def invoke(*words: str, code: int = 0) -> dict[str, object]:
        line = ("events", "replay", "--site", "hq", "--door", "front", "--json", *words)
        result = CliRunner().invoke(app, (*line, "--config", str(path)), catch_exceptions=False)
        assert result.exit_code == code, result.output
        found: dict[str, object] = json.loads(result.stdout)
        return found

    return invoke


def test_a_collector_that_lost_everything_is_given_it_stretch_by_stretch(
    broker: Mosquitto, door: Rig, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replay_asking, "STRETCH", 40)
    with Collector(broker.port, ALL) as collector:
        door.outbox.submit([event() for _ in range(100)]).result()  # type: ignore[attr-defined]
        door.worker.wake()
        eventually(lambda: len(collector.events) == 100)
        collector.forget()
        found = ask("--from", "11")
        assert (found["ok"], found["sent"], found["next_seq"]) == (True, 90, None)
        eventually(lambda: collector.seqs == list(range(11, 101)))
        eventually(lambda: len(collector.on("edged/hq/front/events/replayed")) >= 3)


def test_what_nobody_heard_is_no_success(door: Rig, ask: Ask) -> None:
    door.outbox.submit([event(), event()]).result()  # type: ignore[attr-defined]
    found = ask(code=1)
    assert (found["sent"], found["unheard"], found["result"]) == (0, 2, "done")


def test_a_door_that_is_away_is_named(ask: Ask) -> None:
    found = ask(code=1)
    assert "nobody hears edged/hq/front/events/replay" in str(found["reason"])
    assert found["next_seq"] == 1


def test_another_epoch_is_told(door: Rig, ask: Ask) -> None:
    found = ask("--epoch", "abcdef", code=1)
    assert found["result"] == "epoch"
    assert found["epoch"] == door.outbox.epoch


def test_a_range_that_is_none_is_a_wrong_use(tmp_path: Path) -> None:
    app = typer.Typer()
    registry.register(app)
    result = CliRunner().invoke(app, ["events", "replay", "--from", "5", "--to", "4"])
    assert result.exit_code == 2
