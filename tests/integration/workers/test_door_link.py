"""A reader's link to a real door process, with a real journal."""

import queue
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from edged.config import Config, load
from edged.doorway.messages import Happened
from edged.doorway.ulid import new_id
from edged.metric_labels import DOOR_CONDITIONS
from edged.metrics import Metrics
from edged.storage.journal import Journal
from edged.storage.journal_reader import JournalReader
from edged.workers import door_opening
from edged.workers.door import DoorChange, UnlockRequest
from edged.workers.door_link import DoorLink
from edged.workers.door_opening import claim_door
from edged.workers.door_words import DoorWords
from tests.fakes.doorway import CONTACT, EXIT, FIRE, LATE, TAMPER, DoorProcess, until


@dataclass
class Site:
    """What a daemon has around its door."""

    config: Config
    changes: "queue.SimpleQueue[DoorChange]" = field(default_factory=queue.SimpleQueue)
    words: list[DoorWords] = field(default_factory=list)
    alarms: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.building = ExitStack()
        self.metrics = Metrics(CollectorRegistry())
        opening = claim_door(self.config, self.building)
        self.journal = Journal.open(self.config.journal, deliver=False)
        link = opening(self.metrics, self.journal, self.changes.put)
        assert isinstance(link, DoorLink)
        self.link = link
        link.tell(self.words.append, lambda: None, self.alarms.append)

    def sample(self, name: str, **labels: str) -> float:
        return self.metrics.registry.get_sample_value(name, labels) or 0.0

    @property
    def condition(self) -> str | None:
        """What the door is in, by the figures."""
        found = [one for one in DOOR_CONDITIONS if self.sample("edged_door_condition", condition=one)]
        assert len(found) <= 1
        return found[0] if found else None

    @property
    def locks(self) -> list[str]:
        return [words.lock for words in self.words]

    def ask(self, event_id: str = "A", *, age: float = 0.0) -> bool:
        return self.link.request(UnlockRequest(event_id, "face", time.monotonic() - age))

    def change(self) -> DoorChange:
        return self.changes.get(timeout=60)

    @property
    def recorded(self) -> list[tuple[str, str | None]]:
        with JournalReader.open(self.config.journal.path) as reader:
            return [
                (stored.event.body["type"], stored.event.body.get("access_event_id"))
                for stored in reader.events()
                if stored.event.body["type"] != LATE
            ]

    def close(self) -> None:
        self.building.close()
        self.journal.close()

    def abandon(self) -> None:
        """Leave as a killed process does: the connection ends, and nothing is said."""
        self.link._line.channel.close()  # type: ignore[union-attr]
        self.close()


def site_of(folder: Path, *, shared: bool) -> Site:
    text = (folder / "config.yaml").read_text()
    if not shared:
        (folder / "config.yaml").write_text(text.replace("  socket: door.sock\n", ""))
    return Site(load(folder / "config.yaml", {}))


@pytest.fixture
def door(tmp_path: Path) -> Iterator[DoorProcess]:
    with DoorProcess(tmp_path) as running:
        yield running


@pytest.fixture(params=["shared", "own"])
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Site]:
    """A reader, once of a door process that runs by itself, once of one that it starts."""
    process = DoorProcess(tmp_path)
    if request.param == "shared":
        process.start()
    made = site_of(tmp_path, shared=request.param == "shared")
    until(lambda: made.link.refusal(time.monotonic()) is None)
    yield made
    made.close()
    process.__exit__()
    assert not process.released


def test_a_grant_is_answered_and_recorded_once(site: Site) -> None:
    assert site.ask("A")
    unlocked, locked = site.change(), site.change()
    assert [(change.state, change.event_id, change.recorded) for change in (unlocked, locked)] == [
        ("unlocked", "A", True),
        ("locked", "A", True),
    ]
    assert locked.held_seconds >= 0.4
    until(lambda: ("locked", "A") in site.recorded)
    assert site.recorded.count(("unlocked", "A")) == site.recorded.count(("locked", "A")) == 1
    until(lambda: site.locks[-3:] == ["locked", "unlocked", "locked"])


