"""A door in a folder, on a board whose kernel says what a test wrote."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from edged.config import load
from edged.config.sections import Config
from edged.devices.clock import Clock
from edged.doctor.machine import Machine
from edged.doctor.patient import Patient

NOW = 1_800_000_000.0  # January 2027
FAKE = {"driver": "fake"}


def strike(line: str | int = "GPIO17", chip: str = "pinctrl-bcm2711", **more: str) -> dict[str, Any]:
    return {
        "driver": "gpiod", "chip": chip, "line": line, "active": "high", "power": "fail_secure", **more,
    }  # fmt: skip


class StatedClock(Clock):
    """A clock that is, or is not, disciplined; None: nobody tells."""

    def __init__(self, *, synced: bool | None) -> None:
        super().__init__()
        self._synced = synced

    def word(self) -> bool | None:
        return self._synced


class Site:
    """``data`` holds the configuration and what edged keeps, ``root`` the board's own files."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "root"
        self.data = folder / "data"
        self.data.mkdir(mode=0o700)
        self.sections: dict[str, Any] = {
            "site": "t",
            "door_id": "front",
            "camera": {"source": {"type": "file", "path": "x.mp4"}},
            "door": {"lock": FAKE},
            "mqtt": {"enabled": False},
            "journal": {"path": "journal.db"},
            "gallery": {"path": "people.db", "key_file": "vault.key"},
            "models": {"directory": "models"},
        }

    def kernel(self, name: str, text: str) -> Path:
        """Let the board say ``text`` in the file ``name`` below its root."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n")
        return path

    def file(self, name: str, mode: int = 0o600, content: bytes = b"") -> Path:
        path = self.data / name
        path.write_bytes(content)
        path.chmod(mode)
        return path

    def config(self, **sections: Any) -> Config:
        path = self.data / "config.yaml"
        path.write_text(yaml.safe_dump({**self.sections, **sections}))
        return load(path, {})

    def patient(self, *, now: float = NOW, synced: bool | None = True, **sections: Any) -> Patient:
        machine = Machine(self.root, StatedClock(synced=synced))
        return Patient(self.config(**sections), now, path=self.data / "config.yaml", machine=machine)


def with_lock(lock: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"door": {"lock": lock, **more}}


def json_safe(facts: object) -> bytes:
    return msgspec.json.encode(facts)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)
