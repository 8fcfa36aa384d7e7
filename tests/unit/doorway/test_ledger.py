"""From happenings to events: their times, and whom an event is offered to."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec import UNSET

from edged.config.door_lines import InputsConfig
from edged.devices import timekeeping
from edged.domain.doorway import Act, Condition, Happening, Holder
from edged.doorway import ledger as module
from edged.doorway import server
from edged.doorway import spool as spool_module
from edged.doorway.channel import Channel, pair
from edged.doorway.ledger import Ledger
from edged.doorway.messages import Former, Happened, Hello
from edged.doorway.spool import Spool
from edged.doorway.ulid import new_id
from edged.metric_labels import ALARMS, DOOR_CONDITIONS, DOOR_PARTS


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    made = Spool(tmp_path)
    yield made
    assert made.close(10)


@pytest.mark.parametrize(("word", "synced"), [(True, True), (False, False), (None, False)])
def test_an_event_says_whether_the_clock_was_disciplined(
    word: bool | None, synced: bool, spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timekeeping, "synced", lambda: word)
    Ledger(spool).happened(Happening(Act.OPENED), 1.0)
    (event,) = spool.waiting.values()
    assert event.time_synced is synced


def test_what_is_wrong_is_an_alarm_and_names_its_reason(spool: Spool) -> None:
    ledger = Ledger(spool)
    ledger.happened(Happening(Act.INPUT_FAULT, reason="fire"), 1.0)
    ledger.happened(Happening(Act.INPUT_FAULT_OVER, reason="fire"), 2.0)
    ledger.alarm("line_failed")
    told = [(event.what, event.alarm, event.reason) for event in spool.waiting.values()]
    assert told == [
        ("input_fault", True, "fire"),
        ("input_fault_over", False, "fire"),
        ("line_failed", True, None),
    ]


@pytest.mark.parametrize(
    ("acts", "told"),
    [
        ((), []),
        ((Act.UNLOCKED,), ["lock_aborted"]),
        ((Act.UNLOCKED, Act.UNLOCKED, Act.OPENED), ["lock_aborted"]),
        ((Act.UNLOCKED, Act.OPENED, Act.LOCKED, Act.SHUT), []),
        ((Act.UNLOCKED, Act.EMERGENCY), []),
        ((Act.UNLOCKED, Act.EMERGENCY, Act.EMERGENCY_OVER), []),
        ((Act.UNLOCKED, Act.LOCKED, Act.UNLOCKED), ["lock_aborted"]),
    ],
)
def test_a_start_tells_of_a_period_whose_end_nobody_has_told(
    acts: tuple[Act, ...], told: list[str], tmp_path: Path
) -> None:
    holder = Holder("face", "R1", "t.front")
    for number in range(3):
        kept = Spool(tmp_path)
        ledger = Ledger(kept)
        known = set(kept.waiting)
        ledger.begin()
        found = [event for event_id, event in kept.waiting.items() if event_id not in known]
        assert [event.what for event in found] == (told if number == 1 else [])
        for event in found:
            assert (event.alarm, event.cause, event.request, event.reader) == (True, "face", "R1", "t.front")
        for act in acts if number == 0 else ():
            ledger.happened(Happening(act, holder), 1.0)
        assert kept.close(10)


def test_a_start_that_cannot_read_what_is_on_the_disk_is_an_alarm(tmp_path: Path) -> None:
    (tmp_path / "events").mkdir()
    damaged = Spool(tmp_path)
    Ledger(damaged).begin()
    assert [(event.what, event.alarm) for event in damaged.waiting.values()] == [("door_disk", True)]
    assert damaged.close(10)


def test_events_in_damaged_lines_are_told_at_the_start_and_once(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    ledger = Ledger(spool)
    for act in (Act.OPENED, Act.FORCED_OPEN, Act.SHUT):
        ledger.happened(Happening(act), 1.0)
    assert spool.close(10)
    path = tmp_path / "events"
    path.write_bytes(path.read_bytes().replace(b"forced_open", b"forced_oqen"))
    for _ in range(2):
        spool = Spool(tmp_path)
        Ledger(spool).begin()
        told = [(event.what, event.count) for event in spool.waiting.values()]
        assert told == [("opened", None), ("shut", None), ("events_lost", 1), ("door_disk", None)]
        assert spool.close(10)


def test_what_found_no_room_before_a_restart_is_told_as_soon_as_there_is_some(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spool_module, "MAX_EVENTS", 2)
    spool = Spool(tmp_path)
    for _ in range(2 + 10):
        Ledger(spool).alarm("tamper")
    assert spool.close(10)
    spool = Spool(tmp_path)
    ledger = Ledger(spool)
    ledger.begin()
    assert [event.what for event in spool.waiting.values()] == ["tamper", "tamper"]
    for event_id in list(spool.waiting):
        spool.taken(event_id)
        ledger.tell_lost()
    assert [(event.what, event.count) for event in spool.waiting.values()] == [("events_lost", 10)]
    assert spool.close(10)


def test_each_event_that_found_no_room_is_counted_once(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool_module, "MAX_EVENTS", 3)
    ledger = Ledger(spool)
    for _ in range(3 + 10):
        ledger.alarm("tamper")
    for event_id in list(spool.waiting)[:2]:
        spool.taken(event_id)
    ledger.alarm("request_flood")
    told = [(event.what, event.count) for event in spool.waiting.values()]
    assert told == [("tamper", None), ("events_lost", 10), ("request_flood", None)]
    spool.taken(next(iter(spool.waiting)))
    ledger.alarm("tamper")
    assert [event.what for event in spool.waiting.values()] == ["events_lost", "request_flood", "tamper"]


def reader(name: str, *formerly: Former) -> server._Peer:
    near, far = pair()
    far.close()
    return server._Peer(Channel(near), 0.0, Hello(reader=name, formerly=formerly or UNSET))


def event_of(reader: str | None, *, age: float = 0.0) -> Happened:
    return Happened(
        event=new_id(), what="locked", alarm=False, ts=time.time() - age, at=1.0, boot_id="b",
        time_synced=True, reader=reader,
    )  # fmt: skip


def test_an_event_goes_to_its_reader_for_whom_it_waits_and_one_of_nobody_to_any() -> None:
    way_in, way_out = reader("in"), reader("out")
    listening = [way_in, way_out]
    assert server._addressee(event_of("out"), listening) is way_out
    assert server._addressee(event_of(None), listening) is way_in
    assert server._addressee(event_of(None), []) is None
    # Its start takes back a punch that no event of its own journal answers; and a clock may have stepped.
    assert server._addressee(event_of("gone", age=30 * 24 * 3600), listening) is None
    for peer in listening:
        peer.channel.close()


def test_an_event_of_a_former_name_goes_to_whoever_had_it_then() -> None:
    # Two doors that changed names, and a new one that has the name of one before.
    now = time.time()
    first = reader("out", Former(name="in", until=now - 10))
    second = reader("in", Former(name="out", until=now - 10))
    old_in, old_out, new_in = event_of("in", age=20), event_of("out", age=20), event_of("in")
    assert server._addressee(old_in, [first, second]) is first
    assert server._addressee(old_out, [first, second]) is second
    assert server._addressee(new_in, [first, second]) is second
    assert server._addressee(new_in, [first]) is None
    for peer in (first, second):
        peer.channel.close()


def test_every_alarm_of_a_door_process_has_a_name_in_the_figures() -> None:
    acts = {act.value for act in Act if act not in module._ORDINARY}
    assert acts < set(ALARMS)
    # What the keeper, the ledger and a reader tell of themselves.
    own = {"line_failed", "relocked_late", "lock_aborted", "door_disk", "request_flood", "events_lost"}
    assert own | {"door_hung", "guard_gone"} < set(ALARMS)
    assert {condition.value for condition in Condition} == set(DOOR_CONDITIONS)
    assert set(DOOR_PARTS) == {*InputsConfig.__struct_fields__, "guard"}
