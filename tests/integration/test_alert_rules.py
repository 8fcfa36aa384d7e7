"""The alert rules, by the tool of Prometheus itself."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from edged.cli import registry

FOLDER = Path(__file__).parents[2] / "monitoring"
PROMTOOL = shutil.which("promtool")
needs_promtool = pytest.mark.skipif(PROMTOOL is None, reason="promtool is not on this machine")
RULES = [
    rule for group in yaml.safe_load((FOLDER / "alerts.yml").read_text())["groups"] for rule in group["rules"]
]


@needs_promtool
@pytest.mark.parametrize(
    "arguments",
    [
        ("check", "rules", "alerts.yml"),
        ("test", "rules", "alerts_test.yml"),
        ("check", "config", "--syntax-only", "prometheus.yml"),
    ],
    ids=lambda arguments: " ".join(arguments[:2]),
)
def test_prometheus_understands_it(arguments: tuple[str, ...]) -> None:
    done = subprocess.run(
        [PROMTOOL or "", *arguments], cwd=FOLDER, capture_output=True, text=True, check=False, timeout=240
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_is_among_the_tested_ones() -> None:
    text = (FOLDER / "alerts_test.yml").read_text()
    assert len(RULES) == 57
    for rule in RULES:
        assert f'alertname="{rule["alert"]}", severity="{rule["labels"]["severity"]}"' in text
        assert f"name: limits of {rule['alert']}\n" in text


def runbook(alert: str) -> str:
    (rule,) = (rule for rule in RULES if rule["alert"] == alert)
    return str(rule["annotations"]["runbook"])


def test_a_quarantine_is_not_blamed_on_the_access_list() -> None:
    # A topic that is refused pauses and is tried for ever (``workers.delivery``): no row of it is put aside.
    assert "What an access list refuses is not here" in runbook("EdgedEventsQuarantined")
    (rule,) = (rule for rule in RULES if rule["alert"] == "EdgedEventsQuarantined")
    assert "does not take" not in rule["annotations"]["summary"]


def test_a_line_held_open_is_secured_at_its_owner_and_by_a_reset_after_a_fire() -> None:
    text = runbook("EdgedLockHeldOpen")
    units = re.findall(r"systemctl stop (\S+?\.service)", text)
    owner = (FOLDER.parent / "systemd" / units[0]).read_text()
    assert "-m edged.doorway" in owner  # whoever has the line, not whoever watches the camera
    assert "edged door reset" in text


def test_every_runbook_line_names_commands_that_exist() -> None:
    app = typer.Typer()
    registry.register(app)
    root = typer.main.get_command(app)
    found = 0
    for rule in RULES:
        runbook = rule["annotations"]["runbook"]
        assert "\n" not in runbook
        for words in re.findall(r"\bedged ((?:[a-z]+(?:-[a-z]+)* ?){1,3})", runbook):
            found += 1
            assert leads_somewhere(root, words.split()), f"{rule['alert']}: edged {words}"
    assert found >= 10


def leads_somewhere(command: Any, words: list[str]) -> bool:
    """Whether the words start with a command, its group passed through; prose may follow it."""
    while hasattr(command, "commands"):
        if not words or words[0] not in command.commands:
            return False
        command, words = command.commands[words[0]], words[1:]
    return True