def test_events_that_the_door_process_dropped_are_counted_once(site: Site) -> None:
    told = Happened(
        event=new_id(), what="events_lost", alarm=True, ts=time.time(), at=time.monotonic(), boot_id="door",
        time_synced=True, count=7,
    )  # fmt: skip
    for _ in range(2):
        site.link._journal.offer(told)
    until(lambda: site.sample("edged_events_dropped_total", reason="door_process"))
    assert site.recorded.count(("events_lost", None)) == 1
    assert site.sample("edged_events_dropped_total", reason="door_process") == 7
    assert site.sample("edged_alarms_total", alarm="events_lost") == 1


def test_a_relock_ends_the_grant_and_leaves_the_door_to_the_next(site: Site) -> None:
    assert site.ask("A")
    assert site.change().state == "unlocked"
    site.link.relock()
    assert site.change().state == "locked"
    assert site.ask("B")
    assert site.change().event_id == "B"


def test_a_refusal_is_answered_and_left_to_be_recorded(site: Site) -> None:
    assert site.ask("old", age=15)
    change = site.change()
    assert (change.state, change.reason, change.recorded) == ("refused", "stale", False)


def test_after_the_stop_nothing_is_asked_and_the_line_is_secure(site: Site) -> None:
    site.link.stop()
    assert site.link.refusal(time.monotonic()) == "stopping"
    assert not site.ask()
    assert site.link.join(60)
    assert site.link.failure is None


def test_contact_tamper_and_fire_are_told(door: DoorProcess) -> None:
    site = site_of(door.folder, shared=True)
    try:
        until(lambda: site.words[-1] == DoorWords("locked", "shut"))
        door.level(CONTACT, high=True)
        until(lambda: site.words[-1] == DoorWords("locked", "forced"))
        door.level(TAMPER, high=True)
        until(lambda: site.words[-1] == DoorWords("locked", "forced", tampered=True))
        door.level(FIRE, high=True)
        until(lambda: site.words[-1] == DoorWords("unlocked", "open", tampered=True, emergency=True))
        # Each alarm is counted once, when it is in the journal.
        for alarm in ("forced_open", "tamper", "emergency"):
            until(lambda alarm=alarm: site.sample("edged_alarms_total", alarm=alarm) == 1)
        assert site.condition == "emergency"
        door.break_line(TAMPER)
        until(lambda: site.sample("edged_door_part_faulty", part="tamper") == 1)
        assert site.sample("edged_door_part_faulty", part="fire") == 0
        assert site.sample("edged_door_tampered") == 1
        door.end(signal.SIGKILL)
        until(lambda: site.words[-1] == DoorWords("unknown", "unknown", tampered=True, emergency=True))
        assert site.condition is None
        assert site.sample("edged_door_part_faulty", part="tamper") == 0  # nobody says so any more
    finally:
        site.close()


def test_while_the_door_process_is_away_nobody_is_let_in_and_afterwards_again(door: DoorProcess) -> None:
    site = site_of(door.folder, shared=True)
    until(lambda: site.link.refusal(time.monotonic()) is None)
    door.end(signal.SIGKILL)
    until(lambda: site.link.refusal(time.monotonic()) == "away")
    assert not site.ask("A")
    assert site.locks[-1] == "unknown"
    door.start()
    until(lambda: site.link.refusal(time.monotonic()) is None)
    assert site.ask("B")
    assert site.change().event_id == "B"
    site.close()
    assert site.metrics.registry.get_sample_value("edged_lock_refusals_total", {"reason": "away"}) == 1


def test_one_of_its_own_that_dies_is_started_anew(tmp_path: Path) -> None:
    DoorProcess(tmp_path)
    site = site_of(tmp_path, shared=False)
    child = site.link._connect.__self__  # type: ignore[attr-defined]
    until(lambda: site.link.refusal(time.monotonic()) is None)
    first = child._process
    first.kill()
    until(lambda: child._process is not first and site.link.refusal(time.monotonic()) is None)
    assert site.ask("A")
    assert site.change().state == "unlocked"
    site.close()


