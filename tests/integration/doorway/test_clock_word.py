"""A service that may not ask the kernel whether its clock is right, with a real filter of system calls."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from edged.devices import clock as module
from edged.devices import timekeeping
from edged.devices.clock import Clock
from edged.doorway.messages import Happened
from tests.fakes.doorway import EXIT, DoorProcess, environment, until
from tests.fakes.without_adjtimex import CANNOT, PROGRAM
from tests.integration.workers.test_door_link import site_of

ASKED = """
import time
from edged.devices import timekeeping
from edged.devices.clock import Clock
clock = Clock()
told = [timekeeping.by_kernel(), clock.door_time() is not None]
clock.not_before(time.time() - 60, time.time() - 60)
told += [clock.door_time() is not None]
clock.ask(lambda: True)
print(*told, clock.word(), clock.synced())
"""


@pytest.fixture
def filtered() -> str:
    """The program that runs another one in such a service."""
    if subprocess.run([sys.executable, PROGRAM, "-c", ""], check=False).returncode == CANNOT:
        pytest.skip("the kernel takes no filter of system calls here")
    return PROGRAM


def test_who_may_not_ask_knows_nothing_and_believes_the_door(filtered: str) -> None:
    done = subprocess.run(
        [sys.executable, filtered, "-c", ASKED], capture_output=True, text=True, check=True, env=environment()
    )
    # A clock that is not evidently wrong keeps nobody outside.
    assert done.stdout.split() == ["None", "True", "True", "True", "True"]


def test_a_door_process_that_may_not_ask_does_not_say_that_the_clock_is_wrong(
    filtered: str, tmp_path: Path
) -> None:
    door = DoorProcess(tmp_path)
    door.program = [filtered, *door.program]
    with door, door.reader() as reader:
        assert reader.status is not None
        assert reader.status.time_synced is timekeeping.by_timesyncd()
        door.press(EXIT)
        reader.wait(lambda: "unlocked" in reader.events)
        assert not any(event.time_synced for event in reader.of(Happened)) or timekeeping.by_timesyncd()


def test_a_daemon_that_may_not_ask_has_the_word_of_its_door_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = timekeeping.by_kernel()
    if asked is None:
        pytest.skip("nobody may ask here")
    monkeypatch.setattr(timekeeping, "by_kernel", lambda: None)
    monkeypatch.setattr(timekeeping, "by_timesyncd", lambda: None)
    clock = Clock()
    with DoorProcess(tmp_path) as door:
        site = site_of(tmp_path, shared=True)
        try:
            clock.ask(site.link.time_synced)
            until(lambda: site.link.time_synced() is not None)
            assert clock.word() is asked
            door.end()
            until(lambda: site.link.time_synced() is None)
            # A door process that is started again is not a clock that was lost and found.
            assert clock.word() is asked
            now = time.monotonic() + module._TOLD_SECONDS
            monkeypatch.setattr(Clock, "monotonic", lambda _self: now)
            assert clock.word() is None
        finally:
            site.close()
