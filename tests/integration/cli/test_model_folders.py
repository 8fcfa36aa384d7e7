"""What a command says about packs names the folder that it was given."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from edged.cli.main import app
from edged.cli.registry import register
from edged.errors import ModelError
from edged.vision.packs import shipped_directory


def with_models_option(command: Any, words: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every command that takes ``--models``, as its words."""
    for name, below in getattr(command, "commands", {}).items():
        yield from with_models_option(below, (*words, name))
    if words != ("demo",) and any("--models" in parameter.opts for parameter in command.params):
        yield words


def whole() -> Any:
    every = typer.Typer()
    register(every)
    return typer.main.get_command(every)


COMMANDS = list(with_models_option(whole()))


def test_there_are_commands_to_ask() -> None:
    assert len(COMMANDS) >= 12


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_a_folder_of_packs_that_is_none_is_named(words: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for folder in ("nowhere", "file"):
        done = CliRunner().invoke(app, [*words, "--models", str(tmp_path / folder)])
        told = "".join(done.output.split()).replace("│", "")
        assert done.exit_code == 2, done.output
        assert f"{tmp_path}/{folder}" in told


@pytest.mark.parametrize(
    "command",
    [
        ["bench", "--models", "{}", "--detector", "yunet"],
        ["bench", "--models", "{}", "--embedder", "arcface-y1"],
        ["bench", "--models", "{}", "--liveness", "minifasnet"],
        ["models", "compile", "yunet", "--directory", "{}"],
        ["models", "quantize", "yunet", "--photos", "{}", "--directory", "{}"],
    ],
    ids=" ".join,
)
def test_a_pack_that_is_not_installed_is_missed_in_the_folder_given(
    command: list[str], tmp_path: Path
) -> None:
    asked = [word.replace("{}", str(tmp_path)) for word in command]
    error = CliRunner().invoke(app, asked).exception
    assert isinstance(error, ModelError)
    assert f"{tmp_path}/" in str(error)
    assert str(shipped_directory()) not in str(error)


def test_a_pack_that_nobody_knows_is_missed_in_the_folder_given(tmp_path: Path) -> None:
    error = CliRunner().invoke(app, ["bench", "--models", str(tmp_path), "--detector", "nobody"]).exception
    assert f"no model pack 'nobody' in {tmp_path}" in str(error)
