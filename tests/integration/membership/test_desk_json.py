"""What the desk's commands say as JSON."""

import json
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from edged.cli import fleet, fleet_command, fleet_publish, registry
from edged.fleet.joining import DoorCard, read_joining, write_joining
from edged.publishing.doors import add_door
from edged.publishing.release import FleetFolder
from tests.integration.membership.fleet import GROUP, Door, wanted


@pytest.fixture
def asked(folder: FleetFolder, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run a command at this desk, without a broker, and parse what it prints."""
    for module in (fleet, fleet_command, fleet_publish):
        monkeypatch.setattr(module, "open_fleet", lambda *_, **__: folder)
    for module in (fleet_command, fleet_publish):
        monkeypatch.setattr(module, "push", lambda *_, **__: None)
    app = typer.Typer()
    registry.register(app)

    def run(*words: str) -> Any:
        done = CliRunner().invoke(app, ["fleet", *words, "--json"])
        assert done.exit_code == 0, done.output
        return json.loads(done.stdout)

    return run


def test_denials_keys_and_releases(folder: FleetFolder, front: Door, asked: Any) -> None:
    folder.publish(GROUP, wanted(1, 2))
    assert asked("deny", GROUP, "p-00001") == {"group": GROUP, "version": 1, "denied": ["p-00001"]}
    assert asked("deny", GROUP, "p-00001", "--undo")["denied"] == []
    assert asked("renew", "--days", "1") == {"group": GROUP, "days": 1.0}
    rotated = asked("rotate-keys", "daily")
    assert rotated["key"] == "daily"
    assert rotated["old"] is None or Path(rotated["old"]).exists()
    key = {"key": "boss", "group": GROUP}
    assert asked("command-key", GROUP, "boss", "--may", "unlock") == key | {"may": ["unlock"]}
    assert asked("command-key", GROUP, "boss", "--remove") == key | {"may": []}
    folder.publish(GROUP, wanted(1, 2, 3, only=("front",)))
    assert asked("release", GROUP) == {"group": GROUP, "version": folder.register.read().group(GROUP).version}


def test_a_door_that_leaves(
    folder: FleetFolder, front: Door, asked: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.publish(GROUP, wanted(1))
    monkeypatch.setattr(fleet, "_clear", lambda *_: ())
    assert asked("remove-door", "front") == {"door": "front", "left": GROUP, "not_cleared": []}


def test_a_door_that_joins(
    tmp_path: Path, folder: FleetFolder, front: Door, asked: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    site, name = folder.register.read().site, "back"
    Path("config.yaml").write_text(
        f"site: {site}\ndoor_id: {name}\ncamera: {{source: {{type: file, path: x.mp4}}}}\n"
        "door: {lock: {driver: fake}}\n"
    )
    told = asked("card", "-o", "back.card")
    assert told["card"] == json.loads(Path("back.card").read_text()) == asked("card")["card"]
    assert (told["door"], told["file"]) == (name, "back.card")
    invitation = add_door(folder, read_joining(Path("back.card").read_bytes(), DoorCard), GROUP)
    Path("invitation").write_text(write_joining(invitation))
    assert asked("join", "invitation", "--fingerprint", invitation.fingerprint) == {
        "group": GROUP, "fingerprint": invitation.fingerprint, "enabled": False,
    }  # fmt: skip


def test_a_fleet_that_begins(tmp_path: Path, asked: Any) -> None:
    secret = tmp_path / "passphrase"
    secret.write_text("correct horse battery staple\n")
    secret.chmod(0o600)
    found = asked(
        "init", "hq", "--fleet", str(tmp_path / "new"), "--passphrase-file", str(secret), "--group", "all"
    )
    assert found == {
        "fleet": str(tmp_path / "new"), "site": "hq", "group": "all",
        "config": str(tmp_path / "new/config.yaml"),
    }  # fmt: skip
    assert (tmp_path / "new/config.yaml").is_file()
