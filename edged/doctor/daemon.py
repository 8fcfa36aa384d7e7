"""Whether ``edged run`` is running, and what it says of itself.

It holds the lock on the journal, so the kernel's table of locks tells of it: nothing is tried that could
get in its way. Its monitoring endpoint is asked only once it is known to run, since another door's daemon
may listen at the same port.
"""

import http.client
import ipaddress
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from edged.config.sections import Config, HttpConfig
from edged.doctor.machine import Machine, read_text
from edged.storage.guard import lock_path

_ANSWER_SECONDS = 3.0
_MOST_BYTES = 64 << 10


@dataclass(frozen=True, slots=True)
class Daemon:
    """``pid`` is None where none runs. ``checks`` are those of ``/readyz``: name to fine or not, and words.

    ``silence`` says why there are none.
    """

    pid: int | None
    checks: Mapping[str, tuple[bool, str]] = field(default_factory=dict)
    silence: str = ""

    @property
    def running(self) -> bool:
        """Whether it runs."""
        return self.pid is not None

    @classmethod
    def find(cls, config: Config, machine: Machine) -> "Daemon":
        """Look for the daemon of ``config``."""
        pid = writer_of(config.journal.path, machine)
        if pid is None:
            return cls(None)
        if not config.http.enabled:
            return cls(pid, silence="http.enabled is false")
        try:
            return cls(pid, _ask(config.http))
        except (OSError, ValueError, RecursionError, http.client.HTTPException) as exc:
            return cls(pid, silence=f"no answer at http.port {config.http.port}: {exc}")


def writer_of(database: Path, machine: Machine) -> int | None:
    """Return the process that holds the writer's lock of ``database``, by ``/proc/locks`` (proc(5)).

    Raises ``OSError`` where we may not look: whether a daemon runs is then not known.
    """
    path = lock_path(database)
    try:
        found = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    device = f"{os.major(found.st_dev):02x}:{os.minor(found.st_dev):02x}:{found.st_ino}"
    noted = read_text(path)
    for line in (machine.text("proc/locks") or "").splitlines():
        words = line.split()
        if len(words) < 6 or words[1:4] != ["FLOCK", "ADVISORY", "WRITE"]:
            continue
        # On an overlay the table names the disk below: the note in the file decides then.
        if words[5] == device or (words[5].endswith(f":{found.st_ino}") and words[4] == noted):
            return int(words[4])
    return None


def _ask(config: HttpConfig) -> dict[str, tuple[bool, str]]:
    connection = http.client.HTTPConnection(_local(config.address), config.port, timeout=_ANSWER_SECONDS)
    try:
        connection.request("GET", "/readyz")
        told = json.loads(connection.getresponse().read(_MOST_BYTES))
    finally:
        connection.close()
    checks = told.get("checks") if isinstance(told, dict) else None
    if not isinstance(checks, dict) or not all(isinstance(row, dict) for row in checks.values()):
        raise ValueError("it is not an answer of edged")
    return {
        str(name): (row.get("ok") is True, " ".join(str(row.get("detail", "")).split())[:200])
        for name, row in checks.items()
    }


def _local(address: str) -> str:
    """Return where a daemon that listens at ``address`` is reached from its own machine."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if not parsed.is_unspecified:
        return address
    return "::1" if parsed.version == 6 else "127.0.0.1"
