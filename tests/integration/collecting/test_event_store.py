"""The same rules in SQLite and in PostgreSQL."""

import json
import threading
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from edged.cli import registry
from edged.collecting import event_store
from edged.collecting.event_store import EventStore
from edged.collecting.gaps import Gaps
from edged.collecting.incoming import Heard, Unfit, read
from edged.collecting.links import Link, UnstorableError, open_link
from edged.domain.types import EventKind, StoredEvent
from edged.errors import StoreError
from edged.fleet.connection import Arrived
from edged.fleet.messages import event_payload
from tests.fakes.outbox import EPOCH, event

NOW = 1_800_000_100.0


def payload(seq: int, body: dict[str, Any] | None = None) -> bytes:
    return event_payload(StoredEvent(EPOCH, seq, event(EventKind.ACCESS, body), ""))


def heard(content: bytes, door: str = "front") -> Heard | Unfit:
    one = read(Arrived(f"edged/hq/{door}/event/access", content, len(content), False, handle=1), "edged")
    assert one is not None
    return one


def rows(link: Link, what: str = "event_id", table: str = "events") -> list[Any]:
    return [row[0] for row in link.execute(f"SELECT {what} FROM {table} ORDER BY 1")]


def test_an_event_is_stored_once_and_acknowledged_each_time(link: Link) -> None:
    store, one = EventStore(link), heard(payload(1, {"score": 0.8123, "deep": [{"a": None}], "n": 1.0}))
    assert isinstance(one, Heard)
    first, second = store.store([one, one], NOW), store.store([one], NOW + 1)
    assert (first.stored, first.duplicates, second.stored, second.duplicates) == (1, 1, 0, 1)
    assert first.acked == second.acked == {"edged/hq/front": [one.message.id]}
    (found,) = link.execute(
        "SELECT event_id, site, door, epoch, seq, boot_id, mono_ms, kind, person_id, CAST(body AS text),"
        " occurred_at, received_at, time_synced FROM events"
    )
    assert found[:9] == (one.message.id, "hq", "front", EPOCH, 1, "boot-1", 1000, "access", "p1")
    assert json.loads(found[9]) == {"score": 0.8123, "deep": [{"a": None}], "n": 1.0}
    assert (link.seconds(found[10]), link.seconds(found[11])) == (1_800_000_000.0, NOW)
    assert bool(found[12])


def test_the_same_event_marked_historical_or_with_a_name_is_the_same(link: Link) -> None:
    store, content = EventStore(link), payload(1)
    again = json.dumps(json.loads(content) | {"historical": True, "name": "Ada"}).encode()
    store.store([heard(content)], NOW)
    assert store.store([heard(again)], NOW).duplicates == 1
    assert "Ada" not in str(link.execute("SELECT * FROM events"))


@pytest.mark.parametrize("change", [{"seq": 2}, {"person_id": "p2"}, {"decision": "denied"}])
@pytest.mark.parametrize("together", [True, False])
def test_another_event_under_a_known_id_is_set_aside(
    link: Link, change: dict[str, object], together: bool
) -> None:
    store, content = EventStore(link), payload(1)
    first, second = heard(content), heard(json.dumps(json.loads(content) | change).encode())
    batches = [[first, second]] if together else [[first], [second]]
    results = [store.store(batch, NOW) for batch in batches]
    assert [one.reason for result in results for one in result.rejected] == ["conflict"]
    assert rows(link, "seq") == [1]
    assert rows(link, "reason", "rejected") == ["conflict"]


def test_an_event_of_another_door_under_a_known_id_is_set_aside(link: Link) -> None:
    store, content = EventStore(link), payload(1)
    store.store([heard(content)], NOW)
    (conflict,) = store.store([heard(content, "back")], NOW).rejected
    assert conflict.reason == "conflict"


def test_what_is_no_event_is_kept_once_byte_for_byte_and_not_for_ever(
    link: Link, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_store, "MOST_REJECTED", 2)
    store, wrong = EventStore(link), heard(b"\x00\xff not json")
    for _ in range(3):
        assert store.store([wrong, heard(payload(1))], NOW).acked.keys() == {"edged/hq/front"}
    (kept,) = link.execute("SELECT payload, times FROM rejected")
    assert (bytes(kept[0]), kept[1]) == (b"\x00\xff not json", 3)
    assert store.store([heard(b"2")], NOW).overflowed == 0
    assert store.store([heard(b"3")], NOW).overflowed == 1
    assert store.store([wrong], NOW).overflowed == 0


