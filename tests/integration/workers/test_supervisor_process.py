import os
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

DAEMON = Path(__file__).with_name("toy_daemon.py")
ROOT = Path(__file__).parents[3]
# socket(7) and asm-generic/socket.h; Python has no name for it.
_SO_TIMESTAMPNS = 35
_STAMP = struct.Struct("@ll")  # struct timespec


@dataclass
class Daemon:
    """The toy daemon under a service manager that this test plays."""

    process: "subprocess.Popen[str]"
    manager: socket.socket
    trace: Path

    def messages(self, until: str) -> list[str]:
        """Read messages up to and with the first that holds ``until``."""
        seen: list[str] = []
        while not seen or until not in seen[-1]:
            seen.append(self.manager.recv(4096).decode())
        return seen

    def times(self, until: str) -> list[float]:
        """Read messages up to and with the first that holds ``until``; return when each was sent.

        By the kernel, in Unix seconds: whoever reads them late finds several at once.
        """
        times, message = [], ""
        while until not in message:
            content, [(_, _, stamp)], _, _ = self.manager.recvmsg(4096, socket.CMSG_SPACE(_STAMP.size))
            seconds, nanoseconds = _STAMP.unpack(stamp)
            times.append(seconds + nanoseconds / 1e9)
            message = content.decode()
        return times

    def waiting_messages(self) -> list[str]:
        """Read what has been sent and not yet read."""
        self.manager.setblocking(False)
        seen: list[str] = []
        while True:
            try:
                seen.append(self.manager.recv(4096).decode())
            except BlockingIOError:
                return seen

    def end(self) -> tuple[int, str, list[str]]:
        """Wait for the end; return exit status, standard error and the trace."""
        _, stderr = self.process.communicate(timeout=60)
        return self.process.returncode, stderr, self.trace.read_text().split()


@pytest.fixture
def daemon(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Daemon]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(60)
        environ = {
            **os.environ,
            "NOTIFY_SOCKET": str(tmp_path / "notify"),
            "WATCHDOG_USEC": "3000000",
            "PYTHONPATH": str(ROOT),
        }
        environ.pop("WATCHDOG_PID", None)
        process = subprocess.Popen(
            [sys.executable, str(DAEMON), request.param, str(tmp_path / "trace")],
            env=environ, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        try:
            yield Daemon(process, manager, tmp_path / "trace")
        finally:
            if process.poll() is None:
                process.kill()
            process.communicate()


@pytest.mark.parametrize("daemon", ["steady"], indirect=True)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_is_announced_and_ends_with_status_0(daemon: Daemon, number: signal.Signals) -> None:
    first, *_ = daemon.messages("WATCHDOG=1")
    assert first == f"READY=1\nSTATUS=toys of {daemon.process.pid}"
    daemon.process.send_signal(number)
    assert daemon.messages("STOPPING=1")[-1] == "STOPPING=1\nSTATUS=stopping"
    code, _, trace = daemon.end()
    assert (code, trace) == (0, ["secured", "closed"])


@pytest.mark.parametrize("daemon", ["steady"], indirect=True)
def test_sighup_reloads_between_two_messages(daemon: Daemon) -> None:
    daemon.messages("WATCHDOG=1")
    daemon.process.send_signal(signal.SIGHUP)
    assert "MONOTONIC_USEC=" in daemon.messages("RELOADING=1")[-1]
    daemon.messages("READY=1")
    daemon.process.send_signal(signal.SIGTERM)
    assert daemon.end()[2] == ["reloaded", "secured", "closed"]


@pytest.mark.parametrize("daemon", ["steady"], indirect=True)
def test_sigusr1_writes_the_stacks_of_all_threads(daemon: Daemon) -> None:
    daemon.messages("WATCHDOG=1")
    daemon.process.send_signal(signal.SIGUSR1)
    daemon.messages("WATCHDOG=1")
    daemon.process.send_signal(signal.SIGTERM)
    code, stderr, _ = daemon.end()
    assert code == 0
    assert stderr.count("Thread 0x") >= 2


@pytest.mark.parametrize("daemon", ["crash", "return"], indirect=True)
def test_a_worker_that_fails_ends_the_daemon_with_status_1(daemon: Daemon) -> None:
    code, stderr, trace = daemon.end()
    assert (code, trace) == (1, ["secured", "closed"])
    assert "worker failed name=odd" in stderr


@pytest.mark.parametrize("daemon", ["hang"], indirect=True)
def test_a_hung_worker_starves_the_watchdog_and_ends_the_daemon(daemon: Daemon) -> None:
    received_at = daemon.times(until="STOPPING=1")
    assert len(received_at) > 3
    assert received_at[-1] - received_at[-2] > 0.3  # no ping between the last fresh beat and the end
    code, stderr, trace = daemon.end()
    assert (code, trace) == (1, ["secured", "closed"])
    assert "watchdog withheld silent=odd" in stderr
    assert "worker hangs name=odd" in stderr


@pytest.mark.parametrize("daemon", ["steady"], indirect=True)
def test_workers_are_not_blamed_while_the_whole_process_slept(daemon: Daemon) -> None:
    daemon.messages("WATCHDOG=1")
    daemon.process.send_signal(signal.SIGSTOP)
    time.sleep(2.5)  # longer than a worker may hang
    daemon.waiting_messages()
    daemon.process.send_signal(signal.SIGCONT)
    daemon.manager.settimeout(60)
    daemon.messages("WATCHDOG=1")
    daemon.process.send_signal(signal.SIGTERM)
    assert daemon.end()[0] == 0


@pytest.mark.parametrize("daemon", ["deaf"], indirect=True)
def test_a_thread_that_never_ends_does_not_keep_the_process(daemon: Daemon) -> None:
    code, stderr, trace = daemon.end()
    assert (code, trace) == (1, ["secured", "closed"])
    assert "thread left behind name=edged-odd" in stderr


@pytest.mark.parametrize("daemon", ["hard"], indirect=True)
def test_clean_up_that_never_ends_is_cut_with_all_stacks(daemon: Daemon) -> None:
    code, stderr, trace = daemon.end()  # which waits for as long as the clean-up that never ends
    assert (code, trace) == (1, ["secured", "closed"])
    assert "Timeout (0:00:03.500000)!" in stderr
    assert "in close" in stderr
