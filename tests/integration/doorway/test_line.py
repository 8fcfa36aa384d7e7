"""The lock line of a door process, whatever becomes of it and of its reader."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from msgspec import UNSET

from edged.doorway.channel import Channel, connect
from edged.doorway.messages import (
    MAX_BYTES,
    Answer,
    Beat,
    Former,
    FromDoor,
    Happened,
    Hello,
    Secure,
    Status,
    TurnedAway,
    Unlock,
    Welcome,
    encode,
    from_door,
)
from edged.doorway.visitor import visit
from edged.errors import DoorwayError
from tests.fakes.doorway import AS_SHIPPED, DoorProcess, Reader, environment, raw, until

PULSE = 29.0  # of thirty seconds: what ended earlier was ended
READER = """
import sys, time
from pathlib import Path
from tests.fakes.doorway import Reader
reader = Reader(Path(sys.argv[1]), "t.front")
reader.ask("R1")
reader.wait(lambda: "unlocked" in reader.events)
print("unlocked", flush=True)
reader.rest(60)
"""


def reader_process(door: DoorProcess) -> "subprocess.Popen[str]":
    """A reader as a process of its own, its grant in force."""
    process = subprocess.Popen(
        [sys.executable, "-c", READER, str(door.socket)], stdout=subprocess.PIPE, text=True,
        cwd=Path(__file__).parents[3], env=environment(),
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == "unlocked\n"
    return process


def end(process: "subprocess.Popen[str]") -> None:
    process.kill()
    process.communicate(timeout=30)


def test_a_grant_releases_the_line_until_its_deadline(door: DoorProcess) -> None:
    with door.reader() as reader:
        reader.ask("R1")
        reader.wait(lambda: "locked" in reader.events)
    (_, first), (unlocked_at, second), (locked_at, third) = door.timeline
    assert (first, second, third) == (False, True, False)
    # The pulse runs from before the release is noted, which a busy machine does late: it did not end at once.
    assert locked_at - unlocked_at >= 0.2
    unlocked, locked = reader.of(Happened)[:2]
    assert (unlocked.request, locked.request, unlocked.cause) == ("R1", "R1", "face")


def test_a_reader_killed_in_mid_pulse_takes_its_grant_along(long_door: DoorProcess) -> None:
    process = reader_process(long_door)
    time.sleep(0.1)
    end(process)
    until(lambda: not long_door.released)
    assert long_door.timeline[-1][0] - long_door.timeline[-2][0] < PULSE
    with long_door.reader() as again:
        again.wait(lambda: "locked" in again.events)
    # The reader had acknowledged the unlocking; what it could not hear any more is told to its successor.
    assert [(event.what, event.reason) for event in again.of(Happened)] == [("locked", "reader_gone")]


def test_the_end_of_a_connection_ends_its_grant_without_any_silence(long_door: DoorProcess) -> None:
    door = long_door
    with door.reader() as reader:
        reader.ask()
        reader.wait(lambda: "unlocked" in reader.events)
        # It goes on hearing, so that no word of the door fails either: what is left is the end itself.
        reader.channel._socket.shutdown(socket.SHUT_WR)
        until(lambda: not door.released)
        assert door.timeline[-1][0] - door.timeline[-2][0] < PULSE
        assert "reader gone name=t.front why=the other end is gone" in door.log


def test_a_reader_that_is_stopped_does_not_hold_the_door(tmp_path: Path) -> None:
    door = DoorProcess(tmp_path, unlock_seconds=30)
    door.program = AS_SHIPPED
    with door:
        process = reader_process(door)
        process.send_signal(signal.SIGSTOP)
        until(lambda: not door.released)
        end(process)
    assert door.timeline[-1][0] - door.timeline[-2][0] < PULSE
    assert "why=silent" in door.log


@pytest.mark.parametrize(
    "packet",
    [
        b"{}", b"\xff\xfe", b'{"type":"beat","v":2}', b'{"type":"unlock","v":1}', b"x" * MAX_BYTES,
        b'{"type":"open sesame"}', b"[" * 4000,
    ],
)  # fmt: skip
def test_a_message_that_is_none_ends_the_connection_and_the_grant(
    long_door: DoorProcess, packet: bytes
) -> None:
    with long_door.reader() as reader:
        reader.ask()
        reader.wait(lambda: "unlocked" in reader.events)
        reader.channel._socket.send(packet)
        until(reader.ended)
    until(lambda: not long_door.released)
    assert long_door.timeline[-1][0] - long_door.timeline[-2][0] < PULSE


def test_who_does_not_say_hello_is_not_heard(door: DoorProcess) -> None:
    with raw(door.socket) as stranger:
        stranger.send(encode(Secure()))
        assert stranger.recv(100) == b""
    assert [released for _, released in door.timeline] == [False]


def test_a_name_is_said_once(long_door: DoorProcess) -> None:
    with long_door.reader("t.in") as reader:
        reader.ask()
        reader.wait(lambda: "unlocked" in reader.events)
        reader.say(Hello(reader="t.out"))
        until(reader.ended)
    until(lambda: not long_door.released)
    assert long_door.timeline[-1][0] - long_door.timeline[-2][0] < PULSE


def test_a_second_reader_of_a_name_is_turned_away_while_the_first_one_lives(long_door: DoorProcess) -> None:
    with long_door.reader() as first:
        first.ask()
        first.wait(lambda: "unlocked" in first.events)
        second = Channel(connect(long_door.socket))
        second.send(Hello(reader="t.front"))
        (told,) = first.wait(lambda: said_to(second))
        assert isinstance(told, TurnedAway)
        assert "another reader of this name is connected: t.front" in told.reason
        assert f"process {os.getpid()}" in told.reason
        second.send(Unlock(request="R2", cause="face", granted_at=time.monotonic()))
        first.wait(lambda: ended(second))
        first.rest(0.1)
        assert long_door.released  # the first one's grant, and nobody else's
        assert first.of(Happened)[-1].request == "R1"
        assert "name=t.front" in long_door.log
    second.close()
    with long_door.reader() as third:  # the first one is gone
        third.ask("R3")
        third.wait(lambda: "R3" in [event.request for event in third.of(Happened)])


def test_what_happened_under_a_former_name_is_for_the_reader_that_had_it(door: DoorProcess) -> None:
    with door.reader(takes=False) as reader:
        reader.ask()
        reader.wait(lambda: "locked" in reader.events)
    with door.reader("t.other") as other:  # whose it is not, and whose doctor says so
        other.wait(lambda: other.of(Status)[-1].absent == ("t.front",))
        assert other.of(Happened) == []
        assert "events wait for readers that are not connected names=t.front" in door.log
    with door.reader("t.gate", Former(name="t.front", until=0)) as before:  # had the name long before
        before.wait(lambda: before.of(Status)[-1].absent == ("t.front",))
        assert before.of(Happened) == []
    with door.reader("t.back", Former(name="t.front", until=time.time())) as renamed:
        renamed.wait(lambda: renamed.events[-1:] == ["locked"])
        assert {event.reader for event in renamed.of(Happened)} == {"t.front"}
        renamed.wait(lambda: renamed.of(Status)[-1].absent is UNSET)
        until(lambda: door.on_disk("locked") == 0)


def said_to(channel: Channel) -> list[FromDoor]:
    packet = channel.receive()
    return [] if packet is None else [from_door(packet)]


def ended(channel: Channel) -> bool:
    try:
        said_to(channel)
    except DoorwayError:
        return True
    return False


def test_a_reader_that_starts_anew_is_taken_in_though_its_last_words_are_unheard(door: DoorProcess) -> None:
    assert door.process is not None
    gone = door.reader()
    door.process.send_signal(signal.SIGSTOP)
    for _ in range(100):
        gone.say(Beat())
    gone.close()
    again = Channel(connect(door.socket))
    again.send(Hello(reader="t.front"))
    door.process.send_signal(signal.SIGCONT)
    (told,) = until(lambda: said_to(again))
    again.close()
    assert isinstance(told, Welcome)


def test_visitors_stand_beside_each_other(door: DoorProcess) -> None:
    with visit(door.socket) as first, visit(door.socket) as second:
        first.pulse(0.4, lambda _state: None)
        assert second.status.condition == "locked"
        second.pulse(0.4, lambda _state: None)


def first_packet(end: socket.socket) -> bytes:
    """What is said first; nothing where the end comes instead."""
    try:
        return end.recv(MAX_BYTES)
    except ConnectionResetError:
        return b""


@contextmanager
def acting_as(uid: int) -> Iterator[None]:
    """Be somebody else: who connects is written down by the kernel at that moment."""
    own = os.geteuid()
    os.seteuid(uid)
    try:
        yield
    finally:
        os.seteuid(own)


@pytest.mark.skipif(os.geteuid() != 0, reason="to be somebody else takes root")
@pytest.mark.parametrize("uid", [65534, 0])
def test_who_may_speak_is_decided_by_the_kernels_word(uid: int) -> None:
    # A folder that anybody may pass: only the user id stands between a stranger and the door.
    # The guard of a door that was killed may write its last word while the folder is cleared.
    folder = tempfile.TemporaryDirectory(dir="/tmp", ignore_cleanup_errors=True)
    with folder as name, DoorProcess(Path(name)) as door:
        Path(name).chmod(0o711)
        with acting_as(uid):
            end = raw(door.socket)
        with end:
            with suppress(OSError):  # thrown out, it may be so before it has spoken
                end.send(encode(Hello(reader="t.front")))
                end.send(encode(Unlock(request="R1", cause="face", granted_at=time.monotonic())))
            said = first_packet(end)
            if uid == 0:
                until(lambda: door.released)
        assert (said == b"") is (uid != 0), said
        assert (f"connection refused uid={uid} pid={os.getpid()}" in door.log) is (uid != 0)
        assert [released for _, released in door.timeline][:2] == ([False] if uid else [False, True])


def test_a_reader_may_end_its_own_grant_and_no_others(long_door: DoorProcess) -> None:
    with long_door.reader("t.in") as first, long_door.reader("t.out") as second:
        first.ask("A")
        first.wait(lambda: "unlocked" in first.events)
        second.say(Secure())
        second.rest(0.1)
        assert long_door.released
        first.say(Secure())
        first.wait(lambda: "locked" in first.events)
    assert not long_door.released


@pytest.mark.parametrize("age", [15.0, -1.0])
def test_a_grant_of_the_wrong_age_is_refused(door: DoorProcess, age: float) -> None:
    with door.reader() as reader:
        reader.ask("old", age=age)
        (answer,) = reader.wait(lambda: reader.of(Answer))
    assert (answer.request, answer.result, answer.reason) == ("old", "refused", "stale")
    assert [released for _, released in door.timeline] == [False]


def test_a_flood_of_requests_is_refused_and_raises_one_alarm(tmp_path: Path) -> None:
    with DoorProcess(tmp_path, unlock_seconds=0.1) as door, door.reader() as reader:
        for number in range(500):
            if number % 10 == 0:
                reader.hear()
            until(lambda number=number: _asked(reader, f"R{number}"))
        reader.wait(lambda: len(reader.of(Answer)) + reader.events.count("unlocked") == 500)
        reader.wait(lambda: "request_flood" in reader.events)
        reader.wait(lambda: not door.released)
        assert reader.events.count("request_flood") == 1
    # Twenty in ten seconds, which is all of the test unless the machine is busy.
    periods = [at for at, released in door.timeline if released]
    granted = [event.at for event in reader.of(Happened) if event.what == "unlocked"]
    for times in (periods, granted):
        assert times
        assert all(later - at > 9 for at, later in zip(times, times[20:], strict=False))


def _asked(reader: Reader, request: str) -> bool:
    """Ask, unless the door process is so far behind that the socket is full."""
    try:
        reader.ask(request)
    except DoorwayError:
        reader.hear()
        return False
    return True


def test_the_share_of_time_unlocked_is_capped(tmp_path: Path) -> None:
    with DoorProcess(tmp_path, door="  max_unlocked_share: 0.005\n") as door, door.reader() as reader:
        reader.ask("A")  # 0.4 s of the 0.6 s that two minutes allow
        reader.wait(lambda: "locked" in reader.events)
        reader.rest(0.3)
        reader.ask("B")
        (answer,) = reader.wait(lambda: reader.of(Answer))
    assert (answer.request, answer.reason) == ("B", "unlocked_too_much")


def test_sigterm_in_mid_pulse_secures_the_line(long_door: DoorProcess) -> None:
    with long_door.reader() as reader:
        reader.ask()
        reader.wait(lambda: "unlocked" in reader.events)
        assert long_door.end() == 0
    assert not long_door.released
    assert long_door.timeline[-1][0] - long_door.timeline[1][0] < PULSE


def test_starting_and_ending_never_shows_another_level(tmp_path: Path) -> None:
    door = DoorProcess(tmp_path)
    for how in (signal.SIGTERM, signal.SIGKILL, signal.SIGINT) * 2:
        door.start()
        door.end(how)
    assert {released for _, released in door.timeline} == {False}
    assert len(door.timeline) >= 6


def test_the_line_has_one_door_process(door: DoorProcess) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "edged.doorway", "--config", str(door.folder / "config.yaml")],
        capture_output=True, text=True, timeout=60, check=False, env=environment(),
    )  # fmt: skip
    assert done.returncode == 1
    assert "in use" in done.stderr
    with door.reader() as reader:  # the first one still is who is found at the socket
        reader.ask()
        reader.wait(lambda: "locked" in reader.events)


def test_it_is_lean(door: DoorProcess) -> None:
    assert door.process is not None
    status = Path(f"/proc/{door.process.pid}/status").read_text()
    rss_kb = int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1])
    assert rss_kb < 25 * 1024
    parts = "edged.doorway.main, edged.devices.lock_gpiod"
    loaded = subprocess.run(
        [sys.executable, "-c", f"import sys, {parts}; print(*sys.modules)"],
        capture_output=True, text=True, check=True, env=environment(),
    )  # fmt: skip
    modules = set(loaded.stdout.split())
    heavy = (
        "numpy",
        "cv2",
        "onnxruntime",
        "paho",
        "ssl",
        "http",
        "typer",
        "rich",
        "sqlite3",
        "prometheus_client",
    )
    assert modules.isdisjoint(heavy)
    mapped = Path(f"/proc/{door.process.pid}/maps").read_text()  # what the running process itself has loaded
    assert not [name for name in ("numpy", "cv2", "onnxruntime", "libssl", "libcrypto") if name in mapped]
