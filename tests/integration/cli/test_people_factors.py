"""PINs and badges at the command line: never an argument, shown as yes or no."""

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from edged.cli import registry, second_factor
from edged.errors import EdgedError, NotFoundError
from edged.storage.people import PeopleStore
from edged.storage.vault import Vault

CONFIG = """\
site: hq
door_id: front
camera: {source: {type: v4l2, device: /dev/video0}}
door: {lock: {driver: fake}}
gallery: {path: people.db, key_file: vault.key}
second_factor: {enabled: true, socket_path: none.sock}
"""
APP = typer.Typer()
registry.register(APP)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "config.yaml").write_text(CONFIG)
    with PeopleStore.open(tmp_path / "people.db", Vault.open(tmp_path / "vault.key"), writable=True) as store:
        store.add_person("Ada", person_id="p-ada")
    return tmp_path


def run(folder: Path, *arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(APP, [*arguments, "--config", str(folder / "config.yaml")])
    if isinstance(done.exception, EdgedError):
        return done.exception.exit_code, str(done.exception)
    return done.exit_code, done.output


def shown(folder: Path) -> tuple[bool, bool]:
    facts = json.loads(run(folder, "people", "show", "Ada", "--json")[1])
    return facts["pin"], facts["badge"]


def test_a_pin_and_a_badge_come_and_go(folder: Path) -> None:
    (folder / "pin").write_text("482913\n")
    (folder / "badge").write_text("04:a1:b2:c3\n")
    assert shown(folder) == (False, False)
    assert run(folder, "people", "set-pin", "Ada", "--pin-file", str(folder / "pin"))[0] == 0
    assert run(folder, "people", "set-badge", "Ada", "--badge-file", str(folder / "badge"))[0] == 0
    assert shown(folder) == (True, True)
    text = run(folder, "people", "show", "Ada")[1]
    assert "pin           yes" in text
    assert "482913" not in text
    assert run(folder, "people", "remove-pin", "Ada")[0] == 0
    assert shown(folder) == (False, True)
    assert run(folder, "people", "remove-pin", "Ada") == (1, "p-ada has no pin")
    assert run(folder, "people", "remove-badge", "Ada")[0] == 0


@pytest.mark.parametrize(("content", "status"), [("1111\n", 1), ("987\n", 1), ("\n", 2), ("1" * 300, 2)])
def test_a_bad_pin_is_refused_and_not_repeated(folder: Path, content: str, status: int) -> None:
    (folder / "pin").write_text(content)
    got, text = run(folder, "people", "set-pin", "Ada", "--pin-file", str(folder / "pin"))
    assert got == status
    assert content.strip() == "" or content.strip() not in text
    assert shown(folder) == (False, False)


def test_without_a_terminal_nothing_is_asked(folder: Path) -> None:
    assert run(folder, "people", "set-pin", "Ada")[0] == 2
    assert run(folder, "second-factor", "answer")[0] == 2


def test_without_a_door_there_is_nobody_to_answer(folder: Path) -> None:
    (folder / "pin").write_text("482913\n")
    status, text = run(folder, "second-factor", "answer", "--secret-file", str(folder / "pin"))
    assert status == 1
    assert "nobody listens there" in text
    assert run(folder, "second-factor", "watch")[0] == 1


class Silent:
    """A keypad that hears nothing, however long it listens."""

    def send(self, line: bytes) -> None:
        raise AssertionError("there is nobody to answer for")

    def line(self, timeout: float | None = None) -> bytes | None:
        return None


def test_waiting_in_vain_says_for_how_long() -> None:
    with pytest.raises(NotFoundError, match=r"within 25 s; --wait waits longer"):
        second_factor._only_request(Silent(), 25)
