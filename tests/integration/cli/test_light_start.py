"""What a command does not need it does not import: on a small board every package costs time."""

import contextlib
import io
import shlex
import subprocess
import sys
import time
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

import pytest
import typer
from typer._coercion import build_runtime_param

from edged.cli.lazy import LazyGroup
from edged.cli.light_values import lighten
from edged.cli.main import app
from edged.cli.registry import ENTRIES, register
from edged.config.sections import ModelsConfig
from edged.demo.trial_door import make_trial_door
from edged.errors import NotFoundError, StoreError
from edged.evaluation.start_time import first_decision
from tests.e2e.door import environment
from tests.fakes.doorway import until

CONFIG = """
site: hq
door_id: front
camera: {source: {type: v4l2, device: /dev/video0}}
door: {lock: {driver: fake}}
mqtt: {enabled: false}
journal: {path: journal.db}
gallery: {path: people.db, key_file: vault.key}
"""
MODELS = {"numpy", "cv2", "onnxruntime"}
NETWORK = {"paho", "tuf", "securesystemslib", "requests", "urllib3", "psycopg", "ssl"}
PAGES = {"pygments", "markdown_it", "rich.markdown", "rich.traceback"}
PYDANTIC = {"pydantic", "pydantic_core"}
FILES = {"msgspec", "yaml", "sqlite3", "cryptography", "prometheus_client"}
PROGRAM = """
import gc, sys
from edged.cli.main import main
try:
    main()
finally:
    print("garbage:", gc.isenabled(), gc.get_freeze_count() > 10_000, file=sys.stderr)
    print("imported:", *sys.modules, file=sys.stderr)
"""


