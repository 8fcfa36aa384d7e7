"""Events that could not be written are kept and offered again."""

from collections.abc import Sequence
from concurrent.futures import Future

import pytest
from prometheus_client import CollectorRegistry

from edged.domain.types import Event, EventKind, StoredEvent
from edged.errors import StoreError
from edged.metric_labels import ALARMS
from edged.metrics import Metrics
from edged.workers.event_log import EventLog, Written
from tests.unit.workers.test_recognition import FakeClock


class FakeJournal:
    """Accepts, fails, or keeps the caller waiting, as told."""

    def __init__(self) -> None:
        self.mode = "accept"
        self.rows: list[Event] = []
        self.waiting: list[tuple[Future[tuple[StoredEvent, ...]], Sequence[Event]]] = []

    def submit(self, events: Sequence[Event]) -> Future[tuple[StoredEvent, ...]]:
        future: Future[tuple[StoredEvent, ...]] = Future()
        if self.mode == "hang":
            self.waiting.append((future, events))
        elif self.mode == "fail":
            future.set_exception(StoreError("no space left"))
        else:
            self.settle(future, events)
        return future

    def settle(self, future: Future[tuple[StoredEvent, ...]], events: Sequence[Event]) -> None:
        self.rows += events
        future.set_result(tuple(StoredEvent("e", len(self.rows), event, "") for event in events))


class Desk:
    def __init__(self) -> None:
        self.journal, self.clock = FakeJournal(), FakeClock()
        self.metrics = Metrics(CollectorRegistry())
        self.woken = 0
        self.log = EventLog(self.journal, self.metrics, self.clock, "boot", self.wake)

    @property
    def dropped(self) -> float | None:
        reason = {"reason": "journal_failed"}
        return self.metrics.registry.get_sample_value("edged_events_dropped_total", reason)

    def wake(self) -> None:
        self.woken += 1

    def event(self) -> Event:
        return self.log.event(EventKind.SYSTEM, {"type": "test"})

    def retry(self) -> None:
        self.clock.now += 1.5
        self.log.retry()


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_what_is_written_is_counted_and_told(desk: Desk) -> None:
    assert desk.log.record_within(1, desk.event(), desk.event()) is Written.YES
    assert desk.metrics.registry.get_sample_value("edged_journal_events_total") == 2
    assert desk.woken == 1


def test_a_failed_write_is_offered_again_until_it_is_written(desk: Desk) -> None:
    desk.journal.mode = "fail"
    event = desk.event()
    desk.log.record(event)
    desk.retry()
    desk.retry()
    assert (desk.log.unwritten, desk.journal.rows) == (1, [])
    desk.journal.mode = "accept"
    desk.retry()
    assert (desk.log.unwritten, desk.journal.rows) == (0, [event])


def test_retries_are_a_second_apart(desk: Desk) -> None:
    desk.journal.mode = "fail"
    desk.log.record(desk.event())
    desk.retry()
    failures = desk.metrics.registry.get_sample_value("edged_journal_failures_total")
    for _ in range(20):
        desk.log.retry()
    assert desk.metrics.registry.get_sample_value("edged_journal_failures_total") == failures


def test_once_a_write_succeeds_the_others_do_not_wait(desk: Desk) -> None:
    desk.journal.mode = "fail"
    events = [desk.event() for _ in range(20)]
    for event in events:
        desk.log.record(event)
    desk.retry()
    desk.journal.mode = "accept"
    desk.clock.now += 1.5
    for _ in events:
        desk.log.retry()
    assert desk.log.unwritten == 0
    assert {event.event_id for event in desk.journal.rows} == {event.event_id for event in events}


def test_at_the_end_everything_is_offered_once_more(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    desk.journal.mode = "fail"
    events = [desk.event() for _ in range(3)]
    for event in events:
        desk.log.record(event)
    desk.log.retry_all()
    assert desk.log.unwritten == 3
    desk.log.close()
    assert "events lost: 3 writes" in caplog.text
    desk.journal.mode = "accept"
    desk.log.retry_all()
    caplog.clear()
    desk.log.close()
    assert (desk.journal.rows, desk.log.unwritten, caplog.text) == (events, 0, "")


def test_a_slow_write_is_later_and_kept_if_it_fails(desk: Desk) -> None:
    desk.journal.mode = "hang"
    event = desk.event()
    assert desk.log.record_within(0.01, event) is Written.LATER
    desk.journal.waiting[0][0].set_exception(StoreError("gone"))
    assert desk.log.unwritten == 1
    assert desk.log.trouble == "1 writes failed and wait in memory"
    desk.journal.mode = "accept"
    desk.retry()
    assert desk.journal.rows == [event]


def test_a_write_that_fails_at_once_is_the_callers_to_judge(desk: Desk) -> None:
    desk.journal.mode = "fail"
    assert desk.log.record_within(1, desk.event()) is Written.FAILED
    assert desk.log.unwritten == 0


def test_memory_is_bounded(desk: Desk) -> None:
    desk.journal.mode = "fail"
    for _ in range(1100):
        desk.log.record(desk.event())
    assert desk.log.unwritten == 1000
    assert desk.log.lost == 100
    assert desk.dropped == 100
    desk.log.close()
    assert desk.log.lost == 1100
    assert desk.dropped == 1100


def test_once_writing_works_again_an_event_and_a_figure_say_how_many_were_lost(desk: Desk) -> None:
    desk.journal.mode = "fail"
    for _ in range(1010):
        desk.log.record(desk.event())
    for _ in range(5):
        desk.retry()
    assert desk.metrics.events_dropped.labels("journal_failed")._value.get() == 10
    desk.journal.mode = "accept"
    for _ in range(1100):
        desk.retry()
    *written, told = desk.journal.rows
    assert (len(written), {event.kind for event in written}) == (1000, {EventKind.SYSTEM})
    assert (told.kind, told.body) == (EventKind.ALARM, {"type": "events_lost", "count": 10})
    desk.log.close()
    assert desk.log.lost == 10


def test_a_disk_that_hangs_counts_as_dead_until_it_answers(desk: Desk) -> None:
    desk.journal.mode = "hang"
    assert desk.log.record_within(0.01, desk.event()) is Written.LATER
    desk.clock.now += 1
    assert desk.log.record_within(0.01, desk.event()) is Written.LATER
    desk.clock.now += 1.5
    assert desk.log.record_within(0.01, desk.event()) is Written.FAILED
    assert desk.log.trouble == "a write hangs"
    for future, events in desk.journal.waiting:
        desk.journal.settle(future, events)
    desk.journal.mode = "accept"
    assert desk.log.record_within(1, desk.event()) is Written.YES
    assert desk.log.trouble is None
    assert len(desk.journal.rows) == 3


def test_alarms_are_counted_by_kind_whatever_becomes_of_their_record(desk: Desk) -> None:
    desk.journal.mode = "fail"
    for kind in ("camera_blind", "camera_blind", "too_many_attempts", "something new"):
        desk.log.record(desk.log.event(EventKind.ALARM, {"type": kind}))
    desk.log.record(desk.log.event(EventKind.SYSTEM, {"type": "camera_blind"}))
    desk.retry()
    counted = {
        kind: desk.metrics.registry.get_sample_value("edged_alarms_total", {"alarm": kind}) for kind in ALARMS
    }
    expected = {"camera_blind": 2, "too_many_attempts": 1, "other": 1}
    assert {kind: count for kind, count in counted.items() if count} == expected
