"""``edged door reset`` at a door without a socket: who keeps it is asked, and else it happens here."""

import errno
import fcntl
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from edged.doorway import reset
from edged.doorway.latch import in_emergency
from edged.errors import LockError
from tests.fakes.desk import FIRE, LOCK, Desk
from tests.fakes.doorway import environment, until


def test_the_door_process_is_asked_for_a_reset_with_and_without_its_daemon(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    daemon = desk.daemon()
    desk.fire()
    desk.level(FIRE, high=False)
    time.sleep(0.2)
    desk.reset()
    assert not desk.released
    assert not desk.tenant.emergency
    desk.fire()
    daemon.kill()
    until(lambda: desk.tenant.deserted)
    with monkeypatch.context() as hasty:
        hasty.setattr(reset, "_GRACE_SECONDS", 0.3)
        with pytest.raises(LockError, match="the fire input is active"):
            desk.reset()
    assert desk.released
    desk.level(FIRE, high=False)
    time.sleep(0.2)
    desk.reset()
    until(desk.gone)
    assert not desk.released
    assert not in_emergency(desk.state)


def edged(desk: Desk, word: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "edged", "door", word, "--json", "--config", "config.yaml"], text=True,
        cwd=desk.folder, env=environment(), capture_output=True, timeout=60, check=False,
    )  # fmt: skip


@pytest.fixture
def latched(desk: Desk) -> Desk:
    """A door that a fire has opened; its door process was stopped."""
    desk.latch()
    return desk


def test_a_latch_that_nobody_keeps_is_cleared_once_the_fire_input_is_quiet(latched: Desk) -> None:
    latched.level(FIRE, high=True)
    with pytest.raises(LockError, match="not reset: the fire input is active"):
        latched.reset()
    assert in_emergency(latched.state)
    latched.level(FIRE, high=False)
    done = edged(latched, "reset")
    assert (done.returncode, done.stdout) == (0, '{"state": "reset"}\n'), done.stderr
    assert not in_emergency(latched.state)
    assert not latched.released
    assert '"what":"emergency_over"' in (latched.state / "events").read_text()


def test_a_fire_input_that_cannot_be_read_resets_nothing(
    latched: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reset, "_GRACE_SECONDS", 0.1)
    (latched.folder / f"chip/line-{FIRE}").write_bytes(b"!")
    with pytest.raises(LockError, match="cannot be read"):
        latched.reset()
    assert in_emergency(latched.state)


@pytest.mark.parametrize("line", [LOCK, FIRE])
def test_a_line_that_somebody_has_resets_nothing(latched: Desk, line: int) -> None:
    latched.level(line, high=False)
    with (latched.folder / f"chip/line-{line}").open("r+") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(LockError, match=r"not reset: .*(in use|busy)"):
            latched.reset()
    assert in_emergency(latched.state)


def test_a_reset_that_the_disk_does_not_take_is_none(latched: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "unlink", fails)
    with pytest.raises(LockError, match="its disk does not keep that"):
        latched.reset()
    assert in_emergency(latched.state)


def fails(*_: Any, **__: Any) -> None:
    raise OSError(errno.EIO, os.strerror(errno.EIO))


def test_a_door_without_an_emergency_has_nothing_to_reset(desk: Desk) -> None:
    desk.reset()
    assert not (desk.folder / f"chip/line-{LOCK}").exists()  # nothing was claimed


def test_the_line_that_a_fire_has_opened_is_not_secured_by_hand_either(latched: Desk) -> None:
    latched.level(LOCK, high=True)
    done = edged(latched, "safe")
    assert (done.returncode, "until edged door reset" in done.stderr) == (1, True)
    assert latched.released
    path = latched.folder / "config.yaml"
    path.write_text(path.read_text() + "nonsense: 1\n")  # a mistake elsewhere must not leave a door open
    assert edged(latched, "safe").returncode == 0
    assert not latched.released
