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
    ],
)
def test_unclear_wishes_are_usage_errors_before_anything_is_opened(
    tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    app = typer.Typer()
    app.command()(enrol.enrol)
    result = CliRunner().invoke(app, [*arguments, "--config", str(tmp_path / "missing.yaml")])
    assert result.exit_code == 2


def test_a_cell_of_a_table_cannot_steer_the_terminal() -> None:
    assert enrol.plain("a\x1b[2Jb\u202ec") == "a\ufffd[2Jb\ufffdc"
