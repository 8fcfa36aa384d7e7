"""``edged events quarantine`` on a real journal, with and without a daemon that holds it."""

import json
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from edged.cli import events_quarantine, registry
from edged.config.sections import JournalConfig
from edged.errors import NotFoundError
from edged.storage.journal import Journal
from tests.fakes.outbox import event
from tests.integration.cli.test_events import CONFIG

Run = Callable[..., str]


@pytest.fixture
def journal_config(tmp_path: Path) -> JournalConfig:
    """A journal of three events, two of them in quarantine."""
    config = JournalConfig(path=tmp_path / "var" / "journal.db")
    journal = Journal.open(config)
    journal.submit([event(), event(), event()]).result()
    journal.quarantine(3, "100000 bytes are more than the broker takes")
    journal.quarantine(1, "the broker finds it malformed")
    journal.close()
    return config


@pytest.fixture
def run(tmp_path: Path, journal_config: JournalConfig) -> Run:
    app = typer.Typer()
    registry.register(app)
    path = tmp_path / "config.yaml"
    path.write_text(CONFIG)

    def invoke(*words: str, code: int = 0) -> str:
        words = ("events", "quarantine", *words, "--config", str(path))
        result = CliRunner().invoke(app, words, catch_exceptions=False)
        assert result.exit_code == code, result.output
        return result.stdout

    return invoke


def pending(config: JournalConfig) -> list[int]:
    journal = Journal.open(config)
    try:
        return [stored.seq for stored in journal.pending(0, 10)]
    finally:
        journal.close()


def test_what_is_in_quarantine_is_listed_with_its_reason(run: Run) -> None:
    found = json.loads(run("list", "--json"))
    assert [one["seq"] for one in found] == [1, 3]
    assert found[0]["reason"] == "the broker finds it malformed"
    assert found[0]["kind"] == "access"
    lines = run("list").splitlines()
    assert [line.split()[0] for line in lines] == ["1", "3"]
    assert lines[0].endswith("the broker finds it malformed")
    assert found[1]["event_id"] in lines[1]
    assert "2027-01-15 09:00:00+01:00" in lines[1]


def test_without_a_daemon_all_are_put_back_at_once(run: Run, journal_config: JournalConfig) -> None:
    assert json.loads(run("retry", "--json")) == {"events": [1, 3], "put_back": True}
    assert pending(journal_config) == [1, 2, 3]
    assert run("list").strip() == "No event is in quarantine."
    assert run("retry").startswith("0 events")


def test_one_of_them_is_put_back_and_an_unknown_one_is_refused(
    run: Run, journal_config: JournalConfig
) -> None:
    with pytest.raises(NotFoundError, match="not in quarantine: 2"):
        run("retry", "2", "3")
    run("retry", "3")
    assert pending(journal_config) == [2, 3]


def test_a_daemon_is_asked_and_does_it(run: Run, journal_config: JournalConfig) -> None:
    journal, done = Journal.open(journal_config), threading.Event()

    def serve() -> None:
        while not done.wait(0.05):
            journal.put_back_asked()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        assert run("retry").startswith("2 events put back")
        assert [stored.seq for stored in journal.pending(0, 10)] == [1, 2, 3]
    finally:
        done.set()
        thread.join()
        journal.close()


def test_a_daemon_that_does_not_answer_is_said_and_finds_the_request_later(
    run: Run, journal_config: JournalConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events_quarantine, "_DAEMON_SECONDS", 0.2)
    journal = Journal.open(journal_config)
    try:
        assert json.loads(run("retry", "1", "--json", code=1)) == {"events": [1], "put_back": False}
        assert journal.put_back_asked() == [1]
    finally:
        journal.close()
