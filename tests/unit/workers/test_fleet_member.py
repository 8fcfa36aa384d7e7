"""A door's last day comes whatever its clock, its disk and its broker do."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import numpy as np
import pytest

from edged.domain.gallery_parts import GalleryPart
from edged.domain.people import Person
from edged.errors import StoreError
from edged.fleet.gallery_channel import GalleryChannel
from edged.fleet.gallery_topics import GalleryTopics
from edged.membership.identity import create_identity
from edged.membership.open_gallery import OpenedShard, OpenGallery, ShardBlock
from edged.membership.opener import Member
from edged.membership.state import AppliedGallery, FleetState, InForce
from edged.membership.store import FleetStore
from edged.membership.update import Attempt
from edged.storage.vault import Vault
from edged.workers import fleet_member
from edged.workers.fleet_member import FleetMemberWorker

DAY = 86_400.0
NOW = 1_800_000_000.0
DENIED = InForce(sha256="2" * 64, version=1, epoch=1, keys="1" * 64, root=1)
EMPTY = SimpleNamespace(entries=[])


def failing(*_: object) -> None:
    raise StoreError("cannot be read")


@dataclass
class Clock:
    wall: float = NOW
    since: float = 50.0
    good: bool = True

    def monotonic(self) -> float:
        return self.since

    def unix(self) -> float:
        return self.wall

    def synced(self) -> bool:
        return self.good

    def pass_seconds(self, seconds: float) -> None:
        self.wall += seconds
        self.since += seconds


class Broker:
    def __init__(self) -> None:
        self.connected = False
        self.said: list[bytes] = []

    def publish(self, _topic: str, payload: bytes, *, retain: bool) -> int:
        assert retain
        self.said.append(payload)
        return len(self.said)

    def subscribe(self, _topic: str) -> None: ...
    def poll(self, _timeout: float) -> list[Any]:
        return []

    def room(self) -> int:
        return 1


@dataclass
class Bench:
    worker: FleetMemberWorker
    store: FleetStore
    clock: Clock
    alarms: list[str] = field(default_factory=list)
    broker: Broker = field(default_factory=Broker)
    attempts: list[Attempt | Exception] = field(default_factory=list)

    def turn(self) -> None:
        self.worker._looked_at = float("-inf")
        self.worker._waiting()

    def follow(self) -> None:
        self.worker._follow()


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Bench]:
    vault = Vault.open(tmp_path / "vault.key")
    identity = create_identity(tmp_path / "identity", vault)

    def make(*, clock: Clock | None = None, days: float = 30.0, lapse: bool = True) -> Bench:
        store = FleetStore(tmp_path, vault, Member("hq", "front", "office", identity.sealing))
        if not (tmp_path / "state").exists():
            gallery = AppliedGallery(
                sha256="0" * 64, version=1, epoch=1, keys="1" * 64, root=1, space="s", people=1,
                applied_at=NOW, valid_until=NOW + days * DAY,
            )  # fmt: skip
            store._file.write(
                FleetState(revision=1, root=1, timestamp=1, expires=NOW + 3 * DAY, gallery=gallery)
            )
        people, rows = (Person("p-1", "p-1"),), np.zeros((1, 2), np.float32)
        block = ShardBlock((), (OpenedShard(people, people, rows, 1),), GalleryPart(people, rows, 1))
        opened = OpenGallery(None, (block,))
        monkeypatch.setattr(FleetStore, "opened", lambda _self, _state: opened)
        used, alarms, attempts = clock or Clock(), [], []

        def attempt(_not_before: datetime) -> Attempt:
            found = attempts.pop(0)
            if isinstance(found, Exception):
                raise found
            return found

        def make_update(_channel: GalleryChannel) -> Callable[[datetime], Attempt]:
            return attempt

        def alarm(kind: str, _facts: Mapping[str, Any]) -> None:
            alarms.append(kind)

        broker = Broker()
        worker = FleetMemberWorker(
            broker,  # type: ignore[arg-type]
            GalleryTopics("edged", "hq", "office"), "receipt", store, identity,
            space="s", clock=used, make_update=make_update, alarm=alarm, lapse=lapse,
        )  # fmt: skip
        return Bench(worker, store, used, alarms, broker, attempts)

    return make


def test_nobody_enters_after_the_last_day_and_a_clock_set_back_changes_nothing(
    bench: Callable[..., Bench],
) -> None:
    here = bench()
    here.turn()
    assert len(here.store.people()) == 1
    here.clock.pass_seconds(31 * DAY)
    here.turn()
    assert here.store.people() == []
    assert {"gallery_stale", "gallery_lapsed"} <= set(here.alarms)
    here.clock.wall, here.clock.good = 0.0, False
    here.turn()
    assert here.store.people() == []
    again = bench(clock=Clock(wall=0.0, since=3.0, good=False))
    again.turn()
    assert again.store.people() == []
    assert again.worker.certain().timestamp() >= NOW + 31 * DAY


def test_the_latest_certain_time_never_falls(bench: Callable[..., Bench]) -> None:
    here = bench()
    here.turn()
    seen = here.store.state().seen_at
    assert seen == NOW
    here.clock.wall -= 10 * DAY
    here.worker._seen_due_at = 0.0
    here.turn()
    assert here.store.state().seen_at >= seen


def test_a_clock_in_doubt_that_was_far_ahead_and_is_right_again_shuts_nobody_out(
    bench: Callable[..., Bench],
) -> None:
    here = bench(clock=Clock(wall=NOW + 20_000 * DAY, good=False))
    here.turn()
    assert here.store.people() == []
    generation = here.store.generation()
    here.clock.wall, here.clock.good = NOW, True
    here.turn()
    assert len(here.store.people()) == 1
    assert here.store.generation() > generation


def test_a_full_disk_does_not_keep_the_last_day_from_coming(
    bench: Callable[..., Bench], monkeypatch: pytest.MonkeyPatch
) -> None:
    here = bench()
    generation = here.store.generation()

    def full(*_: object) -> None:
        raise StoreError("no space left")

    here.clock.pass_seconds(31 * DAY)
    with monkeypatch.context() as broken:
        broken.setattr(FleetStore, "commit", full)
        here.turn()
        assert here.store.people() == []
        assert here.store.generation() != generation
    here.turn()
    assert here.store.people() == []
    assert here.store.state().lapsed


def test_a_lapse_that_is_only_told_lets_people_in(bench: Callable[..., Bench]) -> None:
    here = bench(lapse=False)
    here.clock.pass_seconds(31 * DAY)
    here.turn()
    here.turn()
    assert len(here.store.people()) == 1
    assert here.alarms.count("gallery_lapsed") == 1


def test_a_damaged_state_ends_no_thread(bench: Callable[..., Bench], tmp_path: Path) -> None:
    bench()
    (tmp_path / "state").write_bytes(b"rubbish")
    here = bench()
    here.turn()
    here.broker.connected = True
    here.worker._say()
    here.attempts.append(StoreError("damaged"))
    here.follow()
    assert here.alarms == ["gallery_disk"]


def test_bytes_that_stay_wrong_are_an_alarm_in_the_end(
    bench: Callable[..., Bench], monkeypatch: pytest.MonkeyPatch
) -> None:
    here = bench()
    here.attempts += [Attempt(refused="altered"), Attempt(refused="altered")]
    here.follow()
    assert here.alarms == []
    monkeypatch.setattr(fleet_member, "_LASTING_SECONDS", 0.0)
    here.follow()
    assert here.alarms == ["gallery_refused"]


def test_what_is_in_force_is_said_only_once_what_was_is_erased(
    bench: Callable[..., Bench], monkeypatch: pytest.MonkeyPatch
) -> None:
    here = bench()
    here.broker.connected = True
    state = here.store.state()
    with monkeypatch.context() as broken:
        broken.setattr(FleetStore, "manifest", failing)  # what else has to stay is not known
        with pytest.raises(StoreError):
            here.store.commit(msgspec.structs.replace(state, denied=DENIED, revision=2))
        here.worker._say()
        assert here.broker.said == []
    monkeypatch.setattr(FleetStore, "manifest", lambda _self, _part: EMPTY)
    here.store.sweep()
    here.worker._say()
    assert len(here.broker.said) == 1
    here.worker._say()
    assert len(here.broker.said) == 1


@pytest.mark.parametrize("boot_days", [31, 0.96])
def test_a_clock_that_was_never_set_ends_a_gallery_as_well(
    bench: Callable[..., Bench], boot_days: float
) -> None:
    """What was signed says how late it is at least, and the time that the door runs is added to it."""
    days = 0.0
    while True:
        here = bench(clock=Clock(wall=0.0, since=3.0, good=False))
        if not days:
            here.attempts.append(Attempt(vouched_at=NOW))
            here.follow()  # the only time that it hears the publisher
        here.turn()
        assert (here.store.people() == []) == (days >= 30)
        if days >= 30:
            break
        here.clock.pass_seconds(boot_days * DAY)
        here.worker._seen_due_at = 0.0  # an hour of its own clock has passed, too
        here.turn()
        days += boot_days
    here.turn()
    assert {"gallery_stale", "gallery_lapsed"} <= set(here.alarms)
    assert here.worker.certain().timestamp() >= NOW + 30 * DAY


def test_a_clock_in_doubt_is_not_written_down(bench: Callable[..., Bench]) -> None:
    here = bench(clock=Clock(wall=NOW + 20_000 * DAY, good=False))
    here.attempts.append(Attempt(vouched_at=NOW))
    here.follow()
    here.turn()
    state = here.store.state()
    assert (state.seen_at, state.vouched_at) == (0.0, NOW)


def test_a_publisher_whose_clock_is_fast_shuts_nobody_out_where_a_time_server_is_heard(
    bench: Callable[..., Bench],
) -> None:
    here = bench()
    here.attempts.append(Attempt(vouched_at=NOW + 400 * DAY))
    here.follow()
    here.turn()
    assert len(here.store.people()) == 1
    assert here.worker.certain().timestamp() == NOW
    assert here.store.state().seen_at == NOW


def test_a_gallery_that_came_is_not_lapsed(bench: Callable[..., Bench]) -> None:
    here = bench()
    here.clock.pass_seconds(31 * DAY)
    here.turn()
    state = here.store.state()
    assert state.gallery is not None
    newer = msgspec.structs.replace(state.gallery, version=2, valid_until=NOW + 90 * DAY)
    here.store._file.write(msgspec.structs.replace(state, gallery=newer, lapsed=False, revision=9))
    here.turn()
    assert len(here.store.people()) == 1
