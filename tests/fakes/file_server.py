"""An HTTP server on this machine that sends files well or badly."""

import gzip
import ssl
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self

Answer = Callable[["Request"], None]


@dataclass
class Request:
    """One request under way; ``stopping`` is set when the server closes."""

    handler: BaseHTTPRequestHandler
    stopping: threading.Event
    server: "FileServer"

    @property
    def offset(self) -> int:
        """Where the asked-for range starts."""
        return int(self.handler.headers.get("Range", "bytes=0-").removeprefix("bytes=").rstrip("-"))

    def start(self, status: int, **headers: object) -> None:
        self.handler.send_response(status)
        for name, value in headers.items():
            self.handler.send_header(name.replace("_", "-"), str(value))
        self.handler.send_header("Connection", "close")
        self.handler.end_headers()

    def send(self, data: bytes) -> None:
        self.handler.wfile.write(data)
        self.server.sent_bytes += len(data)


@dataclass
class FileServer:
    """Answers each path as ``routes`` says, 404 otherwise; keeps what was asked and counts what was sent."""

    context: ssl.SSLContext | None = None
    routes: dict[str, Answer] = field(default_factory=dict)
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    sent_bytes: int = 0

    def __enter__(self) -> Self:
        outer = self
        self._stopping = threading.Event()

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.asked.append((self.path, self.headers.get("Range")))
                try:
                    outer.routes.get(self.path, status(404))(Request(self, outer._stopping, outer))
                except (BrokenPipeError, ConnectionResetError):
                    self.close_connection = True

            def log_message(self, *_args: object) -> None:
                """Keep stderr clean."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        if self.context is not None:
            self._server.socket = self.context.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._stopping.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        scheme = "https" if self.context else "http"
        return f"{scheme}://127.0.0.1:{self._server.server_address[1]}"


def file(data: bytes) -> Answer:
    """Send ``data``, or the range of it that was asked for."""

    def answer(request: Request) -> None:
        at = request.offset
        if at:
            span = f"bytes {at}-{len(data) - 1}/{len(data)}"
            request.start(206, Content_Length=len(data) - at, Content_Range=span)
        else:
            request.start(200, Content_Length=len(data))
        request.send(data[at:])

    return answer


def whole(data: bytes) -> Answer:
    """Send all of ``data`` whatever range was asked for."""

    def answer(request: Request) -> None:
        request.start(200, Content_Length=len(data))
        request.send(data)

    return answer


def cut(data: bytes, keep: int) -> Answer:
    """Promise all of ``data`` from the offset on, and hang up after ``keep`` bytes."""

    def answer(request: Request) -> None:
        at = request.offset
        headers = {"Content_Range": f"bytes {at}-{len(data) - 1}/{len(data)}"} if at else {}
        request.start(206 if at else 200, Content_Length=len(data) - at, **headers)
        request.send(data[at : at + keep])

    return answer


def unmeasured(data: bytes) -> Answer:
    """Send ``data`` without saying how long it is."""

    def answer(request: Request) -> None:
        request.start(200)
        request.send(data)

    return answer


def chunked(pieces: Sequence[bytes | None]) -> Answer:
    """Send pieces in chunked encoding; None is a chunk without a size."""

    def answer(request: Request) -> None:
        request.handler.protocol_version = "HTTP/1.1"
        request.start(200, Transfer_Encoding="chunked")
        for piece in pieces:
            request.send(b"?\r\n" if piece is None else b"%x\r\n%b\r\n" % (len(piece), piece))
        request.send(b"0\r\n\r\n")

    return answer


def compressed(data: bytes) -> Answer:
    """Send ``data`` in gzip though nobody asked for it."""

    def answer(request: Request) -> None:
        packed = gzip.compress(data)
        request.start(200, Content_Length=len(packed), Content_Encoding="gzip")
        request.send(packed)

    return answer


def stalling(data: bytes, keep: int) -> Answer:
    """Send ``keep`` bytes and then nothing more."""

    def answer(request: Request) -> None:
        request.start(200, Content_Length=len(data))
        request.send(data[:keep])
        request.stopping.wait(30)

    return answer


def dripping(data: bytes, every_seconds: float) -> Answer:
    """Send one byte at a time."""

    def answer(request: Request) -> None:
        request.start(200, Content_Length=len(data))
        for byte in data:
            if request.stopping.wait(every_seconds):
                return
            request.send(bytes([byte]))

    return answer


def redirect(to: str, code: int = 302) -> Answer:
    def answer(request: Request) -> None:
        request.start(code, Location=to, Content_Length=0)

    return answer


def status(code: int) -> Answer:
    def answer(request: Request) -> None:
        request.start(code, Content_Length=0)

    return answer
