"""Requests to the monitoring endpoint, on a connection that is none."""

import io
import logging
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry, Counter

from edged.errors import MonitorError
from edged.workers.health import HealthReport
from edged.workers.monitor import _Application, _Handler
from tests.fuzz.target import Target, UndeclaredError

_MOST_ANSWERED = 65_536


class _Connection:
    """The request on one side, the answer on the other; sockets need no more here."""

    def __init__(self, request: bytes) -> None:
        self._request = request
        self.answer = bytearray()

    def makefile(self, mode: str, size: int = -1) -> io.BytesIO:
        del mode, size
        return io.BytesIO(self._request)

    def sendall(self, data: bytes) -> None:
        self.answer += data

    def settimeout(self, seconds: float) -> None:
        pass


class _Server:
    """What a handler asks of its server."""

    server_name, server_port = "127.0.0.1", 9477

    def __init__(self) -> None:
        registry = CollectorRegistry()
        Counter("edged_tries", "Tries.", registry=registry).inc()
        self._app = _Application(registry, {"/healthz": lambda: HealthReport({})})
        self.base_environ = {
            "SERVER_NAME": self.server_name,
            "GATEWAY_INTERFACE": "CGI/1.1",
            "SERVER_PORT": "9477",
        }

    def get_app(self) -> _Application:
        return self._app


@cache
def _server() -> _Server:
    logging.getLogger("edged.workers.monitor").disabled = True
    return _Server()


def _request(data: bytes, _folder: Path) -> None:
    connection: Any = _Connection(data)
    server: Any = _server()
    _Handler(connection, ("127.0.0.1", 1), server)
    if len(connection.answer) > _MOST_ANSWERED:
        raise UndeclaredError(f"an answer of {len(connection.answer)} bytes")


def _seeds(_folder: Path) -> Iterator[bytes]:
    yield b"GET /metrics HTTP/1.1\r\nAccept: application/openmetrics-text;version=1.0.0;q=0.5\r\n\r\n"
    yield b"GET /metrics?name[]=edged_tries_total HTTP/1.1\r\nAccept-Encoding: gzip\r\n\r\n"
    yield b"HEAD /healthz HTTP/1.0\r\n\r\n"
    yield b"POST /nothing HTTP/1.1\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\nabc"


TARGETS = (Target("http", _request, _seeds, (MonitorError,), 8192, ("prometheus_client",)),)