def test_what_happened_while_no_reader_was_there_is_on_record_before_the_next_one_decides(
    door: DoorProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(door_opening, "_CATCH_UP_SECONDS", 60.0)
    door.press(EXIT)
    until(lambda: door.on_disk("locked"))
    site = site_of(door.folder, shared=True)
    types = [what for what, _ in site.recorded]
    site.close()
    assert types[:2] == ["unlocked", "locked"]


def test_an_event_that_was_recorded_and_not_acknowledged_is_recorded_once(door: DoorProcess) -> None:
    site = site_of(door.folder, shared=True)
    until(lambda: site.link.refusal(time.monotonic()) is None)
    site.link._journal.taken = lambda _now: []  # type: ignore[method-assign]  # it dies before it can say so
    door.press(EXIT)
    until(lambda: ("locked", None) in site.recorded)
    until(lambda: door.on_disk("locked"))
    site.abandon()
    again = site_of(door.folder, shared=True)
    until(lambda: not door.on_disk("locked"))
    recorded = again.recorded
    again.close()
    assert recorded.count(("unlocked", None)) == recorded.count(("locked", None)) == 1


def test_what_waits_under_a_name_is_recorded_once_the_reader_was_renamed(door: DoorProcess) -> None:
    site = site_of(door.folder, shared=True)
    until(lambda: site.link.refusal(time.monotonic()) is None)
    site.link._journal.offer = lambda _happened: None  # type: ignore[method-assign]  # it dies before
    assert site.ask("A")
    until(lambda: door.on_disk("locked"))
    site.abandon()
    path = door.folder / "config.yaml"
    path.write_text(path.read_text().replace("door_id: front", "door_id: back"))
    renamed = site_of(door.folder, shared=True)
    until(lambda: ("locked", "A") in renamed.recorded)
    until(lambda: not door.on_disk("locked"))
    with JournalReader.open(renamed.config.journal.path) as reader:
        former = [stored.event.body.get("reader") for stored in reader.events()]
    renamed.close()
    assert former == ["t.front", "t.front"]


def test_a_line_that_somebody_else_has_is_an_error_at_the_start(door: DoorProcess) -> None:
    from edged.errors import LockError

    with pytest.raises(LockError, match="did not claim the line"):
        site_of(door.folder, shared=False)


def reader_of(door: DoorProcess, door_id: str, *, records: str) -> Site:
    """One of several readers: a configuration of its own beside the door's."""
    text = (door.folder / "config.yaml").read_text().replace("door_id: front", f"door_id: {door_id}")
    path = door.folder / f"{records}.yaml"
    path.write_text(text + f"journal: {{path: {records}.db}}\n")
    return Site(load(path, {}))


def test_two_readers_share_a_door_and_each_has_its_own_grants_on_record(door: DoorProcess) -> None:
    way_in, way_out = (reader_of(door, name, records=name) for name in ("in", "out"))
    for site in (way_in, way_out):
        until(lambda site=site: site.link.refusal(time.monotonic()) is None)
    assert way_in.ask("A")
    assert [way_in.change().state for _ in range(2)] == ["unlocked", "locked"]
    assert way_out.ask("B")
    assert [way_out.change().state for _ in range(2)] == ["unlocked", "locked"]
    for site, own, other in ((way_in, "A", "B"), (way_out, "B", "A")):
        until(lambda site=site, own=own: ("locked", own) in site.recorded)
        assert other not in [request for _, request in site.recorded]
        assert site.changes.empty()
        site.close()


def test_a_second_reader_of_a_name_says_why_it_lets_nobody_in_and_leaves_the_first_alone(
    door: DoorProcess, caplog: pytest.LogCaptureFixture
) -> None:
    first = reader_of(door, "front", records="first")
    until(lambda: first.link.refusal(time.monotonic()) is None)
    second = reader_of(door, "front", records="second")  # claiming waits for it to catch up in vain, 3 s
    assert second.link.refusal(time.monotonic()) == "away"
    assert not second.ask("B")
    assert first.ask("A")
    assert first.change().state == "unlocked"

    def turned_away() -> list[str]:
        return [text for text in caplog.messages if "another reader of this name is connected" in text]

    until(lambda: len(turned_away()) > 1)  # it tries again
    assert "t.front" in turned_away()[0]
    tried = len(turned_away())
    assert tried < 12  # and less and less often
    assert door.log.count("reader turned away name=t.front") >= tried
    assert "reader gone name=t.front" not in door.log
    first.close()
    until(lambda: second.link.refusal(time.monotonic()) is None)
    assert second.ask("C")
    second.close()
