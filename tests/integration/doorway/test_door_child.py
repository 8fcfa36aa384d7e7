"""A door process of the daemon's own speaks to no service manager, which would take it for the daemon."""

import os
import socket
from pathlib import Path

import pytest

from edged.config import load
from edged.workers.door_child import DoorChild

CONFIG = """
site: hq
door_id: front
camera: {{source: {{type: v4l2, device: /dev/video0}}}}
door: {{lock: {{driver: gpiod, chip: 'folder:{chip}', line: 17, active: low, power: fail_secure}}}}
"""


def test_it_is_not_ready_nor_alive_in_the_daemons_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "config.yaml").write_text(CONFIG.format(chip=tmp_path / "chip"))
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    monkeypatch.setenv("WATCHDOG_USEC", "600000")
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[3]))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(os.environ["NOTIFY_SOCKET"])
        manager.setblocking(False)
        child = DoorChild(load(tmp_path / "config.yaml", {}), tmp_path / "state")
        try:
            child.start()  # it has the line, and has said what it says once it has
        finally:
            child.close()
        with pytest.raises(BlockingIOError):
            manager.recv(4096)
