"""A delay outlives the daemon that began it: what a real journal says of it at the next start."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from edged.config.sections import JournalConfig
from edged.domain.attempts import AttemptLimit, seconds_left
from edged.domain.types import Decision, Event, EventKind, Outcome, Reason
from edged.storage.journal import Journal
from edged.workers.policy import attempts_before
from tests.integration.storage.conftest import event
from tests.unit.workers.test_recognition import FakeClock

LIMIT = AttemptLimit(count=5, window_seconds=60, delay_seconds=30)
GRANT = Decision(Outcome.GRANT, Reason.MATCHED, 1, "p1")


class BootClock(FakeClock):
    """A clock of one boot of the machine, 110 seconds old."""

    def __init__(self, boot: str = "this-boot") -> None:
        super().__init__()
        self.now, self.boot = 110.0, boot

    def machine_boot(self) -> str:  # type: ignore[override]
        return self.boot


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    opened = Journal.open(JournalConfig(path=tmp_path / "journal.db"))
    yield opened
    opened.close()


def told(number: int, kind: EventKind, at: float = 90.0, **body: object) -> Event:
    told = replace(event(number, kind, None), monotonic_at=at, boot_id="before", body=body)
    return told if "until" not in body else replace(told, body={**body, "until_unix": told.occurred_at + 30})


def started(number: int, boot: str = "this-boot") -> Event:
    return told(number, EventKind.SYSTEM, 50.0, type="started", machine_boot=boot)


def delay(number: int, at: float) -> Event:
    """The alarm of a delay of 30 seconds that began ``at`` so many seconds after the machine did."""
    return told(number, EventKind.ALARM, at, type="too_many_attempts", until=None)


def left(journal: Journal, clock: FakeClock) -> float | None:
    """For how long somebody who belongs here is refused."""
    return seconds_left(attempts_before(journal._path, LIMIT, clock).judge(GRANT, LIMIT, clock.now))


@pytest.mark.parametrize(("began", "seconds"), [(90.0, 10.0), (109.0, 29.0), (79.9, None)])
def test_the_rest_of_the_delay_is_kept(journal: Journal, began: float, seconds: float | None) -> None:
    journal.submit([started(1), delay(2, 60.0), delay(3, began)]).result()
    assert left(journal, BootClock()) == (None if seconds is None else pytest.approx(seconds))


def test_alarms_of_other_kinds_do_not_hide_it(journal: Journal) -> None:
    journal.submit([started(1), delay(2, 90.0), told(3, EventKind.ALARM, 91.0, type="not_live")]).result()
    assert left(journal, BootClock()) == pytest.approx(10.0)


def test_a_delay_that_was_shortened_meanwhile_is_short_from_its_beginning_on(journal: Journal) -> None:
    journal.submit([started(1), delay(2, 107.0)]).result()
    clock = BootClock()
    for seconds, left_over in ((5.0, 2.0), (2.0, None)):
        limit = replace(LIMIT, delay_seconds=seconds)
        judged = attempts_before(journal._path, limit, clock).judge(GRANT, limit, clock.now)
        assert seconds_left(judged) == (left_over and pytest.approx(left_over))


def test_without_a_limit_there_is_no_delay(journal: Journal) -> None:
    journal.submit([started(1), delay(2, 109.0)]).result()
    clock = BootClock()
    assert attempts_before(journal._path, None, clock).judge(GRANT, LIMIT, clock.now) == GRANT


@pytest.mark.parametrize("boots", [("another", "this-boot"), ("this-boot", "another"), ("", "")])
def test_the_clock_of_another_boot_says_nothing(journal: Journal, boots: tuple[str, str]) -> None:
    journal.submit([started(1, boots[0]), delay(2, 109.0)]).result()
    assert left(journal, BootClock(boots[1])) is None


def test_without_a_journal_there_was_nothing(tmp_path: Path) -> None:
    clock = BootClock()
    assert attempts_before(tmp_path / "none.db", LIMIT, clock).judge(GRANT, LIMIT, clock.now) == GRANT


def test_an_alarm_that_says_no_time_is_none(journal: Journal) -> None:
    journal.submit([started(1), told(2, EventKind.ALARM, type="too_many_attempts")]).result()
    assert left(journal, BootClock()) is None
