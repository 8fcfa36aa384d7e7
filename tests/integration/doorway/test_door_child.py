"""A door process of the daemon's own speaks to no service manager, which would take it for the daemon."""

import logging
import os
import signal
import socket
from pathlib import Path

import pytest
from msgspec.structs import replace

from edged.config import load
from edged.errors import LockError
from edged.workers import door_child as module
from edged.workers.door_child import DoorChild, door_child, door_state
from tests.fakes.doorway import until

CONFIG = """
site: hq
door_id: front
camera: {{source: {{type: v4l2, device: /dev/video0}}}}
door: {{lock: {{driver: gpiod, chip: 'folder:{chip}', line: 17, active: low, power: fail_secure}}}}
"""


def test_it_is_not_ready_nor_alive_in_the_daemons_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "config.yaml").write_text(CONFIG.format(chip=tmp_path / "chip"))
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    monkeypatch.setenv("WATCHDOG_USEC", "600000")
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[3]))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(os.environ["NOTIFY_SOCKET"])
        manager.setblocking(False)
        child = DoorChild(load(tmp_path / "config.yaml", {}), tmp_path / "state")
        try:
            child.start()  # it has the line, and has said what it says once it has
        finally:
            child.close()
        with pytest.raises(BlockingIOError):
            manager.recv(4096)


def test_its_folder_belongs_to_the_journal(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(CONFIG.format(chip=tmp_path / "chip"))
    usual = load(tmp_path / "config.yaml", {})
    names = ("journal.db", "front.db", "front.sqlite", "journal")
    found = [
        door_state(replace(usual, journal=replace(usual.journal, path=tmp_path / name))) for name in names
    ]
    assert found == [tmp_path / name for name in ("door", *(f"{name}.door" for name in names[1:]))]


def test_it_claims_the_line_while_nobody_waits_and_lets_go_of_it_when_nobody_comes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "config.yaml").write_text(CONFIG.format(chip=tmp_path / "chip"))
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[3]))
    line = tmp_path / "chip/line-17"
    child = door_child(load(tmp_path / "config.yaml", {}))
    assert child is not None
    try:
        child.begin()
        until(lambda: line.exists() and line.read_bytes()[:1] == b"1")  # active low: locked
        child.start()
        with child.connect() as first:
            assert first.recv(1, socket.MSG_PEEK)
        child.begin()
    finally:
        child.close()  # as where the rest of the daemon cannot be imported
    assert line.read_bytes()[:1] == b"1"


def test_a_child_that_ends_before_it_is_waited_for_is_no_door(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "config.yaml").write_text(CONFIG.format(chip=tmp_path / "chip"))
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[3]))
    child = door_child(load(tmp_path / "config.yaml", {}))
    assert child is not None
    try:
        child.begin()
        child.kill()
        with pytest.raises(LockError, match="did not claim the line"):
            child.start()
    finally:
        child.close()


SLOW = """
import sys, time
if "edged.doorway" in sys.orig_argv:
    open({begun!r}, "w").close()
    time.sleep(60)
"""


def slow_child(folder: Path, monkeypatch: pytest.MonkeyPatch) -> DoorChild:
    """A door process that has begun, and gets to its own code after a minute."""
    (folder / "config.yaml").write_text(CONFIG.format(chip=folder / "chip"))
    (folder / "slow").mkdir()
    (folder / "slow/sitecustomize.py").write_text(SLOW.format(begun=str(folder / "begun")))
    monkeypatch.setenv("PYTHONPATH", f"{folder / 'slow'}:{Path(__file__).parents[3]}")
    return DoorChild(load(folder / "config.yaml", {}), folder / "state")


def test_a_child_that_is_still_starting_is_ended_for_what_it_is_and_the_line_secured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "_END_SECONDS", 0.2)
    caplog.set_level(logging.WARNING, module.logger.name)
    child = slow_child(tmp_path, monkeypatch)
    child.begin()
    until((tmp_path / "begun").exists)
    process = child._process
    child.close()
    assert process is not None
    assert process.poll() == -signal.SIGKILL
    assert (tmp_path / "chip/line-17").read_bytes()[:1] == b"1"  # active low: locked
    assert "still starts" in caplog.text
    assert "hangs" not in caplog.text


def test_a_child_that_takes_too_long_is_told_apart_from_one_that_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_END_SECONDS", 0.2)
    monkeypatch.setattr(module, "_START_SECONDS", 0.2)
    child = slow_child(tmp_path, monkeypatch)
    try:
        with pytest.raises(LockError, match=r"not claimed the line within 0\.2 s"):
            child.start()
    finally:
        child.close()


def test_a_child_that_had_the_line_and_stands_still_hangs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "_END_SECONDS", 0.2)
    (tmp_path / "config.yaml").write_text(CONFIG.format(chip=tmp_path / "chip"))
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[3]))
    child = DoorChild(load(tmp_path / "config.yaml", {}), tmp_path / "state")
    child.begin()
    assert child._first is not None
    assert child._first.recv(1, socket.MSG_PEEK)  # nobody but this test has waited for it
    assert child._process is not None
    child._process.send_signal(signal.SIGSTOP)
    child.close()
    assert "door process hangs" in caplog.text
    assert (tmp_path / "chip/line-17").read_bytes()[:1] == b"1"


@pytest.mark.parametrize("door", ["{lock: {driver: fake}}", "{lock: {driver: fake}, socket: door.sock}"])
def test_a_fake_lock_and_a_service_of_its_own_have_no_child(tmp_path: Path, door: str) -> None:
    text = CONFIG.partition("door: ")[0].replace("{{", "{").replace("}}", "}")
    (tmp_path / "config.yaml").write_text(f"{text}door: {door}\n")
    assert door_child(load(tmp_path / "config.yaml", {})) is None


def test_the_line_of_a_child_that_was_killed_is_secured_unless_a_fire_has_opened_the_door(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "config.yaml").write_text(CONFIG.format(chip=tmp_path / "chip"))
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[3]))
    (tmp_path / "state").mkdir()
    latch, line = tmp_path / "state/emergency", tmp_path / "chip/line-17"
    latch.write_text("1\n")
    child = DoorChild(load(tmp_path / "config.yaml", {}), tmp_path / "state")
    try:
        child.start()
        until(lambda: line.read_bytes()[:1] == b"0")  # active low: released
        child.kill()
        child.close()
        assert line.read_bytes()[:1] == b"0"
        child.start()
        child.kill()
        latch.unlink()  # not before: it may just be writing this anew
    finally:
        child.close()
    assert line.read_bytes()[:1] == b"1"