def test_an_event_of_a_newer_version_frees_the_door_and_is_read_after_the_upgrade(
    link: Link, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, content = EventStore(link), payload(3)
    newer = json.dumps(json.loads(content) | {"v": 2}).encode()
    assert store.store([heard(newer)], NOW).acked == {"edged/hq/front": [json.loads(content)["id"]]}
    assert store.retry_rejected("edged", NOW) == 0
    monkeypatch.setattr(event_store, "read", lambda *_: heard(content))
    assert store.retry_rejected("edged", NOW) == 1
    assert rows(link, "seq") == [3]
    assert rows(link, "digest", "rejected") == []
    assert [(gap.from_seq, gap.to_seq) for gap in Gaps(link).open()] == [(1, 2)]


def test_one_event_that_the_database_refuses_does_not_take_the_others_along(
    link: Link, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, bad = EventStore(link), heard(payload(2))
    insert = store._insert

    def refusing(batch: Any, *rest: Any) -> None:
        if bad in batch:
            raise UnstorableError("no")
        insert(batch, *rest)

    monkeypatch.setattr(store, "_insert", refusing)
    result = store.store([heard(payload(1)), bad, heard(payload(3))], NOW)
    assert (result.stored, [one.reason for one in result.rejected]) == (2, ["unstorable"])
    assert len(result.acked["edged/hq/front"]) == 3


def nested(depth: int) -> bytes:
    return payload(2)[:-1] + b',"x":' + b"[" * depth + b"]" * depth + b"}"


def test_what_is_nested_as_deep_as_may_be_takes_nothing_along(link: Link) -> None:
    depths = range(880, 1000, 7)
    batch = [heard(payload(1)), *(heard(nested(depth)) for depth in depths), heard(payload(3))]
    result = EventStore(link).store(batch, NOW)
    assert result.stored + len(result.rejected) == len(depths) + 2
    assert {1, 3} <= set(rows(link, "seq"))


def test_a_batch_that_fails_leaves_nothing(link: Link, monkeypatch: pytest.MonkeyPatch) -> None:
    store = EventStore(link)

    def failing(*_: object) -> None:
        raise StoreError("gone")

    monkeypatch.setattr(store, "_set_aside", failing)
    with pytest.raises(StoreError):
        store.store([heard(payload(1)), heard(b"x")], NOW)
    assert rows(link) == rows(link, "door", "streams") == []


def test_two_writers_of_the_same_events_store_each_once(url: str) -> None:
    open_link(url).close()
    contents = [payload(seq) for seq in range(1, 201)]
    stored: list[int] = []

    def write(order: list[bytes]) -> None:
        link = open_link(url)
        store = EventStore(link)
        stored.extend(
            store.store([heard(one) for one in order[start : start + 20]], NOW).stored
            for start in range(0, 200, 20)
        )
        link.close()

    threads = [threading.Thread(target=write, args=(order,)) for order in (contents, contents[::-1])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sum(stored) == 200
    link = open_link(url)
    assert rows(link, "seq") == list(range(1, 201))
    link.close()


def test_missing_numbers_are_found_and_what_is_whole_is_not_read_again(link: Link) -> None:
    store, gaps = EventStore(link), Gaps(link)
    store.store([heard(payload(seq)) for seq in (1, 2, 5, 6, 9)], NOW)
    store.store([heard(payload(2), "back")], NOW)
    gaps.advance()
    assert [(gap.door, gap.from_seq, gap.to_seq, gap.since) for gap in gaps.open()] == [
        ("back", 1, 1, NOW), ("front", 3, 4, NOW), ("front", 7, 8, NOW),
    ]  # fmt: skip
    assert [gap.from_seq for gap in gaps.open("hq", "back")] == [1]
    assert gaps.open("elsewhere") == []
    assert sorted(rows(link, "seen_to", "streams")) == [2, 9]
    store.store([heard(payload(seq)) for seq in (3, 4)], NOW)
    gap = gaps.open("hq", "front")[0]
    gaps.answered(gap, "unheard", NOW)
    gaps.answered(gap, "gone", NOW + 1)
    (asked,) = gaps.open("hq", "front")
    assert (asked.times, asked.answer, asked.asked_at) == (2, "gone", NOW + 1)
    gaps.gone(gap, 7, "pruned", NOW)
    gaps.advance()
    gaps.advance()
    assert [(gap.from_seq, gap.to_seq) for gap in gaps.open("hq", "front")] == [(8, 8)]
    gaps.gone(gaps.open("hq", "front")[0], 99, "pruned", NOW)
    gaps.advance()
    assert gaps.open("hq", "front") == []
    assert rows(link, "from_seq", "missing") == [1]
    assert [one[3:5] for one in gaps.given_up()] == [(7, 7), (8, 8)]


def test_a_number_that_two_events_have_is_said(link: Link) -> None:
    store, gaps = EventStore(link), Gaps(link)
    first, second, third = (heard(payload(1)) for _ in range(3))
    both = store.store([first, second, heard(payload(2)), heard(payload(1), door="back")], NOW)
    assert (both.stored, both.doubled) == (4, 1)
    again = store.store([first, third, heard(payload(3))], NOW)
    assert (again.stored, again.duplicates, again.doubled) == (2, 1, 1)
    assert store.store([first, second, third], NOW).doubled == 0  # none of them is new
    assert gaps.doubled() == gaps.doubled("hq", "front") == [("hq", "front", EPOCH, 1)]
    assert gaps.doubled("hq", "back") == gaps.doubled("elsewhere") == []
    assert gaps.open() == []


@pytest.mark.parametrize(
    ("words", "status"), [((), 1), (("--door", "front"), 1), (("--door", "back"), 0), (("--no-doubles",), 0)]
)
def test_a_number_that_two_events_have_ends_the_command_with_one(
    tmp_path: Path, words: tuple[str, ...], status: int
) -> None:
    url = f"sqlite:{tmp_path / 'events.db'}"
    link = open_link(url)
    EventStore(link).store([heard(payload(1)), heard(payload(1)), heard(payload(1), "back")], NOW)
    link.close()
    app = typer.Typer()
    registry.register(app)
    result = CliRunner().invoke(app, ["fleet", "gaps", "--from", url, *words])
    assert result.exit_code == status
    assert (f"doubled  hq/front 1 of {EPOCH}" in result.output) == bool(status)


def test_one_collector_holds_the_lease_until_it_ends(link: Link) -> None:
    gaps = Gaps(link)
    assert gaps.lease("one", NOW, 60)
    assert gaps.lease("one", NOW + 1, 60)
    assert not gaps.lease("two", NOW + 60, 60)
    assert gaps.lease("two", NOW + 62, 60)
    assert not gaps.lease("one", NOW + 63, 60)
