"""A fire's release at a door without a socket, whatever becomes of the daemon that started its process."""

import contextlib
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from edged.doorway.latch import in_emergency
from edged.doorway.tenant import tenant_of
from tests.fakes.desk import DAEMON, FIRE, RESET, Desk
from tests.fakes.doorway import DoorProcess, environment, until


def test_a_crash_of_the_daemon_does_not_shut_a_door_that_a_fire_has_opened(desk: Desk) -> None:
    orphan = desk.orphan()
    time.sleep(0.3)  # longer than a turn
    assert desk.released
    assert orphan.emergency
    desk.level(RESET, high=True)
    time.sleep(0.2)
    desk.level(FIRE, high=False)  # what was pressed while the fire input stood is no reset
    time.sleep(0.2)
    assert desk.released
    desk.level(RESET, high=False)
    time.sleep(0.2)
    desk.level(RESET, high=True)
    until(desk.gone)
    assert not desk.released
    assert not in_emergency(desk.state)


def test_a_release_that_nobody_would_find_ends_with_its_daemon(desk: Desk) -> None:
    (desk.state / "keeper").mkdir(parents=True)  # as a card that takes no writes: it cannot be locked
    daemon = desk.start()
    (number,) = Path(f"/proc/{daemon.pid}/task/{daemon.pid}/children").read_text().split()
    process = os.pidfd_open(int(number))
    try:
        desk.level(FIRE, high=True)
        until(lambda: desk.released and in_emergency(desk.state))
        time.sleep(0.2)
        assert desk.released  # for as long as its daemon lives
        daemon.kill()
        assert select.select([process], [], [], 60)[0]
    finally:
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(process, signal.SIGKILL)
        os.close(process)
    assert not desk.released
    assert "nobody would find this process" in (desk.folder / "log").read_text()
    desk.level(FIRE, high=False)
    time.sleep(0.1)
    desk.reset()  # nothing else has the line
    assert not in_emergency(desk.state)


def test_a_crash_of_the_daemon_shuts_every_other_door(desk: Desk) -> None:
    daemon = desk.daemon()
    daemon.kill()
    until(desk.gone)
    assert not desk.released


def test_the_next_start_takes_over_and_releases_again_and_a_stop_shuts_the_door(desk: Desk) -> None:
    orphan = desk.orphan()
    daemon = desk.daemon()
    until(lambda: desk.released)
    assert desk.tenant.pid != orphan.pid
    assert not desk.tenant.deserted
    desk.end(daemon)
    assert desk.gone()
    assert not desk.released
    assert in_emergency(desk.state)


def test_a_daemon_that_fails_leaves_the_release_alone(desk: Desk) -> None:
    daemon = desk.daemon()
    desk.fire()
    desk.end(daemon, "fail")
    assert desk.released
    assert desk.tenant.deserted


@pytest.mark.parametrize("latched", [True, False])
def test_a_start_that_fails_leaves_the_release_of_a_fire_and_nothing_else(desk: Desk, latched: bool) -> None:
    if latched:
        desk.latch()
    path = desk.folder / "config.yaml"
    path.write_text(path.read_text() + "models: {detector: absent}\n")
    with (desk.folder / "log").open("ab") as log:
        done = subprocess.run(
            [sys.executable, "-m", "edged", "run", "--config", "config.yaml"], cwd=desk.folder, stderr=log,
            env=environment(), timeout=60, check=False,
        )  # fmt: skip
    assert done.returncode not in (0, -signal.SIGKILL)
    left = tenant_of(desk.state)
    desk.keepers |= set() if left is None else {left.pid}
    assert (left is not None and left.deserted) is latched
    assert desk.released is latched


def test_a_latch_that_goes_while_the_line_is_claimed_leaves_a_secure_line(tmp_path: Path) -> None:
    door = DoorProcess(tmp_path)
    seen = "from edged.doorway import main as m; m.in_emergency = lambda _state: True"
    door.program = ["-c", f"import sys; {seen}; sys.exit(m.main())"]
    with door:
        assert [released for _, released in door.timeline] == [True, False]


def test_a_trial_does_not_shut_a_door_whose_fire_is_on_no_disk(desk: Desk) -> None:
    (desk.state / ".emergency.new").mkdir(parents=True)  # so that no latch can be written
    daemon = desk.daemon()
    desk.level(FIRE, high=True)
    until(lambda: desk.released and desk.tenant.emergency)
    daemon.kill()
    until(lambda: desk.tenant.deserted)
    orphan = desk.tenant
    assert not in_emergency(desk.state)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "edged", "door", "test", "--yes", "--config", "config.yaml"], text=True,
            cwd=desk.folder, env=environment(), capture_output=True, timeout=60, check=False,
        )  # fmt: skip
    finally:
        desk.keepers.add(desk.tenant.pid)  # of the trial, where that took over
    assert (done.returncode, "edged door reset" in done.stderr) == (1, True), done.stderr
    assert desk.released
    assert desk.tenant == orphan


def test_another_door_whose_journal_lies_in_the_same_folder_lets_a_release_be(desk: Desk) -> None:
    orphan = desk.orphan()
    text = (desk.folder / "config.yaml").read_text().partition("  inputs:")[0]
    text = text.replace("line: 17", "line: 27").replace("front", "back")
    (desk.folder / "back.yaml").write_text(text + "journal: {path: back.db}\n")
    done = subprocess.run(
        [sys.executable, "-c", DAEMON.replace("config.yaml", "back.yaml"), "began-back"], text=True,
        cwd=desk.folder, env=environment(), capture_output=True, input="stop\n", timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert (desk.folder / "chip/line-27").read_bytes()[:1] == b"0"
    assert (desk.folder / "back.db.door/keeper").exists()
    assert not in_emergency(desk.folder / "back.db.door")
    assert desk.tenant == orphan
    assert desk.released
