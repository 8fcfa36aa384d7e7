"""``edged door`` as a process of its own, ended in every way a process can end."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.fakes.doorway import environment, until

CONFIG = """
site: hq
door_id: front
camera: {{source: {{type: file, path: replay.mp4}}}}
door:
  lock: {lock}
  unlock_seconds: {seconds}
  max_unlock_seconds: 60
"""
FAKE = "{driver: fake, trace_path: trace.jsonl}"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    configure(tmp_path)
    return tmp_path


def configure(folder: Path, *, lock: str = FAKE, seconds: float = 0.2) -> None:
    (folder / "config.yaml").write_text(CONFIG.format(lock=lock, seconds=seconds))


def command(folder: Path, *words: str) -> list[str]:
    return [sys.executable, "-m", "edged", "door", *words, "--config", str(folder / "config.yaml")]


def edged(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(folder, *words),
        capture_output=True,
        text=True,
        timeout=60,
        stdin=subprocess.DEVNULL,
        check=False,
    )


def events_of(folder: Path) -> list[str]:
    """What the journal holds, a line of JSON each."""
    words = ["events", "tail", "--json", "--config", str(folder / "config.yaml")]
    done = subprocess.run(
        [sys.executable, "-m", "edged", *words], capture_output=True, text=True, timeout=60, check=True
    )
    return done.stdout.splitlines()


def states(folder: Path) -> list[str]:
    trace = folder / "trace.jsonl"
    lines = trace.read_text().splitlines() if trace.exists() else []
    return [json.loads(line)["state"] for line in lines]


def heed_interrupts() -> None:
    """Tests that a shell runs in the background inherit that interrupts are ignored."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def start_pulse(folder: Path) -> subprocess.Popen[bytes]:
    """Start a pulse of 30 s and wait until the door is unlocked."""
    configure(folder, seconds=30)
    process = subprocess.Popen(
        command(folder, "test", "--yes"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        preexec_fn=heed_interrupts,  # noqa: PLW1509 - it sets one signal and takes no lock
    )  # fmt: skip
    deadline = time.monotonic() + 60
    while states(folder)[-1:] != ["unlocked"]:
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.01)
    return process


def test_a_pulse_is_shown_change_by_change(folder: Path) -> None:
    done = edged(folder, "test", "--yes", "--json")
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["state"] for line in lines] == ["claimed", "unlocked", "locked", "secure"]
    events = [json.loads(line) for line in events_of(folder)]
    told = [(event["kind"], event["body"]["type"], event["body"]["cause"]) for event in events]
    assert told == [("door", "unlocked", "test"), ("door", "locked", "test")]
    assert 0.1 <= lines[2]["after_seconds"] - lines[1]["after_seconds"] < 20
    assert states(folder) == ["locked", "unlocked", "locked"]


def test_without_a_terminal_and_a_yes_the_door_stays_shut(folder: Path) -> None:
    done = edged(folder, "test")
    assert done.returncode == 2
    assert "--yes" in done.stderr
    assert states(folder) == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_in_mid_pulse_secures_the_line(folder: Path, number: signal.Signals) -> None:
    process = start_pulse(folder)
    process.send_signal(number)
    assert process.wait(30) != 0
    assert states(folder) == ["locked", "unlocked", "locked"]


def test_a_kill_in_mid_pulse_leaves_the_line_and_safe_secures_it(folder: Path) -> None:
    process = start_pulse(folder)
    process.kill()
    process.wait(20)
    assert states(folder)[-1] == "unlocked"
    done = edged(folder, "safe")
    assert done.returncode == 0, done.stderr
    assert states(folder)[-1] == "locked"


def test_safe_leaves_a_line_that_has_an_owner_alone(folder: Path) -> None:
    process = start_pulse(folder)
    try:
        done = edged(folder, "safe")
        assert done.returncode == 1
        assert "edged: fake lock" in done.stderr
        assert "in use by another owner" in done.stderr
        assert states(folder)[-1] == "unlocked"
    finally:
        process.terminate()
        process.wait(20)


def test_a_board_without_the_line_is_one_line_of_error(folder: Path) -> None:
    configure(
        folder, lock="{driver: gpiod, chip: no-such-chip, line: GPIO17, active: high, power: fail_secure}"
    )
    done = edged(folder, "safe")
    assert done.returncode == 1
    assert done.stderr.startswith("edged: GPIO chip 'no-such-chip': expected a label")
    assert len(done.stderr.splitlines()) == 1


def test_a_lock_whose_wiring_is_not_stated_is_a_bad_configuration(folder: Path) -> None:
    configure(folder, lock="{driver: gpiod, chip: pinctrl-rp1, line: GPIO17}")
    done = edged(folder, "safe")
    assert done.returncode == 78
    assert "edged: door.lock.active: missing" in done.stderr
    assert "edged: door.lock.power: missing" in done.stderr


WIRED = "{driver: gpiod, chip: 'folder:%s', line: 17, active: high, power: fail_secure}"


def line_is(folder: Path, *, released: bool) -> bool:
    line = folder / "chip/line-17"
    return line.exists() and line.read_bytes()[:1] == (b"1" if released else b"0")


def wired_pulse(folder: Path) -> subprocess.Popen[str]:
    """Start a pulse of 30 s of a line that stays where its owner leaves it; wait until it is released."""
    configure(folder, lock=WIRED % (folder / "chip"), seconds=30)
    process = subprocess.Popen(
        command(folder, "test", "--yes", "--json"), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        text=True, env=environment(), preexec_fn=heed_interrupts, process_group=0,  # noqa: PLW1509 - as above
    )  # fmt: skip
    until(lambda: line_is(folder, released=True) or process.poll() is not None)
    assert process.poll() is None
    return process


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGQUIT, signal.SIGKILL, signal.SIGTSTP])
def test_a_pulse_of_a_wired_door_ends_whatever_happens_to_the_command(
    folder: Path, number: signal.Signals
) -> None:
    with wired_pulse(folder) as process:
        os.killpg(process.pid, number)  # as a terminal does, to all of its programs at once
        until(lambda: line_is(folder, released=False))
        process.kill()


def test_a_pulse_of_a_wired_door_is_on_record(folder: Path) -> None:
    configure(folder, lock=WIRED % (folder / "chip"))
    done = edged(folder, "test", "--yes", "--json")
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["state"] for line in lines] == ["claimed", "unlocked", "locked", "secure"]
    assert "line 17" in lines[0]["lock"]
    assert "door kept" not in done.stderr  # who looks at a terminal has the lines above
    told = [json.loads(line)["body"] for line in events_of(folder)]
    assert [(body["type"], body["cause"]) for body in told] == [("unlocked", "test"), ("locked", "test")]
    assert told[0]["access_event_id"] == told[1]["access_event_id"]


def test_a_door_that_a_fire_has_opened_is_not_tried(folder: Path) -> None:
    configure(folder, lock=WIRED % (folder / "chip"))
    (folder / "var/door").mkdir(parents=True)
    (folder / "var/door/emergency").write_text("1\n")
    done = edged(folder, "test", "--yes")
    assert (done.returncode, "edged door reset" in done.stderr) == (1, True)
    assert not (folder / "chip").exists()
