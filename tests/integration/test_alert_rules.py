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
        [PROMTOOL or "", *arguments], cwd=FOLDER, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_is_among_the_tested_ones() -> None:
    text = (FOLDER / "alerts_test.yml").read_text()
    assert len(RULES) == 26
    for rule in RULES:
        assert f'alertname="{rule["alert"]}", severity="{rule["labels"]["severity"]}"' in text


def test_every_runbook_line_names_commands_that_exist() -> None:
    app = typer.Typer()
    registry.register(app)
    root = typer.main.get_command(app)
    found = 0
    for rule in RULES:
        runbook = rule["annotations"]["runbook"]
        assert "\n" not in runbook
        for words in re.findall(r"\bedged ((?:[a-z]+ ?){1,3})", runbook):
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
