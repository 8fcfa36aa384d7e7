"""A crash between the record of a grant and the door's answer: the punch never happened."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from edged.config.sections import JournalConfig
from edged.domain.event_body import standing_punches
from edged.domain.types import Event, EventKind
from edged.metrics import Metrics
from edged.storage.journal import Journal
from edged.storage.journal_reader import JournalReader
from edged.workers.event_log import EventLog
from edged.workers.open_punches import LeftOpen, withdraw_unanswered
from tests.integration.storage.conftest import event
from tests.unit.workers.test_recognition import FakeClock


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    opened = Journal.open(JournalConfig(path=tmp_path / "journal.db"))
    yield opened
    opened.close()


def punch(number: int, boot_id: str = "before") -> list[Event]:
    access = replace(event(10 * number), boot_id=boot_id)
    body = {"direction": "in", "punch": "in", "access_event_id": access.event_id}
    punched = replace(event(10 * number + 1, EventKind.ATTENDANCE), boot_id=boot_id, body=body)
    return [access, punched]


def answer(number: int, state: str, boot_id: str = "before") -> Event:
    body = {"type": state, "cause": "face", "access_event_id": event(10 * number).event_id}
    return replace(event(10 * number + 2, EventKind.DOOR, None), boot_id=boot_id, body=body)


def news(number: int, kind: str) -> Event:
    return replace(event(10 * number + 3, EventKind.SYSTEM, None), boot_id="before", body={"type": kind})


def restart(journal: Journal) -> tuple[list[str], list[str]]:
    """The next start: the ids of what it takes back, and of the punches that stand."""
    log = EventLog(journal, Metrics(CollectorRegistry()), FakeClock(), "now")
    found = withdraw_unanswered(journal._path, log)
    with JournalReader.open(journal._path) as reader:
        assert reader.verify().ok
        stands = [stored.event.event_id for stored in standing_punches(reader.events())]
    return [str(one.body["withdraws"]) for one in found], stands


def test_the_punch_of_a_door_that_never_answered_is_taken_back_once(journal: Journal) -> None:
    journal.submit([*punch(1), answer(1, "unlocked"), *punch(2)]).result()
    first, second = event(11).event_id, event(21).event_id
    assert restart(journal) == ([second], [first])
    assert restart(journal) == ([], [first])


@pytest.mark.parametrize("state", ["unlocked", "locked"])
def test_the_punch_of_a_door_that_did_open_stands(journal: Journal, state: str) -> None:
    journal.submit([*punch(1), answer(1, state)]).result()
    assert restart(journal) == ([], [event(11).event_id])


def test_a_punch_that_the_door_took_back_is_not_taken_back_again(journal: Journal) -> None:
    taken = replace(event(15, EventKind.ATTENDANCE), body={"withdraws": event(11).event_id})
    journal.submit([*punch(1), answer(1, "refused"), replace(taken, boot_id="before")]).result()
    assert restart(journal) == ([], [])


def test_where_rows_were_lost_every_punch_before_stands(journal: Journal) -> None:
    journal.submit([*punch(1), news(1, "storage_recovered"), *punch(2)]).result()
    assert restart(journal) == ([event(21).event_id], [event(11).event_id])


def test_what_came_after_the_crash_does_not_hide_the_open_punch(journal: Journal) -> None:
    trial = replace(news(2, "trial"), boot_id="a command")
    journal.submit([*punch(1), trial]).result()
    assert restart(journal) == ([event(11).event_id], [])


def test_an_empty_journal_has_no_open_punch(journal: Journal) -> None:
    assert restart(journal) == ([], [])


class LateDoor:
    """A door process that was away when the daemon started."""

    caught_up = False


def test_while_the_door_has_not_told_everything_no_punch_is_taken_back(journal: Journal) -> None:
    journal.submit([*punch(1), *punch(2)]).result()
    log, door, late = EventLog(journal, Metrics(CollectorRegistry()), FakeClock(), "now"), LateDoor(), []
    left = LeftOpen(journal._path, log, door, lambda: late.append(1))
    left.look()
    # It comes back: the second person did get in, and a third comes in now.
    journal.submit([answer(2, "unlocked"), *punch(3, boot_id="now")]).result()
    left.look()
    assert not late
    door.caught_up = True
    left.look()
    left.look()
    with JournalReader.open(journal._path) as reader:
        stands = [stored.event.event_id for stored in standing_punches(reader.events())]
    assert (stands, late) == ([event(21).event_id, event(31).event_id], [1])
