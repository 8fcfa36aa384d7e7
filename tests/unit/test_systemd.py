import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from edged import systemd


@pytest.fixture(params=["path", "abstract"])
def listener(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[socket.socket, str]]:
    """A datagram socket such as the service manager's, and its name in NOTIFY_SOCKET."""
    name = str(tmp_path / "notify") if request.param == "path" else f"@edged-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(name.replace("@", "\0", 1))
        receiver.settimeout(30)
        yield receiver, name


def test_lines_arrive_in_one_message(listener: tuple[socket.socket, str]) -> None:
    receiver, name = listener
    assert systemd.notify("READY=1", "STATUS=all is well", environ={"NOTIFY_SOCKET": name})
    assert receiver.recv(4096) == b"READY=1\nSTATUS=all is well"


def test_reloading_carries_the_monotonic_clock(
    listener: tuple[socket.socket, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    receiver, name = listener
    monkeypatch.setenv("NOTIFY_SOCKET", name)
    assert systemd.reloading()
    first, second = receiver.recv(4096).decode().split("\n")
    assert first == "RELOADING=1"
    assert second.removeprefix("MONOTONIC_USEC=").isdecimal()


@pytest.mark.parametrize(
    "name", ["", "relative/path", "/nowhere/at/all", "@edged-nobody-listens", "/" + "x" * 200]
)
def test_off_systemd_nothing_happens(name: str) -> None:
    assert not systemd.notify("READY=1", environ={"NOTIFY_SOCKET": name})
    assert not systemd.notify("READY=1", environ={})


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "15000000"}, 15.0),
        ({"WATCHDOG_USEC": "15000000", "WATCHDOG_PID": "42"}, 15.0),
        ({"WATCHDOG_USEC": "15000000", "WATCHDOG_PID": "41"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({"WATCHDOG_USEC": "-5"}, None),
    ],
)
def test_watchdog_seconds(environ: dict[str, str], expected: float | None) -> None:
    assert systemd.watchdog_seconds(environ, pid=42) == expected
