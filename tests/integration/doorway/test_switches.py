"""What comes by wire works with no reader at all, and is on record once there is one."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from edged.doorway.messages import Answer, Happened, Reset, Secure
from tests.fakes.doorway import (
    BUZZER,
    CONTACT,
    EXIT,
    FAULT,
    FIRE,
    LAMP,
    RESET,
    TAMPER,
    DoorProcess,
    environment,
    until,
)


def test_the_exit_button_opens_without_any_reader_and_is_told_later(door: DoorProcess) -> None:
    door.press(EXIT)
    until(lambda: len(door.timeline) == 3)
    until(lambda: door.on_disk("locked"))
    assert [released for _, released in door.timeline] == [False, True, False]
    door.end(signal.SIGKILL)  # what waits is on the disk
    door.start()
    with door.reader() as reader:
        reader.wait(lambda: "never_opened" in reader.events or len(reader.events) >= 2)
        unlocked, locked = reader.of(Happened)[:2]
    assert (unlocked.what, unlocked.cause, locked.what) == ("unlocked", "exit", "locked")


def test_a_button_that_is_stuck_does_not_hold_the_door(tmp_path: Path) -> None:
    with DoorProcess(tmp_path, unlock_seconds=0.2) as door:
        door.level(EXIT, high=True)
        until(lambda: len(door.timeline) == 3)
        time.sleep(0.8)
        assert len(door.timeline) == 3
        door.end(signal.SIGKILL)
        door.start()  # it starts with the button pressed: that is no press
        time.sleep(0.3)
        assert [released for _, released in door.timeline] == [False, True, False, False]


def test_a_door_opened_after_a_grant_and_shut_again_is_told(long_door: DoorProcess) -> None:
    door = long_door
    with door.reader() as reader:
        reader.ask("R1")
        reader.wait(lambda: "unlocked" in reader.events)
        assert until(lambda: door.lit(LAMP))
        door.level(CONTACT, high=True)
        reader.wait(lambda: "opened" in reader.events)
        door.level(CONTACT, high=False)
        reader.wait(lambda: "shut" in reader.events)
        reader.say(Secure())
        reader.wait(lambda: "locked" in reader.events)
        reader.rest(1.3)
    opened = next(event for event in reader.of(Happened) if event.what == "opened")
    assert opened.request == "R1"
    assert "never_opened" not in reader.events


def test_a_grant_that_nobody_used_is_told(door: DoorProcess) -> None:
    with door.reader() as reader:
        reader.ask("R1")
        reader.wait(lambda: "never_opened" in reader.events)
    assert reader.of(Happened)[-1].request == "R1"


def test_a_forced_door_raises_an_alarm_and_the_buzzer(door: DoorProcess) -> None:
    with door.reader() as reader:
        door.level(CONTACT, high=True)
        reader.wait(lambda: "forced_open" in reader.events)
        assert until(lambda: door.lit(BUZZER))
        assert reader.wait(lambda: reader.status is not None and reader.status.condition == "forced")
        door.level(CONTACT, high=False)
        reader.wait(lambda: "forced_open_over" in reader.events)
        until(lambda: not door.lit(BUZZER))
    assert reader.of(Happened)[0].alarm


def test_a_door_held_open_is_warned_of_and_then_raises_an_alarm(long_door: DoorProcess) -> None:
    door = long_door
    with door.reader() as reader:
        reader.ask()
        reader.wait(lambda: "unlocked" in reader.events)
        door.level(CONTACT, high=True)
        reader.wait(lambda: "held_open" in reader.events)
        door.level(CONTACT, high=False)
        reader.wait(lambda: "held_open_over" in reader.events)
    told = [what for what in reader.events if what.startswith("held")]
    assert told == ["held_open_soon", "held_open", "held_open_over"]


def test_fire_releases_the_door_until_it_is_reset_whatever_happens_to_the_process(door: DoorProcess) -> None:
    door.level(FIRE, high=True)
    until(lambda: door.released and door.on_disk("emergency"))
    door.end(signal.SIGKILL)
    door.start()
    until(lambda: door.released)
    door.press(RESET)  # while the alarm sounds
    assert door.released
    door.level(FIRE, high=False)
    door.settle()
    assert door.released
    with door.reader() as reader:
        reader.wait(lambda: "reset_refused" in reader.events)
        reader.ask("R1")
        (answer,) = reader.wait(lambda: reader.of(Answer))
        assert answer.reason == "emergency"
        door.press(RESET, seen=lambda: reader.hear() or "emergency_over" in reader.events)
        assert not door.released
        begun = [(event.what, event.reason) for event in reader.of(Happened)][:2]
        assert begun == [("emergency", None), ("emergency", "latched")]
    door.end()
    door.start()
    assert not door.released


def test_a_reader_may_reset_an_emergency(door: DoorProcess) -> None:
    door.press(FIRE)
    until(lambda: door.released)
    with door.reader() as reader:
        reader.say(Reset())
        reader.wait(lambda: "emergency_over" in reader.events)
    assert not door.released


def test_the_tamper_switch_is_told(door: DoorProcess) -> None:
    with door.reader() as reader:
        door.level(TAMPER, high=True)
        reader.wait(lambda: "tamper" in reader.events)
        assert reader.status is not None
        assert reader.wait(lambda: reader.status is not None and reader.status.tampered)


def test_an_event_is_offered_until_it_is_taken_each_time_with_the_same_id(door: DoorProcess) -> None:
    ids = []
    for _ in range(3):
        with door.reader(takes=False) as reader:
            if not ids:
                door.press(EXIT)
            reader.wait(lambda reader=reader: len(reader.events) >= 2)
            ids.append([event.event for event in reader.of(Happened)][:2])
        until(lambda: door.on_disk("locked"))
        door.end(signal.SIGKILL)
        door.start()
    assert ids[0] == ids[1] == ids[2]
    with door.reader() as reader:
        reader.wait(lambda: len(reader.events) >= 2)
        reader.until_taken()
    with door.reader() as reader:
        reader.rest(0.2)
        assert not set(ids[0]) & {event.event for event in reader.of(Happened)}


def test_what_one_reader_was_granted_is_told_to_it_and_the_rest_to_one_of_them(door: DoorProcess) -> None:
    with door.reader("t.in") as first, door.reader("t.out") as second:
        second.ask("R2")
        second.wait(lambda: "locked" in second.events)
        first.rest(0.1)
        assert "unlocked" not in first.events
        door.press(EXIT)
        first.wait(lambda: "locked" in first.events)
        second.rest(0.1)
    assert [event.cause for event in second.of(Happened) if event.what == "unlocked"] == ["face"]


def test_the_command_line_asks_the_door_process_and_a_reader_records_it(door: DoorProcess) -> None:
    done = command(door, "test", "--yes", "--json")
    assert done.returncode == 0, done.stderr
    assert [json.loads(line)["state"] for line in done.stdout.splitlines()] == [
        "unlocked",
        "locked",
        "secure",
    ]
    door.press(FIRE, seen=lambda: door.released)
    assert command(door, "test", "--yes").returncode == 1
    done = command(door, "reset")
    assert done.returncode == 0, done.stderr
    assert not door.released
    with door.reader() as reader:
        reader.wait(lambda: "emergency_over" in reader.events)
    told = [(event.what, event.cause) for event in reader.of(Happened)]
    assert told[:2] == [("unlocked", "test"), ("locked", "test")]


@pytest.mark.parametrize("what", ["no folder", "no file", "no place"])
def test_a_disk_that_cannot_be_read_at_the_start_takes_neither_exit_nor_fire_along(
    what: str, tmp_path: Path
) -> None:
    door = DoorProcess(tmp_path)
    if what == "no file":
        (door.state / "events").mkdir(parents=True)
    else:
        door.state.write_text("something")
    if what == "no place":
        door.state /= "below"
    with door, door.reader() as reader:
        door.press(EXIT, seen=lambda: door.released)
        reader.wait(lambda: "locked" in reader.events)
        door.level(FIRE, high=True)
        reader.wait(lambda: "emergency" in reader.events)
        assert door.released
        kept = what != "no place"
        assert reader.wait(lambda: reader.status is not None and reader.status.kept is kept)
    told = [what for what in reader.events if what != "never_opened"]
    assert told == ["door_disk", "unlocked", "locked", "emergency"]


def test_a_reset_that_the_disk_does_not_keep_fails_until_it_does(door: DoorProcess) -> None:
    latch = door.state / "emergency"
    door.press(FIRE, seen=latch.exists)
    latch.unlink()
    latch.mkdir()  # which no unlink removes
    done = command(door, "reset")
    assert done.returncode == 1
    assert "its disk does not keep that" in done.stderr
    assert not door.released
    latch.rmdir()
    done = command(door, "reset")
    assert done.returncode == 0, done.stderr
    door.end(signal.SIGKILL)
    door.start()
    assert not door.released


def test_a_reset_while_the_fire_alarm_sounds_is_refused(door: DoorProcess) -> None:
    door.level(FIRE, high=True)
    until(lambda: door.released)
    done = command(door, "reset")
    assert done.returncode == 1
    assert "the fire input is active" in done.stderr
    assert door.released


def command(door: DoorProcess, *words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "edged", "door", *words, "--config", str(door.folder / "config.yaml")],
        capture_output=True, text=True, timeout=100, check=False, env=environment(),
    )  # fmt: skip


def test_an_input_that_cannot_be_read_is_told_and_the_others_and_the_lock_go_on(door: DoorProcess) -> None:
    assert door.process is not None
    with door.reader() as reader:
        door.break_line(TAMPER)
        reader.wait(lambda: "input_fault" in reader.events)
        (fault,) = [event for event in reader.of(Happened) if event.what == "input_fault"]
        assert (fault.alarm, fault.reason) == (True, "tamper")
        assert until(lambda: door.lit(FAULT))
        door.press(EXIT, seen=lambda: door.released)
        reader.wait(lambda: "locked" in reader.events)
        reader.ask("R1")
        reader.wait(lambda: reader.events.count("locked") == 2)
        door.level(FIRE, high=True)
        reader.wait(lambda: "emergency" in reader.events)
    assert door.process.poll() is None
    assert [released for _, released in door.timeline] == [False, True, False, True, False, True]
    assert "input cannot be read, the door goes on without it name=tamper" in door.log


def test_events_that_a_disk_did_not_take_are_written_once_it_works_again(door: DoorProcess) -> None:
    aside = door.state.with_name("aside")
    with door.reader(takes=False) as reader:
        door.state.rename(aside)
        door.state.touch()  # what is no folder takes no file
        door.press(EXIT, seen=lambda: door.released)
        reader.wait(lambda: reader.status is not None and not reader.status.kept)
        reader.wait(lambda: "locked" in reader.events)  # nobody is kept outside by it
        door.state.unlink()
        aside.rename(door.state)
        reader.wait(lambda: reader.status is not None and reader.status.kept)
    assert door.on_disk("unlocked") == door.on_disk("locked") == 1
