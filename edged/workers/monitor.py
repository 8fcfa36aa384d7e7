"""The monitoring endpoint: ``/metrics``, ``/healthz``, ``/readyz``.

Read-only, and meant for the loopback address: metrics tell when somebody came. What a peer can cost is
bounded: so many requests at a time, each for so long; a request beyond that is closed unanswered.
"""

import json
import logging
import socket
import socketserver
import sys
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any
from wsgiref.simple_server import ServerHandler, WSGIRequestHandler, WSGIServer
from wsgiref.types import StartResponse, WSGIEnvironment

from prometheus_client import CollectorRegistry, make_wsgi_app
from ulid import ULID

from edged.config.sections import HttpConfig
from edged.errors import MonitorError
from edged.workers.health import HealthReport
from edged.workers.worker import Worker

logger = logging.getLogger(__name__)

REQUEST_SECONDS = 5.0  # Prometheus gives up after 10 by default; a scrape here takes some 10 ms
MAX_REQUESTS = 8  # a scraper, a probe and a curious person, twice over
_POLL_SECONDS = 0.25

Probe = Callable[[], HealthReport]


class Monitor(Worker):
    """Serves the endpoint from ``listen`` on, once it is started.

    ``health`` answers for ``/healthz`` (do the loops run), ``ready`` for ``/readyz`` (could a person be let
    in). Both are called from request threads and must not block.
    """

    def __init__(self, config: HttpConfig, registry: CollectorRegistry, health: Probe, ready: Probe) -> None:
        super().__init__("monitor")
        self._config = config
        self._app = _Application(registry, {"/healthz": health, "/readyz": ready})
        self._server: _Server | None = None

    @property
    def port(self) -> int:
        """The port that is listened on; of use where the configured one is 0. 0 while stopped."""
        return 0 if self._server is None else int(self._server.server_address[1])

    def listen(self) -> None:
        """Claim the address. Raises ``MonitorError`` where it cannot be had."""
        address = (self._config.address, self._config.port)
        try:
            self._server = _Server(address, self._app)
        except (OSError, OverflowError, UnicodeError) as exc:
            text = f"cannot listen on {address[0]!r} port {address[1]} (http.address, http.port): {exc}"
            raise MonitorError(text) from exc
        self._server.timeout = _POLL_SECONDS
        logger.info("monitor listening address=%s port=%d", self._config.address, self.port)

    def run(self) -> None:
        """Serve until told to stop; close what is open then. Raises ``MonitorError`` before ``listen``."""
        server = self._server
        if server is None:
            raise MonitorError("nothing is listened at")
        try:
            while not self.stopping.is_set():
                self.beat()
                server.handle_request()
                server.close_requests(older_than=REQUEST_SECONDS)
        finally:
            self.close()

    def close(self) -> None:
        """Stop listening and close what is open; may be called twice, and where it was never started."""
        server, self._server = self._server, None
        if server is not None:
            server.close_requests()
            server.server_close()


class _Application:
    """The three pages, and an error envelope for everything else."""

    def __init__(self, registry: CollectorRegistry, probes: dict[str, Probe]) -> None:
        self._metrics = make_wsgi_app(registry)
        self._probes = probes

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        if path != "/metrics" and path not in self._probes:
            status, body = "404 Not Found", _error("not_found", "known: /metrics, /healthz, /readyz")
        elif method not in ("GET", "HEAD"):
            status, body = "405 Method Not Allowed", _error("method_not_allowed", "only GET and HEAD")
        elif path == "/metrics":
            return self._metrics(environ, start_response)  # type: ignore[no-any-return] # untyped library
        else:
            status, body = self._probe(path)
        return _respond(start_response, status, body, head=method == "HEAD")

    def _probe(self, path: str) -> tuple[str, dict[str, Any]]:
        try:
            report = self._probes[path]()
        except Exception:
            logger.exception("probe failed path=%s", path)
            return "503 Service Unavailable", _error("probe_failed", "the probe itself failed; see the log")
        return "200 OK" if report.ok else "503 Service Unavailable", report.as_dict()


def _error(code: str, message: str) -> dict[str, Any]:
    return {"error": {"code": code, "message": message, "details": {}}}


def _respond(
    start_response: StartResponse, status: str, body: dict[str, Any], *, head: bool
) -> Iterable[bytes]:
    request_id = str(ULID())
    content = json.dumps({**body, "request_id": request_id}).encode() + b"\n"
    headers = [
        ("Content-Type", "application/json"),
        ("Content-Length", str(len(content))),
        ("Cache-Control", "no-store"),
        ("X-Request-Id", request_id),
    ]
    if status.startswith("405"):
        headers.append(("Allow", "GET, HEAD"))
    start_response(status, headers)
    return [] if head else [content]


class _QuietServerHandler(ServerHandler):
    """wsgiref's own, which would print a traceback for every peer that hangs up."""

    server_software = "edged"

    def log_exception(self, exc_info: Any) -> None:
        logger.debug("request failed: %r", exc_info[1])


class _Handler(WSGIRequestHandler):
    """One request a connection, with a time limit on every read and write."""

    timeout = REQUEST_SECONDS

    def handle(self) -> None:
        self.raw_requestline = self.rfile.readline(4097)
        if len(self.raw_requestline) > 4096:
            self.requestline = self.request_version = self.command = ""
            self.send_error(414)
            return
        if not self.parse_request():
            return
        handler = _QuietServerHandler(
            self.rfile,
            self.wfile,  # type: ignore[arg-type] # typeshed asks for more than the library does
            self.get_stderr(),
            self.get_environ(),
            multithread=True,
        )
        handler.request_handler = self  # type: ignore[attr-defined] # how wsgiref itself hands it over
        handler.run(self.server.get_app())  # type: ignore[attr-defined]

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the library's name
        logger.debug("%s %r", self.client_address[0], (format % args)[:200])


class _Server(socketserver.ThreadingMixIn, WSGIServer):
    """A thread a request, few of them, each ended after its time."""

    daemon_threads = False
    block_on_close = True
    allow_reuse_port = False

    def __init__(self, address: tuple[str, int], app: _Application) -> None:
        if ":" in address[0]:
            self.address_family = socket.AF_INET6
        self._open: dict[Any, float] = {}
        self._guard = threading.Lock()
        super().__init__(address, _Handler)
        self.set_app(app)

    def server_bind(self) -> None:
        # HTTPServer would ask the name service for its own name, which may take long at a door offline.
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])
        self.setup_environ()

    def get_request(self) -> tuple[Any, Any]:
        # A peer may be gone between the word that it is there and its acceptance. Not for good: the library
        # takes the socket's own time limit for its wait, and would go round without a pause.
        self.socket.setblocking(False)
        try:
            return super().get_request()
        finally:
            self.socket.setblocking(True)

    def verify_request(self, request: Any, client_address: Any) -> bool:  # noqa: ARG002 - the library's signature
        with self._guard:
            if len(self._open) >= MAX_REQUESTS:
                return False
            self._open[request] = time.monotonic()
            return True

    def close_requests(self, older_than: float = -1.0) -> None:
        """Cut the connections that are older than so many seconds; their threads then end."""
        now = time.monotonic()
        with self._guard:
            for request, since in self._open.items():
                if now - since > older_than:
                    _cut(request)

    def shutdown_request(self, request: Any) -> None:
        with self._guard:
            self._open.pop(request, None)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002 - the library's signature
        logger.debug("request failed peer=%s error=%r", client_address[0], sys.exception())


def _cut(request: socket.socket) -> None:
    try:
        request.shutdown(socket.SHUT_RDWR)
    except OSError:
        return  # the peer was faster
