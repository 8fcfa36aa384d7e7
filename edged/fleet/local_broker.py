"""A broker for a desk: mosquitto, else amqtt, as a child process on loopback alone.

Never for a door: it lets everybody on this machine in, and what it keeps is gone afterwards.
"""

import importlib.util
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from edged.errors import FleetError

# amqtt needs seconds to import on a small board.
_START_SECONDS = 20.0
_STOP_SECONDS = 5.0
# Debian puts mosquitto where only root's path looks.
_SEARCH = ("/usr/sbin", "/usr/local/sbin", "/opt/homebrew/sbin")

_MOSQUITTO = """\
listener {port} 127.0.0.1
allow_anonymous true
persistence true
persistence_location {folder}/
# A collector switched off while somebody tries edged must still find every event.
max_queued_messages 0
max_queued_bytes 67108864
# Heeded only for root, whose temporary folder another user could not write.
user root
"""

_AMQTT = """\
listeners:
  default:
    type: tcp
    bind: 127.0.0.1:{port}
plugins:
  amqtt.plugins.authentication.AnonymousAuthPlugin:
    allow_anonymous: true
"""


@dataclass(frozen=True, slots=True)
class LocalBroker:
    """A broker that runs on 127.0.0.1 until ``stop``. ``protocol`` is what ``mqtt.protocol`` should say."""

    description: str
    port: int
    protocol: Literal["auto", "3.1.1"]
    stop: Callable[[], None]


def start_local_broker() -> LocalBroker | None:
    """Start a broker; None where neither mosquitto nor amqtt is installed.

    Raises ``FleetError`` when one is installed but does not start.
    """
    return start_mosquitto() or start_amqtt()


def start_mosquitto() -> LocalBroker | None:
    """Start mosquitto on a free port; None where it is not installed. Raises ``FleetError``."""
    program = shutil.which("mosquitto") or shutil.which("mosquitto", path=":".join(_SEARCH))
    if program is None:
        return None
    port, stop = _start([program], _MOSQUITTO)
    return LocalBroker("mosquitto", port, "auto", stop)


def start_amqtt() -> LocalBroker | None:
    """Start amqtt on a free port; None where it is not installed. Raises ``FleetError``."""
    if importlib.util.find_spec("amqtt") is None:
        return None
    port, stop = _start([sys.executable, "-m", "amqtt.scripts.broker_script"], _AMQTT)
    return LocalBroker("amqtt (MQTT 3.1.1 only)", port, "3.1.1", stop)


def _start(command: Sequence[str], template: str) -> tuple[int, Callable[[], None]]:
    folder = tempfile.TemporaryDirectory(prefix="edged-broker-")
    port = _free_port()
    config = Path(folder.name) / "broker.conf"
    config.write_text(template.format(port=port, folder=folder.name))
    process = subprocess.Popen(  # noqa: S603 - a program found above, with a file of ours
        [*command, "-c", str(config)], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL, cwd=folder.name,
        start_new_session=True,  # Ctrl-C is for us: the broker still has to hear our goodbye
    )  # fmt: skip

    def stop() -> None:
        process.terminate()
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        folder.cleanup()

    try:
        _await_listening(port, alive=lambda: process.poll() is None)
    except BaseException:
        stop()
        raise
    return port, stop


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def _await_listening(port: int, *, alive: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while alive() and time.monotonic() < deadline:
        with socket.socket() as sock:
            if sock.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise FleetError(f"the local broker does not listen on 127.0.0.1:{port}")
