"""The second factor's socket: who may connect, and what hostile input does to it."""

import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from edged.devices.factor_keypad import FactorKeypad
from edged.devices.peers import PeerRule
from edged.devices.unix_socket import listen_at
from edged.domain.factor_desk import AnswerResult, FactorRequest
from edged.domain.second_factor import FactorCause, FactorKind, FactorOutcome, FactorSource
from edged.errors import DeviceError
from edged.fleet.factor_messages import (
    MAX_LINE_BYTES,
    AnswerGiven,
    Asked,
    Ended,
    Result,
    Watch,
    heard_from_door,
    line_of,
)
from edged.metrics import Metrics
from edged.workers.factor_socket import MAX_CONNECTIONS, FactorSocketWorker
from edged.workers.second_factor import FactorNews

NEWS = FactorNews(
    FactorRequest("r1", "p-ada", 1, FactorCause.LOOKALIKE, 100.0, 110.0), (FactorKind.PIN, FactorKind.BADGE)
)
ANSWER = AnswerGiven(request_id="r1", kind=FactorKind.PIN, secret="1234")
MINE = PeerRule(frozenset({os.geteuid()}))


class Clerk:
    """Awaits one request, whose PIN is 1234."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, FactorKind, str]] = []

    def pending(self) -> list[FactorNews]:
        return [NEWS]

    def answer(self, request_id: str, kind: FactorKind, text: str, source: FactorSource) -> AnswerResult:
        assert source is FactorSource.SOCKET
        self.heard.append((request_id, kind, text))
        if request_id != "r1":
            return AnswerResult.UNKNOWN
        return AnswerResult.CONFIRMED if text == "1234" else AnswerResult.WRONG


class Served:
    def __init__(self, path: Path, rule: PeerRule = MINE) -> None:
        self.path, self.clerk, self.metrics = path, Clerk(), Metrics(CollectorRegistry())
        self.worker = FactorSocketWorker(path, rule, self.clerk, self.metrics, lambda: 104.0)  # type: ignore[arg-type]
        self.worker.start()

    def rejected(self, cause: str) -> float:
        return self.metrics.factor_messages.labels(cause)._value.get()

    def stop(self) -> None:
        self.worker.stop()
        assert self.worker.join(30)
        assert self.worker.failure is None


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    served = Served(tmp_path / "run" / "sf.sock")
    yield served
    served.stop()
    assert not served.path.exists()


def _read_to_the_end(connection: socket.socket) -> None:
    """Return once the door has hung up; with unread input left the kernel calls that a reset."""
    try:
        while connection.recv(4096):
            pass
    except ConnectionResetError:
        pass


def heard(keypad: FactorKeypad) -> object:
    line = keypad.line(30)
    assert line is not None
    return heard_from_door(line)


def test_a_keypad_hears_of_requests_and_answers_them(served: Served) -> None:
    with FactorKeypad(served.path) as keypad:
        keypad.send(line_of(Watch()))
        assert heard(keypad) == Asked(
            request_id="r1",
            cause=FactorCause.LOOKALIKE,
            kinds=(FactorKind.PIN, FactorKind.BADGE),
            seconds=6.0,
        )
        for secret, result in (("9999", AnswerResult.WRONG), ("1234", AnswerResult.CONFIRMED)):
            keypad.send(line_of(AnswerGiven(request_id="r1", kind=FactorKind.PIN, secret=secret)))
            assert heard(keypad) == Result(request_id="r1", result=result)
        served.worker.tell(FactorNews(NEWS.request, NEWS.kinds, FactorOutcome.CONFIRMED))
        assert heard(keypad) == Ended(request_id="r1", outcome=FactorOutcome.CONFIRMED)
    assert b"p-ada" not in line_of(Watch())


@pytest.mark.parametrize(
    "sent",
    [
        b"\n",
        b"\xff\xfe\n",
        b"{}\n",
        b"[" * 900 + b"\n",
        b'{"v":2,"type":"watch"}\n',
        b'{"v":1,"type":"open_the_door"}\n',
        b'{"v":1,"type":"watch","more":1}\n',
        b'{"v":1,"type":"answer","request_id":"../r1","kind":"pin","secret":"1234"}\n',
        b'{"v":1,"type":"answer","request_id":"r1","kind":"face","secret":"1234"}\n',
        b'{"v":1,"type":"answer","request_id":"r1","kind":"pin","secret":1234}\n',
        b'{"v":1,"type":"answer","request_id":"r1","kind":"pin","secret":"' + b"1" * 65 + b'"}\n',
        b"x" * (MAX_LINE_BYTES * 3),
        line_of(Watch()) * 2 + b"nonsense\n" + line_of(ANSWER),
    ],
)
def test_hostile_input_closes_its_connection_and_nothing_else(served: Served, sent: bytes) -> None:
    with FactorKeypad(served.path) as good, socket.socket(socket.AF_UNIX) as bad:
        bad.settimeout(30)
        bad.connect(str(served.path))
        bad.sendall(sent)
        _read_to_the_end(bad)
        assert served.clerk.heard == []
        assert served.rejected("malformed") == 1
        good.send(line_of(Watch()))
        assert isinstance(heard(good), Asked)


def test_who_is_not_let_is_hung_up_on(tmp_path: Path) -> None:
    served = Served(tmp_path / "sf.sock", PeerRule(frozenset({os.geteuid() + 1})))
    with FactorKeypad(served.path) as keypad, pytest.raises(DeviceError, match="closed"):
        keypad.line(30)
    assert (served.rejected("peer"), served.clerk.heard) == (1, [])
    served.stop()


def test_members_of_the_group_may_connect() -> None:
    left, right = socket.socketpair()
    with left, right:
        assert PeerRule(frozenset(), os.getegid()).allows(left)
        assert not PeerRule(frozenset(), None).allows(left)
    with pytest.raises(DeviceError, match="no such user"):
        PeerRule.named(["nobody-of-this-name"], None)


def test_one_connection_too_many_is_closed(served: Served) -> None:
    keypads = [FactorKeypad(served.path) for _ in range(MAX_CONNECTIONS + 1)]
    with pytest.raises(DeviceError):
        keypads[-1].line(30)
    keypads[0].send(line_of(Watch()))
    assert isinstance(heard(keypads[0]), Asked)
    for keypad in keypads:
        keypad.close()
    assert served.rejected("too_many") == 1


def test_a_watcher_who_does_not_read_is_left_behind(served: Served) -> None:
    with FactorKeypad(served.path) as lazy:
        lazy.send(line_of(Watch()) * 8)
        until = time.monotonic() + 60
        while served.worker._peers and time.monotonic() < until:
            served.worker.tell(NEWS)
        assert served.worker._peers == {}
    with FactorKeypad(served.path) as good:
        good.send(line_of(Watch()))
        assert isinstance(heard(good), Asked)


def test_a_dead_socket_is_replaced_and_a_living_one_or_a_file_is_not(tmp_path: Path) -> None:
    path = tmp_path / "sf.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    with listen_at(path, None), pytest.raises(DeviceError, match="another process"):
        listen_at(path, None)
    path.unlink()
    path.write_text("mine")
    with pytest.raises(DeviceError, match="something else"):
        listen_at(path, None)
    assert path.read_text() == "mine"
