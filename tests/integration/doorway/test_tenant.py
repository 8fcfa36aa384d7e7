"""Who keeps the door of a folder is the kernel's word on a process that lives, and on no other."""

import errno
import fcntl
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edged.doorway import tenant as module
from edged.doorway.tenant import Tenancy, Tenant, send, succeed, tenant_of
from edged.errors import DoorwayError
from tests.fakes.doorway import environment, until

KEEPER = """
import sys, time
from pathlib import Path
from edged.doorway.tenant import Tenancy
tenancy = Tenancy()
tenancy.take(Path("."))
tenancy.tell(emergency=True, deserted=sys.argv[1] == "deserted")
Path("ready").touch()
time.sleep(60)
"""


class Keeper:
    """A process that keeps the door of ``folder``, by its own word."""

    def __init__(self, folder: Path, how: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", KEEPER, how], cwd=folder, env=environment(), text=True
        )
        until((folder / "ready").exists)


@pytest.fixture(params=["deserted", "with its daemon"])
def keeper(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator["subprocess.Popen[str]"]:
    with Keeper(tmp_path, request.param).process as process:
        yield process
        process.kill()


@pytest.fixture
def deserted(tmp_path: Path) -> Iterator["subprocess.Popen[str]"]:
    with Keeper(tmp_path, "deserted").process as process:
        yield process
        process.kill()


def test_it_is_named_for_as_long_as_it_lives_and_ended_only_where_its_daemon_has_left_it(
    tmp_path: Path,
    keeper: "subprocess.Popen[str]",
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> None:
    monkeypatch.setattr(module, "_END_SECONDS", 0.2 if "with" in request.node.name else 60)
    left = "deserted" in request.node.name
    assert tenant_of(tmp_path) == Tenant(keeper.pid, emergency=True, deserted=left)
    succeed(tmp_path)
    if left:
        assert keeper.wait(60) == -signal.SIGTERM
        assert tenant_of(tmp_path) is None
    else:
        assert keeper.poll() is None
        assert tenant_of(tmp_path) == Tenant(keeper.pid, emergency=True, deserted=False)


def test_one_that_stands_still_is_killed(
    tmp_path: Path, deserted: "subprocess.Popen[str]", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_END_SECONDS", 0.1)
    monkeypatch.setattr(module, "_KILLED_SECONDS", 60)
    deserted.send_signal(signal.SIGSTOP)
    stat = Path(f"/proc/{deserted.pid}/stat")
    until(lambda: stat.read_text().rpartition(")")[2].split()[0] == "T")
    succeed(tmp_path)
    assert deserted.wait(60) == -signal.SIGKILL


def test_a_process_that_is_not_the_one_meant_gets_no_signal(tmp_path: Path) -> None:
    with subprocess.Popen(["/bin/sleep", "60"]) as other:
        send(tmp_path, Tenant(other.pid, emergency=True, deserted=True), signal.SIGKILL)
        assert other.poll() is None
        other.kill()


def test_nobody_is_named_where_nobody_keeps_it(tmp_path: Path) -> None:
    assert tenant_of(tmp_path / "nowhere") is None
    (tmp_path / "keeper").touch()
    assert tenant_of(tmp_path) is None
    send(tmp_path, Tenant(os.getpid(), emergency=True, deserted=True), signal.SIGKILL)


def test_a_folder_that_cannot_be_had_is_told_and_keeps_no_door_shut(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "keeper").mkdir()
    tenancy = Tenancy()
    tenancy.take(tmp_path)
    tenancy.tell(emergency=True, deserted=True)
    assert not tenancy.found
    tenancy.close()
    assert "cannot be found by others" in caplog.text
    caplog.clear()
    caplog.set_level(logging.WARNING)
    (tmp_path / "keeper").rmdir()
    (tmp_path / "keeper").symlink_to(tmp_path / "keeper")
    with pytest.raises(DoorwayError, match="cannot be told"):
        tenant_of(tmp_path)
    succeed(tmp_path)
    assert "let be" in caplog.text


def test_one_that_cannot_say_how_it_stands_is_not_found_until_it_can(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    tenancy = Tenancy()
    tenancy.take(tmp_path)
    assert tenancy.found
    with monkeypatch.context() as without:
        without.setattr(fcntl, "lockf", no_locks)
        tenancy.tell(emergency=True, deserted=False)
        assert not tenancy.found
    tenancy.tell(emergency=True, deserted=True)
    assert tenancy.found
    assert "stays open" in caplog.text
    tenancy.close()
    assert not tenancy.found


def test_one_whose_file_was_taken_away_is_found_again_once_it_matters(tmp_path: Path) -> None:
    tenancy = Tenancy()
    tenancy.take(tmp_path)
    (tmp_path / "keeper").unlink()
    tenancy.tell(emergency=True, deserted=False)
    assert tenancy.found
    assert (tmp_path / "keeper").exists()
    (tmp_path / "keeper").unlink()
    (tmp_path / "keeper").mkdir()
    tenancy.tell(emergency=True, deserted=True)
    assert not tenancy.found
    tenancy.close()


def no_locks(*_: Any) -> None:
    raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))
