"""A real PostgreSQL as a child process, on a free loopback port, for a whole test session.

It does not run as root, so its files lie outside pytest's folders, which only their owner may enter.
"""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from ulid import ULID

from tests.fakes.mosquitto import free_port

_START_SECONDS = 60.0


def programs() -> Path | None:
    """Where Debian keeps initdb and postgres, the newest version; or wherever PATH finds them."""
    found = shutil.which("initdb")
    if found is not None and shutil.which("postgres") is not None:
        return Path(found).parent
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: float(path.parent.name))
    return next((folder for folder in reversed(folders) if (folder / "initdb").exists()), None)


class Postgres:
    """A cluster in ``folder``; ``stop`` and ``start`` are a machine that goes away and comes back."""

    def __init__(self, folder: Path, bin_folder: Path) -> None:
        self.port = free_port()
        self._folder = folder
        self._bin = bin_folder
        self._log = folder / "log"
        self._process: subprocess.Popen[bytes] | None = None
        self._identity: dict[str, Any] = {}
        if os.geteuid() == 0:
            account = pwd.getpwnam("nobody")
            self._identity = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
            os.chown(folder, account.pw_uid, account.pw_gid)
        subprocess.run(
            [bin_folder / "initdb", "-D", folder / "data", "-U", "edged", "-A", "trust", "-E", "UTF8",
             "--locale=C", "--no-sync", "--no-instructions"],
            check=True, capture_output=True, timeout=60, cwd=folder, **self._identity,
        )  # fmt: skip

    def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [self._bin / "postgres", "-D", self._folder / "data", "-k", "", "-c", f"port={self.port}",
                 "-c", "listen_addresses=127.0.0.1", "-c", "fsync=off", "-c", "shared_buffers=16MB"],
                stdout=log, stderr=subprocess.STDOUT, cwd=self._folder, **self._identity,
            )  # fmt: skip
        deadline = time.monotonic() + _START_SECONDS
        while True:
            try:
                psycopg.connect(self.url(), connect_timeout=20).close()
            except psycopg.OperationalError:
                assert self._process.poll() is None, self._log.read_text()
                assert time.monotonic() < deadline, self._log.read_text()
                time.sleep(0.05)
            else:
                return

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """Stop, connections or not."""
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(60)
            self._process = None

    def url(self, query: str = "") -> str:
        return f"postgresql://edged@127.0.0.1:{self.port}/postgres{query}"

    def new_database(self) -> str:
        """Return a URL where there is no table yet: a schema of its own, which is made much faster."""
        name = str(ULID()).lower()
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(f"CREATE SCHEMA s{name}")
        return self.url(f"?options=-csearch_path%3Ds{name}")


@contextmanager
def postgres() -> Iterator[Postgres]:
    """Start a cluster; it is gone afterwards."""
    bin_folder = programs()
    if bin_folder is None:
        pytest.fail("PostgreSQL is not installed: run make system")
    folder = Path(tempfile.mkdtemp(prefix="edged-postgres-"))
    try:
        cluster = Postgres(folder, bin_folder)
        cluster.start()
        try:
            yield cluster
        finally:
            cluster.stop(signal.SIGQUIT)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
