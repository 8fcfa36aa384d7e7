"""The guard of the line: what it does when the door process cannot."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from edged.devices.fakes import FakeLock
from edged.domain.door import Unlocked
from edged.domain.doorway import Doorway
from edged.doorway.guard import Guard, GuardedLock
from edged.doorway.messages import Happened, Reset
from tests.fakes.doorway import FIRE, TAMPER, DoorProcess, environment, until

AT_ONCE = [
    "-c",
    "import sys; from edged.doorway import main as m; m._GUARDED_SECONDS = 0; sys.exit(m.main())",
]
PULSE = 29.0  # of thirty seconds: what ended earlier was ended


def guard_of(door: DoorProcess) -> int:
    assert door.process is not None
    children = Path(f"/proc/{door.process.pid}/task/{door.process.pid}/children").read_text().split()
    assert len(children) == 1
    return int(children[0])


def held_seconds(door: DoorProcess) -> float:
    """How long the line stood released, the last time."""
    samples = door.timeline
    at = max(number for number, (_, released) in enumerate(samples) if released)
    return samples[at + 1][0] - samples[at][0]


def gone(pid: int) -> bool:
    """Whether a process has ended; a zombie that nobody waits for has."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except OSError:
        return True


def test_a_door_process_killed_in_mid_pulse_leaves_a_secure_line(long_door: DoorProcess) -> None:
    with long_door.reader() as reader:
        reader.ask("R1")
        reader.wait(lambda: "unlocked" in reader.events)
        guard = guard_of(long_door)
        until(lambda: b" begun " in (long_door.state / "events").read_bytes())
        long_door.end(signal.SIGKILL)
        until(lambda: not long_door.released)
    assert held_seconds(long_door) < PULSE
    until(lambda: gone(guard))
    for number in range(2):
        long_door.start()
        assert not long_door.released
        with long_door.reader() as reader:
            if number == 0:
                reader.wait(lambda reader=reader: "lock_aborted" in reader.events)
            reader.until_taken()
        aborted = [event for event in reader.of(Happened) if event.what == "lock_aborted"]
        assert [(event.alarm, event.request, event.reader) for event in aborted] == (
            [(True, "R1", "t.front")] if number == 0 else []
        )
        long_door.end()


def test_a_door_process_that_stands_still_is_ended_when_its_pulse_is_over(door: DoorProcess) -> None:
    assert door.process is not None
    with door.reader() as reader:
        reader.ask("R1")
        reader.wait(lambda: "unlocked" in reader.events)
        door.process.send_signal(signal.SIGSTOP)
        until(lambda: not door.released)
    assert door.process.wait(30) == -signal.SIGKILL
    assert held_seconds(door) >= 0.2  # of 0.4, which run from before the release is noted


def test_a_door_process_that_stands_still_beside_a_secure_line_is_the_service_managers(
    door: DoorProcess,
) -> None:
    assert door.process is not None
    door.process.send_signal(signal.SIGSTOP)
    samples = len(door.timeline)
    time.sleep(0.5)
    assert door.process.poll() is None
    assert len(door.timeline) == samples
    door.process.send_signal(signal.SIGCONT)
    assert door.end() == 0


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_no_guard_outlives_its_door_process(door: DoorProcess, how: signal.Signals) -> None:
    guard = guard_of(door)
    door.end(how)
    until(lambda: gone(guard))


def test_a_crash_does_not_shut_a_door_that_a_fire_has_opened(door: DoorProcess) -> None:
    guard = guard_of(door)
    door.level(FIRE, high=True)
    until(lambda: door.released)
    until((door.state / "emergency").exists)
    door.settle()  # its loop has turned: the guard has heard that there is no end to this
    samples = len(door.timeline)
    door.end(signal.SIGKILL)
    until(lambda: gone(guard))
    assert len(door.timeline) == samples
    assert door.released


def test_an_orderly_end_in_mid_pulse_needs_no_guard(long_door: DoorProcess) -> None:
    with long_door.reader() as reader:
        reader.ask("R1")
        reader.wait(lambda: "unlocked" in reader.events)
        assert long_door.end() == 0
    assert not long_door.released
    assert "guard" not in long_door.log


def test_a_guard_that_is_dead_keeps_no_door_shut(door: DoorProcess) -> None:
    os.kill(guard_of(door), signal.SIGKILL)
    with door.reader() as reader:
        reader.ask("R1")
        reader.wait(lambda: "locked" in reader.events)
        reader.wait(lambda: "guard_gone" in reader.events)
        reader.wait(lambda: reader.status is not None and reader.status.faulty == ("guard",))
    assert next(event for event in reader.of(Happened) if event.what == "guard_gone").alarm
    assert "the guard of the line is gone" in door.log
    assert door.end() == 0


def test_a_door_process_without_its_guard_ends_at_rest_to_be_started_with_one(tmp_path: Path) -> None:
    door = DoorProcess(tmp_path, unlock_seconds=1.5)
    door.program = AT_ONCE
    with door, door.reader() as reader:
        assert door.process is not None
        reader.ask("R1")
        reader.wait(lambda: "unlocked" in reader.events)
        os.kill(guard_of(door), signal.SIGKILL)
        until(reader.ended)  # once what was granted has had its time
        assert door.process.wait(60) == 1
        assert "locked" in reader.events or door.on_disk("locked")
        assert held_seconds(door) >= 0.75  # of 1.5, as above
        assert "ending, to be started anew" in door.log
        door.start()
        guard_of(door)


def patched(what: str) -> list[str]:
    modules = "from edged.doorway import guard as g, main as m"
    return ["-c", f"import sys; {modules}; m._WATCHDOG_SECONDS = 0.05; {what}; sys.exit(m.main())"]


