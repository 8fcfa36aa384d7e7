"""Checks that speak to something: a door process, a broker, a camera, a journal."""

import os
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from edged.config.sections import JournalConfig
from edged.demo.bundled import bundled_cast
from edged.doctor.broker import broker
from edged.doctor.camera import camera
from edged.doctor.certificates import certificates
from edged.doctor.daemon import writer_of
from edged.doctor.door_process import door_process
from edged.doctor.finding import Finding, State
from edged.doctor.machine import Machine
from edged.doctor.record import record
from edged.errors import StoreCorruptError
from edged.storage.journal import Journal
from tests.fakes.certificates import Authority
from tests.fakes.doorway import CONTACT, FIRE, TAMPER, DoorProcess, environment, until
from tests.fakes.mosquitto import free_port, mosquitto
from tests.integration.storage.conftest import event
from tests.unit.doctor.conftest import Site, strike, with_lock


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def test_a_door_process_is_asked_and_its_line_not_touched(site: Site, tmp_path: Path) -> None:
    folder = tmp_path / "door"
    folder.mkdir()
    with DoorProcess(folder) as running:
        door = with_lock(strike(), socket=str(running.socket))
        found = door_process(site.patient(**door))
        assert (found.state, found.facts["condition"]) == (State.OK, "locked")
        assert running.process is not None
        assert found.facts["pid"] == running.process.pid
        second = site.data / "second.yaml"
        second.write_text((site.data / "config.yaml").read_text())
        found = door_process(site.patient(**door))
        assert found.state is State.WARNING
        assert "door_id: second.yaml has t.front too" in found.detail
        second.unlink()
        before = running.timeline
        running.level(CONTACT, high=True)
        with running.reader() as reader:
            reader.wait(lambda: reader.status is not None and reader.status.condition == "forced")
        assert "by force" in door_process(site.patient(**door)).detail
        running.break_line(TAMPER)
        until(lambda: door_process(site.patient(**door)).facts["faulty"] == ("tamper",))
        assert door_process(site.patient(**door)).state is State.WARNING
        running.break_line(FIRE)
        until(lambda: door_process(site.patient(**door)).facts["faulty"] == ("fire", "tamper"))
        found = door_process(site.patient(**door))
        assert found.state is State.FAILED
        assert "door.inputs.fire cannot be read" in found.detail
        assert running.timeline == before
    assert door_process(site.patient(**door)).state is State.FAILED


def test_events_that_wait_for_a_reader_that_never_comes_are_told(site: Site, tmp_path: Path) -> None:
    folder = tmp_path / "door"
    folder.mkdir()
    with DoorProcess(folder) as running:
        door = with_lock(strike(), socket=str(running.socket))
        for name in ("t.front", "t.gone"):
            with running.reader(name, takes=False) as reader:
                reader.ask(name)
                reader.wait(lambda: "unlocked" in reader.events)
        found = until(lambda: waiting_for(door_process(site.patient(**door))))
        assert found.facts["absent"] == ("t.front", "t.gone")
        # Its own name is no news: the daemon is not running.
        assert (found.state, "connected: t.gone;" in found.detail) == (State.WARNING, True)


def waiting_for(found: Finding) -> Finding | None:
    """The finding, once the door is shut again and says for whom events wait."""
    return found if "not connected" in found.detail else None


def test_without_a_socket_the_door_comes_with_the_daemon(site: Site) -> None:
    found = door_process(site.patient())
    assert (found.state, "no real door is driven" in found.detail) == (State.WARNING, True)
    found = door_process(site.patient(**with_lock(strike(chip=f"folder:{site.data}"))))
    assert (found.state, "no real door is driven" in found.detail) == (State.WARNING, True)
    assert door_process(site.patient(**with_lock(strike()))).state is State.OK
    button = {"exit": {"chip": "pinctrl-bcm2711", "line": "GPIO23", "active": "low"}}
    assert door_process(site.patient(**with_lock(strike(), inputs=button))).state is State.WARNING


def test_a_fire_that_nobody_has_reset_is_named_without_a_socket_too(site: Site) -> None:
    patient = site.patient(**with_lock(strike()))
    state = site.data / "door"
    state.mkdir()
    (state / "emergency").write_text("1\n")
    found = door_process(patient)
    assert (found.state, found.facts["condition"]) == (State.WARNING, "emergency")
    assert "the next start of edged run opens it again; `edged door reset`" in found.detail
    with subprocess.Popen([sys.executable, "-c", KEEPER], cwd=state, env=environment(), text=True) as keeper:
        until((state / "ready").exists)
        found = door_process(patient)
        assert f"process {keeper.pid} goes on alone" in found.detail
        keeper.kill()


