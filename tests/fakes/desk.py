"""A door without ``door.socket``, its GPIO lines as files, and daemons that start its door process."""

import os
import subprocess
import sys
from pathlib import Path

from edged.config import load
from edged.doorway import reset
from edged.doorway.latch import in_emergency
from edged.doorway.tenant import Tenant, tenant_of
from tests.fakes.doorway import environment, until

LOCK, FIRE, RESET = 17, 5, 6
CONFIG = """
site: hq
door_id: front
camera: {{source: {{type: v4l2, device: /dev/video0}}}}
mqtt: {{enabled: false}}
door:
  lock: {{driver: gpiod, chip: 'folder:{chip}', line: 17, active: high, power: fail_secure}}
  inputs:
    fire: {{chip: 'folder:{chip}', line: 5, active: high, debounce_ms: 20}}
    reset: {{chip: 'folder:{chip}', line: 6, active: high, debounce_ms: 20}}
journal: {{path: journal.db}}
"""
DAEMON = """
import sys, time
from pathlib import Path
from edged.config import load
from edged.workers.door_child import DoorChild, door_state
config = load(Path("config.yaml"), {})
child = DoorChild(config, door_state(config))
child.start()
end = child.connect()
Path(sys.argv[1]).touch()
command = sys.stdin.readline().strip()
end.close()
child.leaves = lambda: command == "fail"
child.close()
"""


class Desk:
    """A door in ``folder``, and processes that start its door process as the daemon does."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.state = folder / "door"
        self.daemons: list[subprocess.Popen[str]] = []
        self.keepers: set[int] = set()
        (folder / "chip").mkdir()
        for line in (FIRE, RESET):
            self.level(line, high=False)
        (folder / "config.yaml").write_text(CONFIG.format(chip=folder / "chip"))

    def daemon(self) -> "subprocess.Popen[str]":
        process = self.start()
        self.keepers.add(self.tenant.pid)
        return process

    def start(self) -> "subprocess.Popen[str]":
        """Do the same where its door process may not be found."""
        began = self.folder / f"began-{len(self.daemons)}"
        with (self.folder / "log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-c", DAEMON, str(began)], cwd=self.folder, env=environment(), text=True,
                stdin=subprocess.PIPE, stdout=log, stderr=log,
            )  # fmt: skip
        self.daemons.append(process)
        until(began.exists)
        return process

    def end(self, daemon: "subprocess.Popen[str]", how: str = "stop") -> None:
        daemon.communicate(f"{how}\n", timeout=60)

    def level(self, line: int, *, high: bool) -> None:
        descriptor = os.open(self.folder / f"chip/line-{line}", os.O_WRONLY | os.O_CREAT, 0o600)
        os.pwrite(descriptor, b"1" if high else b"0", 0)
        os.close(descriptor)

    @property
    def released(self) -> bool:
        return (self.folder / f"chip/line-{LOCK}").read_bytes()[:1] == b"1"

    @property
    def tenant(self) -> Tenant:
        return until(lambda: tenant_of(self.state))

    def fire(self) -> None:
        self.level(FIRE, high=True)
        until(lambda: self.released and in_emergency(self.state) and self.tenant.emergency)

    def latch(self) -> None:
        """Have a fire behind it that nobody has reset."""
        self.state.mkdir()
        (self.state / "emergency").write_text("1\n")

    def orphan(self) -> Tenant:
        """Have a daemon killed in a fire."""
        daemon = self.daemon()
        self.fire()
        daemon.kill()
        daemon.wait(60)
        until(lambda: self.tenant.deserted)
        return self.tenant

    def reset(self) -> None:
        """Do what ``edged door reset`` does."""
        reset.reset(load(self.folder / "config.yaml", {}).door, self.state)

    def gone(self) -> bool:
        return tenant_of(self.state) is None