def test_a_guard_that_stands_still_is_ended_and_counts_as_gone(tmp_path: Path) -> None:
    door = DoorProcess(tmp_path)
    door.program = patched("pass")
    with door:
        guard = guard_of(door)
        os.kill(guard, signal.SIGSTOP)
        with door.reader() as reader:
            reader.wait(lambda: "guard_gone" in reader.events)
        assert gone(guard)
        assert "stands still, ending it" in door.log
        assert door.end() == 0


def test_a_guard_that_is_asked_in_mid_pulse_knows_the_end_of_it(tmp_path: Path) -> None:
    door = DoorProcess(tmp_path, unlock_seconds=30)
    door.program = patched("g._MOST_UNANSWERED = 10**9")
    with door, door.reader() as reader:
        reader.ask("R1")
        reader.wait(lambda: "unlocked" in reader.events)
        reader.rest(0.3)
        guard = guard_of(door)
        door.end(signal.SIGKILL)
        until(lambda: not door.released)
        until(lambda: gone(guard))
    assert held_seconds(door) < PULSE


def test_a_door_process_without_its_guard_shuts_no_door_that_a_fire_has_opened(tmp_path: Path) -> None:
    door = DoorProcess(tmp_path)
    door.program = AT_ONCE
    with door:
        door.level(FIRE, high=True)
        until(lambda: door.released)
        os.kill(guard_of(door), signal.SIGKILL)
        until(lambda: "guard_gone" in door.log)
        time.sleep(1.2)
        assert door.process is not None
        assert door.process.poll() is None
        assert door.released


def secure(door: DoorProcess) -> int:
    command = [sys.executable, "-m", "edged.doorway", "--secure", "--config", "config.yaml"]
    command += ["--state", str(door.state)]
    return subprocess.run(command, cwd=door.folder, env=environment(), check=False).returncode


def test_where_the_guard_is_killed_as_well_the_service_manager_secures_the_line(
    long_door: DoorProcess,
) -> None:
    assert secure(long_door) == 1  # it has an owner, who decides
    with long_door.reader() as reader:
        reader.ask("R1")
        reader.wait(lambda: "unlocked" in reader.events)
        os.kill(guard_of(long_door), signal.SIGKILL)
        long_door.end(signal.SIGKILL)
    assert long_door.released
    config = long_door.folder / "config.yaml"
    config.write_text(config.read_text() + "mqtt_typo: 1\n")
    assert secure(long_door) == 0
    assert not long_door.released


def test_neither_the_service_manager_nor_the_next_start_shuts_a_door_that_a_fire_has_opened(
    door: DoorProcess,
) -> None:
    door.level(FIRE, high=True)
    until(lambda: door.released and (door.state / "emergency").exists())
    door.level(FIRE, high=False)
    samples = len(door.timeline)
    door.end(signal.SIGKILL)
    assert secure(door) == 0
    assert len(door.timeline) == samples
    door.start()
    until(lambda: len(door.timeline) > samples)
    assert all(released for _, released in door.timeline[samples:])
    with door.reader() as reader:
        reader.say(Reset())
        reader.wait(lambda: "emergency_over" in reader.events)
    until(lambda: not (door.state / "emergency").exists())
    door.end(signal.SIGKILL)
    door.start()
    assert not door.released


def test_a_start_that_fails_does_not_shut_a_door_that_a_fire_has_opened(door: DoorProcess) -> None:
    door.level(FIRE, high=True)
    until(lambda: door.released and (door.state / "emergency").exists())
    door.end(signal.SIGKILL)
    samples = len(door.timeline)
    config = door.folder / "config.yaml"
    config.write_text(config.read_text().replace(f"line: {TAMPER}", "line: 999"))
    program = [sys.executable, "-m", "edged.doorway", "--config", str(config), "--state", str(door.state)]
    done = subprocess.run(program, env=environment(), check=False, capture_output=True, text=True)
    assert done.returncode == 1
    assert "got 999" in done.stderr
    assert len(door.timeline) > samples  # it had the line
    assert all(released for _, released in door.timeline[samples:])


@pytest.mark.parametrize("is_folder", [False, True])
def test_without_a_latch_that_is_one_the_line_is_secured(long_door: DoorProcess, is_folder: bool) -> None:
    with long_door.reader() as reader:
        reader.ask("R1")
        reader.wait(lambda: "unlocked" in reader.events)
        if is_folder:
            (long_door.state / "emergency").mkdir()
        os.kill(guard_of(long_door), signal.SIGKILL)
        long_door.end(signal.SIGKILL)
    assert long_door.released
    assert secure(long_door) == 0
    assert not long_door.released


class Told(Guard):
    """A guard's near end whose words are kept."""

    def __init__(self) -> None:
        self.words: list[float] = []

    def _say(self, word: float) -> None:
        self.words.append(word)


def test_the_guard_hears_of_a_release_before_and_of_its_end_after(tmp_path: Path) -> None:
    guard, trace = Told(), tmp_path / "lock.jsonl"
    with GuardedLock(FakeLock(trace), guard, 3.0) as lock:
        claimed = len(trace.read_text().splitlines())
        guard._say = lambda word: guard.words.append((word > 0) - len(trace.read_text().splitlines()))  # type: ignore[method-assign]
        lock.unlock()
        lock.secure()
    assert guard.words == [1 - claimed, 0 - claimed - 2]


def test_the_guard_hears_the_end_of_a_pulse_and_that_an_emergency_has_none() -> None:
    guard = Told()
    guard.follow(Doorway(pulse=Unlocked(10.0, 13.0)))
    guard.follow(Doorway(emergency=True, pulse=Unlocked(10.0, 13.0)))
    guard.follow(Doorway())
    assert guard.words == [13.0, float("inf"), 0.0]
