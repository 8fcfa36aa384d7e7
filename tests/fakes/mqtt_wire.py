"""What stands between a device and its broker: a proxy that counts, and a server that says anything."""

import contextlib
import socket
import threading
import time
from collections.abc import Callable
from typing import Self

CONNECT, PUBLISH, PUBACK, DISCONNECT = 1, 3, 4, 14


def split(buffer: bytearray) -> list[bytes]:
    """Take whole MQTT packets off the front of ``buffer``."""
    packets = []
    while len(buffer) >= 2:
        size, shift, at = 0, 0, 1
        while at < len(buffer):
            size |= (buffer[at] & 127) << shift
            shift += 7
            at += 1
            if not buffer[at - 1] & 128:
                break
        else:
            break
        if len(buffer) < at + size:
            break
        packets.append(bytes(buffer[: at + size]))
        del buffer[: at + size]
    return packets


class _Server:
    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(0.05)
        self.port = int(self._listener.getsockname()[1])
        self._closing = threading.Event()
        self._threads: list[threading.Thread] = []
        self.connections = 0
        self._spawn(self._accept)

    def _spawn(self, work: Callable[[], None]) -> None:
        thread = threading.Thread(target=work, name="edged-test-wire")
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self._closing.is_set():
            with contextlib.suppress(TimeoutError, OSError):
                client, _ = self._listener.accept()
                self.connections += 1
                self._spawn(lambda client=client: self._serve(client))

    def _serve(self, client: socket.socket) -> None:
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        for thread in self._threads:
            thread.join(30)
        self._listener.close()


class CountingProxy(_Server):
    """Passes packets on and watches events in flight; ``swallow_acks`` withholds that many PUBACKs."""

    def __init__(self, broker_port: int) -> None:
        self._broker_port = broker_port
        self.most_in_flight = 0
        self.events = 0
        self.swallow_acks = 0
        super().__init__()

    def _serve(self, client: socket.socket) -> None:
        try:
            broker = socket.create_connection(("127.0.0.1", self._broker_port), 30)
        except OSError:
            client.close()
            return
        open_ids: set[int] = set()
        with client, broker:
            client.settimeout(0.02)
            broker.settimeout(0.02)
            up, down = bytearray(), bytearray()
            while not self._closing.is_set():
                if not self._pass(client, broker, up, open_ids) or not self._pass(
                    broker, client, down, open_ids
                ):
                    return

    def _pass(
        self, source: socket.socket, target: socket.socket, buffer: bytearray, open_ids: set[int]
    ) -> bool:
        try:
            data = source.recv(65536)
        except TimeoutError:
            return True
        except OSError:
            return False
        buffer += data
        for packet in split(buffer):
            if self._count(packet, open_ids):
                try:
                    target.sendall(packet)
                except OSError:
                    return False
        return bool(data)

    def _count(self, packet: bytes, open_ids: set[int]) -> bool:
        kind, body = packet[0] >> 4, _body(packet)
        if kind == PUBLISH and packet[0] & 0x06:
            size = int.from_bytes(body[:2])
            if b"/event/" in body[2 : 2 + size]:
                self.events += 1
                open_ids.add(int.from_bytes(body[2 + size : 4 + size]))
                self.most_in_flight = max(self.most_in_flight, len(open_ids))
        elif kind == PUBACK and int.from_bytes(body[:2]) in open_ids:
            if self.swallow_acks > 0:
                self.swallow_acks -= 1
                return False
            open_ids.discard(int.from_bytes(body[:2]))
        return True


class ScriptedServer(_Server):
    """Answers the CONNECT of protocol level 4 or 5 with ``script(level)``; None: says nothing, holds on."""

    def __init__(self, script: Callable[[int], bytes | None]) -> None:
        self._script = script
        self.levels: list[int] = []
        super().__init__()

    def _serve(self, client: socket.socket) -> None:
        buffer = bytearray()
        with client:
            client.settimeout(0.05)
            answered = False
            while not self._closing.is_set():
                with contextlib.suppress(TimeoutError):
                    try:
                        data = client.recv(65536)
                    except ConnectionError:
                        return
                    if not data:
                        return
                    buffer += data
                for packet in split(buffer):
                    if packet[0] >> 4 != CONNECT or answered:
                        continue
                    level = _body(packet)[6]
                    self.levels.append(level)
                    answer = self._script(level)
                    answered = True
                    if answer is None:
                        continue
                    client.sendall(answer)
                    if answer[:1] != b"\x20" or answer[3:4] != b"\x00":
                        time.sleep(0.02)
                        return


def _body(packet: bytes) -> bytes:
    at = 1
    while packet[at] & 128:
        at += 1
    return packet[at + 1 :]
