"""``edged doctor`` as a program: what it prints, how it ends, and that it leaves everything as it was."""

import json
import os
import secrets
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from edged.cli import doctor as command
from edged.doctor.examination import CHECKS
from edged.errors import ConfigError
from tests.fakes.mosquitto import PROGRAM, mosquitto
from tests.unit.doctor.conftest import Site, strike, with_lock

ROOT = Path(__file__).parents[3]


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def edged(
    site: Site, *arguments: str, expect: int = 0, **environment: str
) -> "subprocess.CompletedProcess[str]":
    done = subprocess.run(
        [sys.executable, "-m", "edged", *arguments, "--config", str(site.data / "config.yaml")],
        env={**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "200", **environment},
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == expect, done.stdout + done.stderr
    return done


def doctor(site: Site, *arguments: str, expect: int = 0, **environment: str) -> dict[str, Any]:
    report = json.loads(edged(site, "doctor", "--json", *arguments, expect=expect, **environment).stdout)
    assert report["ok"] == (expect == 0)
    return {row["check"]: row for row in report["checks"]}


def test_every_check_answers_on_any_machine_and_changes_nothing(site: Site) -> None:
    """A lock whose chip is not there: nothing may try to claim it."""
    camera = {"source": {"type": "file", "path": "absent.mp4"}, "first_frame_timeout_ms": 50}
    site.config(**with_lock(strike("GPIO5", chip="pinctrl-bcm2711")), camera=camera)
    found = doctor(site, expect=1)
    assert list(found) == list(CHECKS)
    assert {row["state"] for row in found.values()} <= {"ok", "warning", "failed", "not applicable"}
    assert all(row["detail"] for row in found.values())
    assert found["boot pull"]["state"] == found["camera"]["state"] == "failed"
    assert [path.name for path in site.data.iterdir()] == ["config.yaml"]


def here(site: Site, *arguments: str) -> Any:
    """Run the command within this process, which starts no interpreter."""
    app = typer.Typer()
    app.command()(command.doctor)
    return CliRunner().invoke(app, [*arguments, "--config", str(site.data / "config.yaml")])


def test_only_what_was_asked_for_decides(site: Site) -> None:
    site.config(**with_lock(strike("GPIO5")))
    done = here(site, "--only", "boot-pull", "--only", "keys")
    assert done.exit_code == 1
    assert "boot pull" in done.stdout
    assert "not applicable" in done.stdout
    assert "2 checks: 1 failed, 0 to know about." in done.stdout
    assert "camera" not in done.stdout
    alone = here(site, "--only", "keys")
    assert alone.exit_code == 0
    assert "1 check: 0 failed, 0 to know about." in alone.stdout
    assert here(site, "--only", "boot-pull", "--skip", "boot pull").exit_code == 2
    told = here(site, "--skip", "cammera")
    assert (told.exit_code, "cammera" in told.stderr) == (2, True)
    (site.data / "config.yaml").write_text("site: t\n")
    assert isinstance(here(site).exception, ConfigError)


@pytest.mark.skipif(PROGRAM is None, reason="mosquitto is not on this machine")
def test_secrets_given_by_the_service_manager_are_used(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """LoadCredential= puts them into a folder of the service's own, which $CREDENTIALS_DIRECTORY names."""
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    given = tmp_path / "credentials"
    given.mkdir()
    password = secrets.token_hex(8)
    (given / "mqtt-password").write_text(password + "\n")
    (given / "edged-vault-key").write_bytes(secrets.token_bytes(32))
    for path in given.iterdir():
        path.chmod(0o440)
    users = tmp_path / "users"
    subprocess.run(["mosquitto_passwd", "-c", "-b", str(users), "front", password], check=True)
    with mosquitto(tmp_path / "b", f"password_file {users}", anonymous=False) as broker:
        secret = "$CREDENTIALS_DIRECTORY/mqtt-password"
        mqtt = {"port": broker.port, "username": "front", "password_file": secret}
        site.sections["mqtt"] = mqtt
        (site.data / "config.yaml").write_text(json.dumps(site.sections))
        asked = ("--only", "broker", "--only", "keys", "--only", "permissions")
        found = doctor(site, *asked, CREDENTIALS_DIRECTORY=str(given))
        assert found["keys"]["facts"]["credential"]
        assert found["permissions"]["state"] == "ok"
        assert found["broker"]["facts"]["event"] == "unheard"
    refused = here(site, *asked)
    assert isinstance(refused.exception, ConfigError)
    assert "LoadCredential=" in str(refused.exception)
