"""The local socket that keypads and badge readers answer on.

Who may connect is checked by the kernel's word (SO_PEERCRED) beside the file's mode. A line that is
too long or no message, a reader that is too slow, one connection too many: it is closed, and nothing else
happens.
"""

import contextlib
import logging
import os
import selectors
import socket
from collections import deque
from collections.abc import Callable
from pathlib import Path

from edged.devices.peers import PeerRule
from edged.devices.unix_socket import listen_at
from edged.domain.second_factor import FactorSource
from edged.errors import FleetError
from edged.fleet.factor_messages import (
    MAX_LINE_BYTES,
    AnswerGiven,
    Asked,
    Ended,
    FromDoor,
    Result,
    heard_from_keypad,
    line_of,
)
from edged.metrics import Metrics
from edged.workers.second_factor import FactorClerk, FactorNews
from edged.workers.worker import Worker

logger = logging.getLogger(__name__)

# A door has a keypad, a reader and somebody who looks on.
MAX_CONNECTIONS = 8
# A second's worth for a watcher that is busy; more is somebody who does not read.
_MAX_NEWS = 64
_TURN_SECONDS = 0.25


class _Peer:
    """One connection: what came of a line so far, and whether it wants news."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.received = b""
        self.watches = False


class FactorSocketWorker(Worker):
    """Serves ``path``. Raises ``DeviceError`` where it cannot be listened at."""

    def __init__(
        self, path: Path, rule: PeerRule, clerk: FactorClerk, metrics: Metrics, now: Callable[[], float]
    ) -> None:
        super().__init__("second-factor")
        self._path = path
        self._rule = rule
        self._clerk = clerk
        self._metrics = metrics
        self._now = now
        self._listener = listen_at(path, rule.group)
        self._made_at = path.lstat()
        self._selector = selectors.DefaultSelector()
        self._peers: dict[socket.socket, _Peer] = {}
        self._news: deque[FactorNews] = deque(maxlen=_MAX_NEWS)
        self._wake_reader, self._wake_writer = socket.socketpair()
        for each in (self._wake_reader, self._wake_writer):
            each.setblocking(False)
        for each in (self._listener, self._wake_reader):
            self._selector.register(each, selectors.EVENT_READ)

    def tell(self, news: FactorNews) -> None:
        """Tell whoever watches; from any thread, never blocks."""
        self._news.append(news)
        self._wake()

    def stop(self) -> None:
        """Ask the loop to end."""
        super().stop()
        self._wake()

    def run(self) -> None:
        """Serve until told to stop."""
        try:
            while not self.stopping.is_set():
                self.beat()
                for key, _ in self._selector.select(_TURN_SECONDS):
                    self._serve(key.fileobj)
                while self._news:
                    self._pass_on(self._news.popleft())
        finally:
            self.close()

    def close(self) -> None:
        """Close every socket and take the file away; may be called twice."""
        for peer in list(self._peers.values()):
            self._drop(peer)
        with contextlib.suppress(OSError):
            if os.path.samestat(self._path.lstat(), self._made_at):
                self._path.unlink()
        self._selector.close()
        for each in (self._listener, self._wake_reader, self._wake_writer):
            each.close()

    def _wake(self) -> None:
        with contextlib.suppress(OSError):  # full: it wakes anyway; closed: nobody waits
            self._wake_writer.send(b"\0")

    def _serve(self, ready: object) -> None:
        if ready is self._listener:
            self._accept()
        elif ready is self._wake_reader:
            with contextlib.suppress(OSError):
                self._wake_reader.recv(4096)
        elif isinstance(ready, socket.socket) and (peer := self._peers.get(ready)) is not None:
            self._read(peer)

    def _accept(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except OSError as exc:
            logger.warning("a keypad could not be accepted error=%s", exc)
            self.stopping.wait(_TURN_SECONDS)  # out of descriptors, perhaps: it would fail again at once
            return
        cause = None if self._rule.allows(connection) else "peer"
        if cause is None and len(self._peers) >= MAX_CONNECTIONS:
            cause = "too_many"
        if cause is not None:
            self._metrics.factor_messages.labels(cause).inc()
            connection.close()
            return
        connection.setblocking(False)
        self._peers[connection] = _Peer(connection)
        self._selector.register(connection, selectors.EVENT_READ)

    def _read(self, peer: _Peer) -> None:
        try:
            part = peer.connection.recv(MAX_LINE_BYTES)
        except BlockingIOError:
            return
        except OSError:
            part = b""
        *lines, peer.received = (peer.received + part).split(b"\n")
        if not part:
            self._drop(peer)
            return
        for line in lines:
            if not self._heed(peer, line):
                return
        if len(peer.received) > MAX_LINE_BYTES:
            self._refuse(peer)

    def _heed(self, peer: _Peer, line: bytes) -> bool:
        """Do what a line asks for; False once the connection is closed."""
        try:
            message = heard_from_keypad(line)
        except FleetError:
            self._refuse(peer)
            return False
        if isinstance(message, AnswerGiven):
            result = self._clerk.answer(message.request_id, message.kind, message.secret, FactorSource.SOCKET)
            if result == "unknown":
                self._metrics.factor_messages.labels("unknown").inc()
            return self._send(peer, Result(request_id=message.request_id, result=result))
        peer.watches = True
        return all(self._send(peer, self._said(news)) for news in self._clerk.pending())

    def _said(self, news: FactorNews) -> FromDoor:
        request = news.request
        if news.outcome is not None:
            return Ended(request_id=request.request_id, outcome=news.outcome)
        left = max(0.0, request.deadline - self._now())
        return Asked(
            request_id=request.request_id, cause=request.cause, kinds=news.kinds, seconds=round(left, 3)
        )

    def _pass_on(self, news: FactorNews) -> None:
        for peer in [peer for peer in self._peers.values() if peer.watches]:
            self._send(peer, self._said(news))

    def _send(self, peer: _Peer, message: FromDoor) -> bool:
        line = line_of(message)
        try:
            sent = peer.connection.send(line, socket.MSG_NOSIGNAL)
        except OSError:
            sent = 0
        if sent != len(line):  # whoever does not read is not waited for
            self._drop(peer)
            return False
        return True

    def _refuse(self, peer: _Peer) -> None:
        self._metrics.factor_messages.labels("malformed").inc()
        self._drop(peer)

    def _drop(self, peer: _Peer) -> None:
        if self._peers.pop(peer.connection, None) is not None:
            self._selector.unregister(peer.connection)
        peer.connection.close()