KEEPER = """
import time
from pathlib import Path
from edged.doorway.tenant import Tenancy
tenancy = Tenancy()
tenancy.take(Path("."))
tenancy.tell(emergency=True, deserted=True)
Path("ready").touch()
time.sleep(60)
"""


def test_a_broker_is_worth_what_it_gives(site: Site, tmp_path: Path) -> None:
    assert broker(site.patient()).state is State.NOT_APPLICABLE
    with mosquitto(tmp_path / "b") as running:
        found = broker(site.patient(mqtt={"port": running.port}))
        assert found.state is State.WARNING  # nobody listens, and anybody may speak
        assert found.facts["version"] == "5"
        assert found.facts["receive_maximum"]
        assert "Nobody listens" in found.detail
    gone = {"port": free_port()}
    assert broker(site.patient(mqtt=gone, **with_lock(strike()))).state is State.FAILED
    assert broker(site.patient(mqtt=gone)).state is State.WARNING


def test_a_broker_of_another_authority_fails(site: Site, tmp_path: Path) -> None:
    ours, theirs = (Authority(tmp_path / name, name) for name in ("ours", "theirs"))
    server = theirs.issue("broker", address="127.0.0.1")
    options = [f"cafile {theirs.certificate}", f"certfile {server.certificate}", f"keyfile {server.key}"]
    with mosquitto(tmp_path / "b", *options) as running:
        mqtt = {"port": running.port, "tls": {"ca_file": str(ours.certificate)}}
        found = broker(site.patient(mqtt=mqtt, **with_lock(strike())))
        believed = {"port": running.port, "tls": {"ca_file": str(theirs.certificate)}}
        shown = [certificates(site.patient(now=time.time(), mqtt=one)) for one in (mqtt, believed)]
    assert [list(one.facts["days_left"]) for one in shown] == [  # type: ignore[call-overload]
        ["mqtt.tls.ca_file"],
        ["mqtt.tls.ca_file", "the broker's own"],
    ]
    assert found.state is State.FAILED
    assert "events are kept" in found.detail


def test_a_camera_is_watched_and_one_that_is_not_there_is_said(site: Site, tmp_path: Path) -> None:
    scene = bundled_cast()[0].popitem()[1][0].parent
    source = {"type": "folder", "path": str(scene), "fps": 20.0, "loop": True}
    found = camera(site.patient(camera={"source": source, "frozen_after_frames": 1000}))
    assert found.state is State.OK
    assert found.facts["fps"] > 0  # type: ignore[operator]
    absent = {"source": {"type": "file", "path": str(tmp_path / "x.mp4")}, "first_frame_timeout_ms": 50}
    gone = camera(site.patient(camera=absent))
    assert gone.state is State.FAILED
    assert "edged camera list" in gone.detail


def journal(path: Path) -> Journal:
    return Journal.open(JournalConfig(path=path), deliver=False)


def test_the_journal_is_walked_while_it_is_written(site: Site) -> None:
    path = site.data / "journal.db"
    assert record(site.patient()).state is State.NOT_APPLICABLE
    assert writer_of(path, Machine()) is None
    writing = journal(path)
    try:
        writing.submit([event(number) for number in range(20)]).result(60)
        assert writer_of(path, Machine()) == os.getpid()
        found = record(site.patient())
        assert (found.state, found.facts["rows"]) == (State.OK, 20)
        writing.submit([event(20)]).result(60)
    finally:
        writing.close()
    assert writer_of(path, Machine()) is None


def test_an_altered_row_and_a_broken_file_are_found(site: Site) -> None:
    path = site.data / "journal.db"
    writing = journal(path)
    writing.submit([event(number) for number in range(20)]).result(60)
    writing.close()
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE events SET person_id = 'p-eve' WHERE seq = 7")
    connection.close()
    found = record(site.patient())
    assert found.state is State.FAILED
    assert found.detail.startswith("event 7:")
    data = bytearray(path.read_bytes())
    data[:16] = b"\0" * 16
    path.write_bytes(data)
    with pytest.raises(StoreCorruptError):
        record(site.patient())
