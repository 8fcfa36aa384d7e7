"""A real Prometheus as a child process, on a free loopback port, for one test."""

import json
import shutil
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.mosquitto import free_port

PROGRAM = shutil.which("prometheus")
_START_SECONDS = 60.0


class Prometheus:
    """Asks a server on ``port``."""

    def __init__(self, port: int) -> None:
        self.port = port

    def query(self, expression: str) -> list[dict[str, Any]]:
        """Return the series of an instant query; fails where the server does not understand it."""
        arguments = urllib.parse.urlencode({"query": expression})
        try:
            with urllib.request.urlopen(self._url(f"api/v1/query?{arguments}"), timeout=60) as answer:
                found = json.load(answer)["data"]["result"]
        except urllib.error.HTTPError as exc:
            with exc:
                pytest.fail(f"{expression}: {exc.read().decode()}")
        assert isinstance(found, list)
        return found

    def rules(self) -> dict[str, dict[str, Any]]:
        """Return the alert rules by name, with the health of their last evaluation."""
        with urllib.request.urlopen(self._url("api/v1/rules"), timeout=60) as answer:
            groups = json.load(answer)["data"]["groups"]
        return {rule["name"]: rule for group in groups for rule in group["rules"]}

    def ready(self) -> bool:
        try:
            with urllib.request.urlopen(self._url("-/ready"), timeout=30) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def _url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}/{path}"


@contextmanager
def prometheus(folder: Path, config: str) -> Iterator[Prometheus]:
    """Run a server with ``config`` (the text of a prometheus.yml); skips where there is no program."""
    if PROGRAM is None:
        pytest.skip("prometheus is not on this machine")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "prometheus.yml").write_text(config)
    server = Prometheus(free_port())
    with (folder / "prometheus.log").open("wb") as log:
        process = subprocess.Popen(
            [PROGRAM, f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data",
             f"--web.listen-address=127.0.0.1:{server.port}"],
            stdout=log, stderr=subprocess.STDOUT,
        )  # fmt: skip
        try:
            deadline = time.monotonic() + _START_SECONDS
            while not server.ready():
                assert process.poll() is None, (folder / "prometheus.log").read_text()
                assert time.monotonic() < deadline, (folder / "prometheus.log").read_text()
                time.sleep(0.1)
            yield server
        finally:
            process.terminate()
            process.wait(60)
