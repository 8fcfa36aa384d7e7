"""What an operator meets on a bad day: wrong settings, no broker, a kill, a changed mind."""

import os
import signal
from pathlib import Path

import pytest

from edged.fleet.messages import EventMessage
from tests.e2e.conftest import Cast
from tests.e2e.door import OfficeDoor, edged
from tests.e2e.test_camera_faults import look_at, played, show
from tests.fakes.collector import Collector
from tests.fakes.mosquitto import Mosquitto, free_port

pytestmark = pytest.mark.timeout(300)

# What is tested here does not depend on whose models recognise whom.
ONE_SETTING = pytest.mark.parametrize("setting", ["bundled"], indirect=True)

MINIMAL = """
site: test
door_id: front
camera: {source: {type: folder, path: scene}}
door: {lock: {driver: fake, trace_path: lock.jsonl}}
mqtt: {enabled: false}
"""


def test_a_bad_configuration_names_every_problem_and_ends_with_78(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(
        MINIMAL + "decision: {target_fpri: 0.1, confirm_frames: 9}\nmodels: {threads: 0}\n"
    )
    done = edged("run", cwd=tmp_path, check=False)
    assert done.returncode == 78
    for text in ("decision.target_fpri", "did you mean 'security.target_fpir'?", "models.threads"):
        assert text in done.stderr
    assert "Traceback" not in done.stderr


def test_missing_models_are_told_with_the_command_that_mends_it(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(MINIMAL + "models: {embedder: arcface-y1}\n")
    done = edged("run", cwd=tmp_path, check=False)
    assert done.returncode == 1
    assert "edged models import" in done.stderr
    assert "Traceback" not in done.stderr
    assert (tmp_path / "lock.jsonl").read_text().count("unlocked") == 0


@ONE_SETTING
def test_without_a_broker_the_door_works_and_tells_everything_later(
    door: OfficeDoor, cast: Cast, broker: Mosquitto
) -> None:
    door.configure(free_port())
    door.scene(cast.visits[:2])
    earlier = len(door.events())
    with door.start("--until-end") as daemon:
        assert daemon.wait() == 0
    stored = door.events()[earlier:]
    assert [e for e in stored if e["kind"] == "access" and e["decision"] == "granted"]
    door.configure(broker.port, same_day=True)
    door.scene([])
    with Collector(broker.port, "edged/test/front/#") as collector, door.start() as daemon:
        daemon.until(lambda: {e["event_id"] for e in stored} <= {e.id for e in collector.events})
        assert daemon.end() == 0
        late = {event.id: event for event in collector.events}
    assert all(late[e["event_id"]].historical for e in stored if e["kind"] == "access")


@ONE_SETTING
def test_a_kill_in_mid_pulse_loses_no_event_and_the_next_start_secures_the_line(
    door: OfficeDoor, cast: Cast, broker: Mosquitto, collector: Collector
) -> None:
    door.configure(broker.port, unlock_seconds=10)
    door.scene(cast.visits[:1])
    before, earlier = len(door.trace()), len(door.events())
    with door.start() as daemon:
        daemon.until(lambda: door.trace()[before:] and door.trace()[-1]["state"] == "unlocked")
        daemon.process.send_signal(signal.SIGKILL)
        assert daemon.wait(30) == -signal.SIGKILL
    assert door.edged("door", "safe").returncode == 0
    assert door.trace()[-1]["state"] == "locked"
    assert door.edged("events", "verify").returncode == 0
    stored = door.events()[earlier:]
    assert stored[-1]["kind"] in ("access", "attendance", "door")
    door.scene([])
    with door.start() as daemon:
        daemon.until(lambda: len(_starts(collector)) == 2)
        daemon.until(lambda: {e["event_id"] for e in stored} <= {e.id for e in collector.events})
        assert daemon.end() == 0


@ONE_SETTING
def test_a_stop_while_it_starts_is_a_stop(door: OfficeDoor) -> None:
    door.configure(free_port())
    before = len(door.trace())
    with door.start() as daemon:
        daemon.until(lambda: len(door.trace()) > before)
        assert daemon.end() == 0
    assert door.trace()[-1]["state"] == "locked"


@ONE_SETTING
def test_sighup_disarms_a_running_door(
    door: OfficeDoor, cast: Cast, broker: Mosquitto, collector: Collector
) -> None:
    door.configure(broker.port)
    stage = played(door, cast.visits[0][0], "corridor")
    look_at(door, stage)
    config = door.folder / "config.yaml"
    with door.start() as daemon:
        daemon.until(lambda: _starts(collector))
        config.write_text(config.read_text() + "decision: {armed: false}\ncamera_typo: 1\n")
        os.kill(daemon.process.pid, signal.SIGHUP)
        daemon.until(lambda: "camera_typo" in daemon.log)
        assert daemon.metrics()["edged_armed"] == 1
        config.write_text(config.read_text().replace("camera_typo: 1\n", ""))
        os.kill(daemon.process.pid, signal.SIGHUP)
        daemon.until(lambda: daemon.metrics()["edged_armed"] == 0)
        show(stage, "face")  # not before: it would have been let in
        daemon.until(lambda: [e for e in collector.events if e.body.get("reason") == "disarmed"])
        assert daemon.get("/readyz")[0] == 503
        unlocked = daemon.metrics()['edged_lock_actuations_total{cause="face"}']
        assert daemon.end() == 0
    assert unlocked == 0
    boot_id = _starts(collector)[-1].boot_id
    assert not [e for e in collector.events if e.boot_id == boot_id and e.body.get("decision") == "granted"]


def _starts(collector: Collector) -> list[EventMessage]:
    return [event for event in collector.events if event.body.get("type") == "started"]
