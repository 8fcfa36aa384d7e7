import gzip
import http.client
import json
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from edged.config.sections import HttpConfig
from edged.errors import MonitorError
from edged.metrics import Metrics
from edged.workers import monitor as module
from edged.workers.health import Check, HealthReport
from edged.workers.monitor import Monitor

FINE = HealthReport({"camera": Check(ok=True, detail="2 ms"), "lock": Check(ok=True)})
LAME = HealthReport({"camera": Check(ok=False, detail="no frame for 4 s"), "lock": Check(ok=True)})


def broken() -> HealthReport:
    raise ValueError("the probe is broken")


@pytest.fixture
def serve() -> Iterator[Callable[..., Monitor]]:
    started: list[Monitor] = []

    def start(
        health: Callable[[], HealthReport] = lambda: FINE, ready: Callable[[], HealthReport] = lambda: FINE
    ) -> Monitor:
        registry = CollectorRegistry()
        Metrics(registry)
        monitor = Monitor(HttpConfig(port=0), registry, health, ready)
        monitor.listen()
        monitor.start()
        started.append(monitor)
        return monitor

    yield start
    for monitor in started:
        monitor.stop()
        assert monitor.join(30)
        assert monitor.failure is None


def ask(
    monitor: Monitor, path: str, method: str = "GET", headers: dict[str, str] | None = None
) -> tuple[http.client.HTTPResponse, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", monitor.port, timeout=60)
    try:
        connection.request(method, path, headers=headers or {})
        response = connection.getresponse()
        return response, response.read()
    finally:
        connection.close()


def test_metrics_are_those_of_the_registry(serve: Callable[..., Monitor]) -> None:
    monitor = serve()
    response, body = ask(monitor, "/metrics")
    assert response.status == 200
    assert b'edged_frames_total{result="captured"} 0.0' in body
    assert b"process_resident_memory_bytes" in body
    assert b"python_info" in body
    response, packed = ask(monitor, "/metrics", headers={"Accept-Encoding": "gzip"})
    assert response.getheader("Content-Encoding") == "gzip"
    assert b"edged_frames_total" in gzip.decompress(packed)


def test_probes_tell_every_check(serve: Callable[..., Monitor]) -> None:
    monitor = serve(ready=lambda: LAME)
    response, body = ask(monitor, "/healthz")
    assert (response.status, json.loads(body)["status"]) == (200, "ok")
    response, body = ask(monitor, "/readyz")
    assert response.status == 503
    answer = json.loads(body)
    assert answer["checks"]["camera"] == {"ok": False, "detail": "no frame for 4 s"}
    assert answer["request_id"] == response.getheader("X-Request-Id")


def test_a_probe_that_fails_is_not_healthy(serve: Callable[..., Monitor]) -> None:
    response, body = ask(serve(health=broken), "/healthz")
    assert response.status == 503
    assert json.loads(body)["error"]["code"] == "probe_failed"
    assert b"the probe is broken" not in body


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 404),
        ("GET", "/metrics/../etc/passwd", 404),
        ("GET", "/healthz%00", 404),
        ("POST", "/metrics", 405),
        ("DELETE", "/readyz", 405),
        ("GET", "/" + "a" * 3000, 404),
        ("GET", "/" + "a" * 5000, 414),
        ("GET", "/metrics?name[]=edged_up", 200),
    ],
)
def test_other_requests_are_refused(
    serve: Callable[..., Monitor], method: str, path: str, status: int
) -> None:
    response, body = ask(serve(), path, method)
    assert response.status == status
    if status in (404, 405):
        assert set(json.loads(body)) == {"error", "request_id"}
    assert (response.getheader("Allow") == "GET, HEAD") == (status == 405)


def test_head_has_no_body(serve: Callable[..., Monitor]) -> None:
    response, body = ask(serve(), "/healthz", "HEAD")
    assert (response.status, body) == (200, b"")


def test_a_port_in_use_is_said_clearly(serve: Callable[..., Monitor]) -> None:
    port = serve().port
    second = Monitor(HttpConfig(port=port), CollectorRegistry(), broken, broken)
    with pytest.raises(MonitorError, match=rf"cannot listen on '127.0.0.1' port {port} \(http.address"):
        second.listen()
    second.close()


@pytest.mark.parametrize("address", ["not an address", "192.0.2.1"])
def test_an_address_that_is_not_here_is_said_clearly(address: str) -> None:
    monitor = Monitor(HttpConfig(address=address, port=0), CollectorRegistry(), broken, broken)
    with pytest.raises(MonitorError, match="cannot listen"):
        monitor.listen()


def test_silent_peers_are_cut_and_the_others_served(
    serve: Callable[..., Monitor], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "REQUEST_SECONDS", 0.3)
    monitor = serve()
    silent = [socket.create_connection(("127.0.0.1", monitor.port)) for _ in range(module.MAX_REQUESTS)]
    for peer in silent:
        peer.sendall(b"GET /healthz HTT")
        peer.settimeout(60)
    extra = socket.create_connection(("127.0.0.1", monitor.port))
    extra.settimeout(60)
    assert extra.recv(1) == b""  # one too many: closed at once
    assert [peer.recv(1) for peer in silent] == [b""] * len(silent)  # cut when their time was over
    monkeypatch.undo()
    assert ask(monitor, "/healthz")[0].status == 200
    for peer in [*silent, extra]:
        peer.close()


def test_stop_does_not_wait_for_a_silent_peer(
    serve: Callable[..., Monitor], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "REQUEST_SECONDS", 100.0)
    monitor = serve()
    port = monitor.port
    with socket.create_connection(("127.0.0.1", port)) as peer:
        peer.sendall(b"GET ")
        time.sleep(0.1)
        monitor.stop()
        assert monitor.join(30)
    assert "edged-monitor" not in {thread.name for thread in threading.enumerate()}
    monitor.close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))


def test_nobody_asking_costs_nothing(serve: Callable[..., Monitor], monkeypatch: pytest.MonkeyPatch) -> None:
    monitor = serve()
    turns: list[float] = []
    monkeypatch.setattr(monitor, "beat", lambda: turns.append(time.monotonic()))
    time.sleep(0.6)
    assert ask(monitor, "/healthz")[0].status == 200
    time.sleep(0.6)
    assert len(turns) < 20  # a wait between two of them, before and after somebody asked


def own_addresses() -> list[str]:
    """This machine's addresses beside 127.0.0.1, as the kernel has them; 127.0.0.2 always is one."""
    text = Path("/proc/net/fib_trie").read_text() if Path("/proc/net/fib_trie").exists() else ""
    found = re.findall(r"\|-- (\S+)\n\s+/32 host LOCAL", text)
    return ["127.0.0.2", *sorted(set(found) - {"127.0.0.1"})]


@pytest.mark.parametrize("address", own_addresses())
def test_nobody_hears_it_at_an_address_that_others_could_reach(
    address: str, serve: Callable[..., Monitor]
) -> None:
    monitor = serve()
    assert ask(monitor, "/metrics")[0].status == 200
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((address, monitor.port), 10)
