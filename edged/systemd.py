"""What systemd asks of a ``Type=notify`` service: one datagram a message.

The protocol is the one of sd_notify(3) and sd_watchdog_enabled(3). Off systemd everything here does
nothing, so callers need not ask where they run.
"""

import os
import socket
import time
from collections.abc import Mapping


def notify(*lines: str, environ: Mapping[str, str] = os.environ) -> bool:
    """Send ``lines`` such as ``READY=1`` in one message; False off systemd or where nobody listens.

    Waits a second at most and never raises: a service manager that is stuck must not stop a door.
    """
    address = environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return False
    if address.startswith("@"):  # the abstract namespace is written with a NUL
        address = "\0" + address[1:]
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
            sender.settimeout(1)
            sender.sendto("\n".join(lines).encode(), address)
    except OSError:
        return False
    return True


def watchdog_seconds(environ: Mapping[str, str] = os.environ, pid: int | None = None) -> float | None:
    """Return how long systemd tolerates silence, or None where no watchdog watches this process."""
    text, watched = environ.get("WATCHDOG_USEC", ""), environ.get("WATCHDOG_PID", "")
    if not text.isdecimal() or int(text) == 0:
        return None
    if watched and watched != str(os.getpid() if pid is None else pid):
        return None  # meant for another process of the service
    return int(text) / 1_000_000


def reloading() -> bool:
    """Say that the configuration is being read again; end it with ``notify("READY=1")``."""
    return notify("RELOADING=1", f"MONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")