def imported_by(folder: Path, *arguments: str, code: int = 0) -> tuple[str, set[str]]:
    """What a command prints, and every module that it has imported by its end."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *arguments],
        cwd=folder, capture_output=True, text=True, timeout=60, check=False, env=environment(),
    )  # fmt: skip
    assert done.returncode == code, done.stderr
    return done.stdout, set(done.stderr.rpartition("imported:")[2].split())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "config.yaml").write_text(CONFIG)
    return tmp_path


def test_the_table_of_contents_imports_no_command(folder: Path) -> None:
    page, modules = imported_by(folder, "--help")
    assert all(entry.name in page for entry in ENTRIES)
    assert not modules & (MODELS | NETWORK | FILES | PAGES)
    assert not [name for name in modules if name.startswith(("edged.config", "edged.domain", "edged.cli.e"))]


@pytest.mark.parametrize(
    ("command", "unwanted"),
    [
        (("--version",), MODELS | NETWORK | FILES | PAGES | {"rich"}),
        (("door", "--help"), MODELS | NETWORK | FILES | PAGES),
        (("config", "check"), MODELS | NETWORK | PAGES | PYDANTIC | {"rich", "sqlite3", "cryptography"}),
        (("door", "safe"), MODELS | NETWORK | PAGES | PYDANTIC | {"rich", "sqlite3", "cryptography"}),
    ],
    ids=["version", "help of a group", "config check", "door safe"],
)
def test_a_command_imports_no_more_than_it_needs(
    folder: Path, command: tuple[str, ...], unwanted: set[str]
) -> None:
    _, modules = imported_by(folder, *command)
    assert not modules & unwanted


def test_a_configuration_that_is_wrong_is_refused_before_any_model_is_thought_of(folder: Path) -> None:
    (folder / "config.yaml").write_text(CONFIG.replace("driver: fake", "driver: fale"))
    _, modules = imported_by(folder, "run", code=78)
    assert not modules & (MODELS | NETWORK | PYDANTIC | FILES - {"msgspec", "yaml"})


def brought_by(module: str) -> set[str]:
    """What is imported with ``module``."""
    done = subprocess.run(
        [sys.executable, "-c", f"import sys, {module}; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
        env=environment(),
        timeout=60,
    )
    return set(done.stdout.split())


def test_a_door_without_a_fleet_imports_nothing_of_it(folder: Path) -> None:
    modules = brought_by("edged.app")
    assert not modules & (
        {"tuf", "securesystemslib", "requests", "urllib3", "psycopg", "rich", "typer"} | PAGES
    )


def test_the_door_process_imports_nothing_but_what_moves_a_line() -> None:
    modules = brought_by("edged.doorway.main")
    unwanted = MODELS | NETWORK | PAGES | PYDANTIC | FILES - {"msgspec", "yaml"}
    assert not modules & (
        unwanted | {"typer", "rich", "email", "http", "hashlib", "edged.app", "edged.metrics"}
    )


def decided(folder: Path, since: float) -> bool:
    with contextlib.suppress(StoreError, NotFoundError):  # until the daemon has made its journal
        return first_decision(folder, since) is not None
    return False


def test_a_door_that_has_decided_has_imported_nothing_that_it_does_without(tmp_path: Path) -> None:
    """What a library imports at its first call would keep the first visitor waiting."""
    make_trial_door(tmp_path, ModelsConfig(), people=2)
    began_at = time.monotonic()
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, "run"],
        cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=environment(),
    ) as door:  # fmt: skip
        try:
            until(lambda: decided(tmp_path, began_at), seconds=100)
        finally:
            door.terminate()
            said = door.communicate(timeout=60)[1]
    modules = set(said.rpartition("imported:")[2].split())
    assert "cv2" in modules
    assert "garbage: True True" in said  # what was imported is no longer looked through, all else is
    assert not modules & (NETWORK - {"paho", "ssl"} | PAGES | PYDANTIC | {"rich", "numpy.ma", "numpy.random"})
    assert not [
        name for name in modules if name.startswith(("edged.evaluation", "edged.demo", "edged.enrolment"))
    ]


def test_the_table_says_what_each_command_says_of_itself() -> None:
    whole = typer.Typer()
    register(whole)
    real = typer.main.get_group(whole).commands
    known = typer.main.get_group(app)
    assert isinstance(known, LazyGroup)
    assert list(known.commands) == list(real)
    for name, command in real.items():
        first, _, _ = (command.help or "").partition("\n\n")
        assert known.commands[name].help == " ".join(first.split()), name


def test_a_command_that_is_wanted_takes_the_place_of_its_name() -> None:
    group = typer.main.get_group(app)
    assert isinstance(group, LazyGroup)
    context = group.context_class(group, info_name="edged")
    assert not hasattr(group.commands["events"], "commands")
    name, events, rest = group.resolve_command(context, ["events", "tail", "-f"])
    assert (name, rest) == ("events", ["tail", "-f"])
    assert {"tail", "export", "quarantine", "replay"} <= set(events.commands)
    assert group.commands["events"] is events
    assert group.resolve_command(context, ["events"])[1] is events


def test_what_the_pages_do_without_can_be_had_afterwards() -> None:
    code = (
        "import sys; from edged.cli.lazy import prepare_pages; prepare_pages(['--help'])\n"
        "assert 'typer.rich_utils' in sys.modules and 'rich.markdown' not in sys.modules\n"
        "from rich.markdown import Markdown; from rich.traceback import Traceback\n"
        "assert Markdown('*x*').parsed and Traceback.from_exception"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env=environment(), timeout=60)


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


def toy(  # noqa: PLR0917
    where: Path = Path("config.yaml"),
    there: Annotated[Path | None, typer.Option(exists=True, dir_okay=False)] = None,
    name: str | None = None,
    count: Annotated[int, typer.Option(min=1, max=9)] = 3,
    share: float = 0.5,
    colour: Colour | None = None,
    mode: Literal["a", "b"] = "a",
    also: Annotated[list[str] | None, typer.Option()] = None,
    loud: bool = False,
) -> None:
    typer.echo(repr((where, there, name, count, share, colour, mode, also, loud)))


@pytest.mark.parametrize(
    "words",
    [
        "",
        "--where a/b --name Ada --count 9 --share 1 --colour blue --mode b --also x --also y --loud",
        "--there nowhere",
        "--there .",
        "--there config.yaml --name '' --where ''",
        "--count 10",
        "--count many",
        "--share x",
        "--colour green",
        "--mode c",
        "--name \udcff",
        "--where \udcff",
    ],
)
def test_light_values_are_those_of_typer(words: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    answers = []
    for light in (False, True):
        monkeypatch.setattr(typer.core, "build_runtime_param", build_runtime_param)
        if light:
            lighten()
        made = typer.Typer()
        made.command()(toy)
        command = typer.main.get_command(made)
        context = {"standalone_mode": False}
        try:
            with contextlib.redirect_stdout(io.StringIO()) as said:
                command.main(shlex.split(words), **context)
            answers.append(said.getvalue())
        except typer.TyperException as exc:
            answers.append(str(getattr(exc, "message", exc)))
    assert answers[0] == answers[1]
    assert answers[0]
