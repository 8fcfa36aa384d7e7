from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from edged.cli import enrol


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("Jane",),
        ("Jane", "a.jpg", "--camera"),
        ("Jane", "--folder", "x"),
        ("--folder", "x", "--table", "y.csv"),
        ("--folder", "x", "--camera"),
        ("--add-to", "Jane"),
        ("--add-to", "Jane", "a.jpg", "--camera"),
        ("--add-to", "Jane", "a.jpg", "--group", "staff"),
        ("--add-to", "Jane", "a.jpg", "--valid-from", "2031-01-01"),
        ("--add-to", "Jane", "a.jpg", "--valid-until", ""),
        ("--add-to", "Jane", "a.jpg", "--consent-basis", "consent"),
        ("--add-to", "Jane", "a.jpg", "--consent-policy", "v1"),
        ("--add-to", "Jane", "a.jpg", "--consent-until", "2031-01-01"),
        ("Jane", "a.jpg", "--group-column", "team"),
        ("--folder", "x", "--valid-until-column", "until"),
    ],
)
def test_unclear_wishes_are_usage_errors_before_anything_is_opened(
    tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    app = typer.Typer()
    app.command()(enrol.enrol)
    result = CliRunner().invoke(app, [*arguments, "--config", str(tmp_path / "missing.yaml")])
    assert result.exit_code == 2


def test_whoever_adds_photographs_is_told_what_changes_the_terms(tmp_path: Path) -> None:
    app = typer.Typer()
    app.command()(enrol.enrol)
    result = CliRunner().invoke(
        app, ["--add-to", "Jane", "a.jpg", "--group", "staff"], env={"COLUMNS": "200"}
    )
    assert "edged people set" in result.stderr


def test_a_cell_of_a_table_cannot_steer_the_terminal() -> None:
    assert enrol.plain("a\x1b[2Jb\u202ec") == "a\ufffd[2Jb\ufffdc"
