"""An HTTP camera on 127.0.0.1 that can be told to misbehave."""

import base64
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import cv2
import numpy as np

from edged.domain.types import Image

_BITS, _CELL = 16, 8
_NOISE = np.random.default_rng(11)


def draw(number: int) -> Image:
    """A picture whose top row of cells spells ``number`` in black and white."""
    picture = _NOISE.integers(60, 190, (64, _BITS * _CELL, 3), np.uint8)
    for bit in range(_BITS):
        picture[:_CELL, bit * _CELL : (bit + 1) * _CELL] = 255 * (number >> bit & 1)
    return picture


def number_of(picture: Image) -> int:
    """Read the number that ``draw`` has written."""
    cells = picture[2:6].reshape(4, _BITS, _CELL, 3)[:, :, 2:6].mean(axis=(0, 2, 3))
    return sum(1 << bit for bit in range(_BITS) if cells[bit] > 128)


class MjpegServer(ThreadingHTTPServer):
    """Serves ``multipart/x-mixed-replace``. ``mode``: serve, stall (within a frame), reset, refuse."""

    daemon_threads = True

    def __init__(self, fps: float = 25, credentials: str | None = None) -> None:
        self.mode = "serve"
        self.fps = fps
        self.sent_at: dict[int, float] = {}
        self.connections = 0
        self.authorization = credentials and "Basic " + base64.b64encode(credentials.encode()).decode()
        super().__init__(("127.0.0.1", 0), _Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/stream"

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients hang up; that is no news."""


class _Handler(BaseHTTPRequestHandler):
    server: MjpegServer

    def log_message(self, *args: object) -> None:
        """Stay quiet."""

    def do_GET(self) -> None:
        server = self.server
        server.connections += 1
        if server.mode == "refuse":
            self.send_error(503)
            return
        if server.authorization and self.headers["Authorization"] != server.authorization:
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="camera"')
            self.end_headers()
            return
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        self.end_headers()
        while self._send_frame():
            time.sleep(1 / server.fps)

    def _send_frame(self) -> bool:
        server = self.server
        number = len(server.sent_at)
        data = cv2.imencode(".jpg", draw(number), [cv2.IMWRITE_JPEG_QUALITY, 95])[1].tobytes()
        server.sent_at[number] = time.monotonic()
        head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(data)}\r\n\r\n".encode()
        if server.mode == "serve":
            self.wfile.write(head + data + b"\r\n")
            return True
        if server.mode == "stall":
            self.wfile.write(head + data[: len(data) // 2])
            while server.mode == "stall":
                time.sleep(0.02)
        else:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
        return False


@contextmanager
def serving(fps: float = 25, credentials: str | None = None) -> Iterator[MjpegServer]:
    server = MjpegServer(fps, credentials)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield server
    finally:
        server.mode = "reset"
        server.shutdown()
        server.server_close()
        thread.join(30)


@contextmanager
def silent_port() -> Iterator[int]:
    """A port that accepts connections and never answers."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]
