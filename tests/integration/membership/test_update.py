"""A door takes what the publisher signed and nothing else; each refusal has a reason of its own."""

import os
import shutil
import signal
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import numpy as np
import pytest

from edged.domain.shards import shard_of
from edged.errors import FleetError, NotFoundError
from edged.fleet.gallery_format import TemplateRecord, restored
from edged.fleet.gallery_topics import GalleryTopics
from edged.membership import store as membership_store
from edged.membership.update import Attempt
from edged.publishing.planning import Wanted
from edged.publishing.release import FleetFolder
from edged.workers.fleet_member import FleetMemberWorker
from tests.integration.membership.fleet import (
    DIMENSION,
    GROUP,
    SITE,
    SPACE,
    Door,
    add,
    digest,
    door,
    publisher,
    record,
    vector,
    wanted,
)


def test_a_published_gallery_is_in_force_at_the_door(folder: FleetFolder, front: Door) -> None:
    folder.publish(GROUP, wanted(1, 2, 3))
    assert front.attempt().applied
    assert front.people() == {"p-00001": True, "p-00002": True, "p-00003": True}
    theirs = [t.vector for t in front.store.templates(SPACE) if t.person_id == "p-00001"]
    assert len(theirs) == 2
    sent = restored([item.codes for item in record(1).templates], DIMENSION)
    assert all(float(got @ given) > 0.999 for got, given in zip(theirs, sent, strict=True))
    store = front.store
    assert len(store.templates(SPACE)) == len(store.read_templates(None, list)) > 0
    assert store.templates_of(["p-00001"], SPACE) == [], "none is kept open"
    assert front.attempt().changed is False


def test_what_is_too_large_to_keep_open_is_read_a_shard_at_a_time(
    folder: FleetFolder, front: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(membership_store, "COMPACT_FROM", 3)
    folder.publish(GROUP, wanted(1, 2, 3))
    assert front.attempt().applied
    store = front.store
    assert (len(store.people()), len(store.templates(SPACE))) == (3, 6)
    assert store.parts(SPACE) is None
    assert not store.open_now.blocks
    assert store.templates_of(["p-00001"], SPACE) == []
    folder.publish(GROUP, wanted(1, 2, 3, 4))
    assert front.attempt().applied
    assert len(front.people()) == 4


def test_a_change_of_one_person_moves_one_shard(folder: FleetFolder, front: Door) -> None:
    folder.publish(GROUP, wanted(*range(1, 41)))
    front.attempt()
    front.source.asked.clear()
    change = folder.publish(GROUP, wanted(*range(1, 42)))
    assert (change.added, change.shards) == (("p-00041",), 1)
    assert front.attempt().applied
    assert len(front.source.asked) == 2  # the manifest and one shard
    assert len(front.people()) == 41


def test_who_is_denied_is_disabled_before_anything_else(folder: FleetFolder, front: Door) -> None:
    folder.publish(GROUP, wanted(1, 2))
    front.attempt()
    folder.deny(GROUP, ["p-00001"])
    assert front.attempt().denied
    assert front.people() == {"p-00001": False, "p-00002": True}


def test_a_forgotten_person_leaves_no_bytes_at_the_door(folder: FleetFolder, front: Door) -> None:
    folder.publish(GROUP, wanted(1, 2, 3))
    front.attempt()
    theirs = shard_of("p-00001", 8)
    entries = {entry.number: entry.sha256 for entry in folder.archive(GROUP).manifest(1).entries}
    folder.forget(GROUP, "p-00001")
    assert front.attempt().applied
    assert set(front.people()) == {"p-00002", "p-00003"}
    for place in (front.folder / "blobs", folder.directory / "groups" / GROUP / "blobs"):
        assert entries[theirs] not in {path.name for path in place.iterdir()}
    assert entries[theirs] not in folder.blobs(GROUP)


def test_going_back_is_a_new_version(folder: FleetFolder, front: Door) -> None:
    folder.publish(GROUP, wanted(1, 2))
    folder.publish(GROUP, wanted(1, 2, 3))
    front.attempt()
    change = folder.rollback(GROUP, 1)
    assert (change.version, change.removed) == (3, ("p-00003",))
    assert front.attempt().applied
    assert set(front.people()) == {"p-00001", "p-00002"}


def test_canaries_first(tmp_path: Path, folder: FleetFolder, front: Door) -> None:
    back = door(tmp_path / "back", "back", folder)
    folder.publish(GROUP, wanted(1))
    front.attempt(), back.attempt()
    folder.publish(GROUP, wanted(1, 2, only=("back",)))
    assert back.attempt().applied
    assert front.attempt().waiting
    assert set(front.people()) == {"p-00001"}
    folder.release(GROUP)
    assert front.attempt().applied
    assert back.attempt().applied
    assert front.people() == back.people() == {"p-00001": True, "p-00002": True}


def test_a_door_that_left_cannot_open_what_comes_after(
    tmp_path: Path, folder: FleetFolder, front: Door
) -> None:
    back = door(tmp_path / "back", "back", folder)
    folder.publish(GROUP, wanted(1))
    assert back.attempt().applied
    fleet = folder.register.read()
    doors = {name: entry for name, entry in fleet.doors.items() if name != "back"}
    folder.register.write(msgspec.structs.replace(fleet, doors=doors))
    folder.rewrap(GROUP, new_epoch=True)
    folder.publish(GROUP, wanted(1, 2))
    assert front.attempt().applied
    attempt = back.attempt()
    assert attempt.refused == "altered"
    assert "not meant for door back" in attempt.text
    assert set(back.people()) == {"p-00001"}


def saved(front: Door) -> dict[str, bytes]:
    """What the publisher's metadata are now."""
    folder = front.source.folder.directory / "groups" / GROUP / "meta"
    return {path.stem: path.read_bytes() for path in folder.glob("*.json")}


@pytest.mark.parametrize("lost", ["nothing", "the cache"])
def test_an_older_gallery_is_refused(folder: FleetFolder, front: Door, lost: str) -> None:
    folder.publish(GROUP, wanted(1, 2))
    front.attempt()
    old = saved(front)
    folder.publish(GROUP, wanted(1, 2, 3))
    assert front.attempt().applied
    if lost == "the cache":
        shutil.rmtree(front.folder / "tuf")
    front.source.lies = {"timestamp": old["timestamp"]}
    assert front.attempt().refused == "rollback"
    assert len(front.people()) == 3


def test_metadata_of_two_versions_do_not_mix(folder: FleetFolder, front: Door) -> None:
    folder.publish(GROUP, wanted(1, 2))
    front.attempt()
    old = saved(front)
    folder.publish(GROUP, wanted(1, 2, 3))
    newest = max(int(name.split(".")[0]) for name in saved(front) if name.endswith(".targets"))
    front.source.lies = {f"{newest}.targets": old[f"{newest - 1}.targets"]}
    assert front.attempt().refused == "mix_and_match"


def test_a_forged_signature_is_refused(tmp_path: Path, folder: FleetFolder, front: Door) -> None:
    folder.publish(GROUP, wanted(1))
    front.attempt()
    forger = publisher(tmp_path / "forger")
    add(forger, front.identity.card("hq", "front", SPACE))
    for _ in range(5):
        forger.publish(GROUP, wanted(1, 666))
    front.source.folder = forger
    attempt = front.attempt()
    assert attempt.refused == "signatures"
    assert set(front.people()) == {"p-00001"}


def test_one_of_two_root_signatures_is_not_enough(folder: FleetFolder, front: Door) -> None:
    folder.publish(GROUP, wanted(1))
    front.attempt()
    repository = folder.repository(GROUP)
    keys = folder.keyring
    old = keys.signer("daily")
    keys.retire("daily")
    keys.create("daily")
    repository.rotate("daily", [keys.signer("daily")], [old], ["root-1"])
    assert front.attempt().refused == "signatures"
    assert set(front.people()) == {"p-00001"}


def test_keys_are_rotated(folder: FleetFolder, front: Door) -> None:
    folder.publish(GROUP, wanted(1))
    front.attempt()
    keys = folder.keyring
    for name, role in (("daily", "daily"), ("publisher", "targets")):
        old = keys.signer(name)
        keys.retire(name)
        keys.create(name)
        folder.repository(GROUP).rotate(role, [keys.signer(name)], [old], ["root-1", "root-2"])
    folder.publish(GROUP, wanted(1, 2))
    assert front.attempt().applied
    assert front.store.state().root == 3


class Later:
    """A door's clocks: it has run for ``days`` since it heard the publisher, whose time is ``start``."""

    def __init__(self, start: float, *, synced: bool) -> None:
        self.start, self.days, self.good = start, 0.0, synced

    def monotonic(self) -> float:
        return 50.0 + self.days * 86_400

    def unix(self) -> float:
        return self.start + self.days * 86_400

    def synced(self) -> bool:
        return self.good


@pytest.mark.parametrize("clock", ["right", "set back to 1970", "never set"])
@pytest.mark.parametrize("restart", [False, True])
def test_a_frozen_publisher_is_noticed_whatever_the_clock_says(
    folder: FleetFolder, front: Door, clock: str, *, restart: bool
) -> None:
    folder.publish(GROUP, wanted(1))
    now = datetime.now(UTC).timestamp()
    later = Later(0.0 if clock == "never set" else now, synced=clock != "never set")
    worker, heard = following(front, later)
    worker._follow()
    later.days = 4
    look(worker)
    if clock == "set back to 1970":
        later.start, later.good = 0.0, False
    if restart:
        later.days, later.start = 0.0, later.unix()
        worker, heard = following(front, later)
    worker._follow()
    assert heard[-1].refused == "expired"
    assert set(front.people()) == {"p-00001"}


def following(front: Door, clock: Later) -> tuple[FleetMemberWorker, list[Attempt]]:
    """The door's worker, and what its attempts led to."""
    heard: list[Attempt] = []

    def attempt(not_before: datetime) -> Attempt:
        front.not_before = not_before
        heard.append(front.attempt())
        return heard[-1]

    line: Any = SimpleNamespace(subscribe=lambda _topic: None, connected=True)
    worker = FleetMemberWorker(
        line, GalleryTopics("edged", SITE, GROUP), "receipt", front.store, front.identity, space=SPACE,
        clock=clock, make_update=lambda _channel: attempt, alarm=lambda _kind, _facts: None,
    )  # fmt: skip
    return worker, heard


def look(worker: FleetMemberWorker) -> None:
    """An hour of its own clock has passed."""
    worker._seen_due_at = 0.0
    worker._look_at_the_time()


def test_what_was_signed_says_how_late_it_is(folder: FleetFolder, front: Door) -> None:
    folder.publish(GROUP, wanted(1))
    before = datetime.now(UTC).timestamp()
    folder.repository(GROUP).renew(days=30)
    assert front.attempt().vouched_at == pytest.approx(before, abs=5)


@pytest.mark.parametrize("said", [None, "soon", -5, 2**40])
def test_a_timestamp_that_does_not_say_when_it_was_signed_was_not_signed_a_month_before_its_end(
    folder: FleetFolder, front: Door, monkeypatch: pytest.MonkeyPatch, said: object
) -> None:
    repository = folder.repository(GROUP)
    write = type(repository)._write

    def without(self: Any, signed: Any, keys: Any, name: str) -> None:
        if name == "timestamp":
            signed.unrecognized_fields["edged-signed-at"] = said
        write(self, signed, keys, name)

    monkeypatch.setattr(type(repository), "_write", without)
    repository.renew()
    expected = datetime.now(UTC).timestamp() + (3 - 30) * 86_400
    assert front.attempt().vouched_at == pytest.approx(expected, abs=5)
    folder.publish(GROUP, wanted(1))
    assert front.attempt().vouched_at == pytest.approx(datetime.now(UTC).timestamp(), abs=5)


def test_a_flipped_bit_is_refused(folder: FleetFolder, front: Door) -> None:
    folder.publish(GROUP, wanted(1))
    sha256, data = next(iter(folder.blobs(GROUP).items()))
    front.source.lies = {sha256: data[:-1] + bytes([data[-1] ^ 1])}
    assert front.attempt().refused == "mismatch"


def test_a_gallery_of_another_model_is_refused(folder: FleetFolder, front: Door) -> None:
    folder.publish(GROUP, wanted(1))
    front.space = "another-space"
    attempt = front.attempt()
    assert attempt.refused == "wrong_space"
    assert "test-space" in attempt.text


def test_a_door_of_another_group_cannot_be_fed(folder: FleetFolder, front: Door) -> None:
    folder.publish(GROUP, wanted(1))
    front.group = "store"
    assert front.attempt().refused == "wrong_group"


def test_half_a_company_does_not_vanish_unsaid(folder: FleetFolder, front: Door) -> None:
    folder.publish(GROUP, wanted(*range(1, 11)))
    front.attempt()
    folder.publish(GROUP, wanted(1, 2, 3))
    assert front.attempt().refused == "gate_shrink"
    assert len(front.people()) == 10
    folder.publish(GROUP, wanted(1, 2, 3, allow_shrink=True))
    assert front.attempt().applied


def test_one_person_under_two_names_is_refused(folder: FleetFolder, front: Door) -> None:
    twin = msgspec.structs.replace(record(1), id="p-99999")
    folder.publish(GROUP, Wanted([record(1), record(2), twin], SPACE, DIMENSION))
    attempt = front.attempt()
    assert attempt.refused == "gate_collision"
    assert "p-00001 and p-99999" in attempt.text
    pair = ("p-00001 p-99999",)
    folder.publish(GROUP, Wanted([record(1), record(2), twin], SPACE, DIMENSION, distinct=pair))
    assert front.attempt().applied


def test_a_template_without_direction_is_refused(folder: FleetFolder, front: Door) -> None:
    dead = TemplateRecord(codes=bytes(DIMENSION), quality=0.5)
    bad = msgspec.structs.replace(record(1), templates=[dead])
    folder.publish(GROUP, Wanted([bad], SPACE, DIMENSION))
    attempt = front.attempt()
    assert attempt.refused == "altered"
    assert "all zeros" in attempt.text


STEPS = ["trusted", "denied stored", "denied in force", "fetched", "checked", "stored", "in force"]


@pytest.mark.parametrize("at", STEPS)
def test_a_cut_at_any_step_leaves_the_old_gallery_or_the_new(
    folder: FleetFolder, front: Door, at: str
) -> None:
    folder.publish(GROUP, wanted(1, 2))
    front.attempt()
    folder.deny(GROUP, ["p-00002"])
    folder.publish(GROUP, wanted(1, 3, allow_shrink=True))

    def step(name: str) -> None:
        if name == at:
            os.kill(os.getpid(), signal.SIGKILL)

    child = os.fork()  # nothing of it is tidied up after a kill, as after a power cut
    if child == 0:
        try:
            front.attempt(step)
        finally:
            os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    people = front.people()
    assert people in (
        {"p-00001": True, "p-00002": True},
        {"p-00001": True, "p-00002": False},
        {"p-00001": True, "p-00003": True},
    )
    state = front.store.state()
    assert state.gallery is not None
    assert (state.gallery.version == 2) == ("p-00003" in people)
    assert digest((front.folder / "blobs" / state.gallery.sha256).read_bytes()) == state.gallery.sha256
    assert front.store.intact(state)
    front.attempt()
    assert front.people() == {"p-00001": True, "p-00003": True}


def test_nothing_on_any_disk_holds_a_template_in_the_open(
    tmp_path: Path, folder: FleetFolder, front: Door
) -> None:
    folder.publish(GROUP, wanted(1, 2))
    front.attempt()
    codes = [template.codes for number in (1, 2) for template in record(number).templates]
    raw = [vector(1).tobytes(), np.asarray(vector(1), np.float16).tobytes()]
    for path in (p for p in tmp_path.rglob("*") if p.is_file()):
        data = path.read_bytes()
        assert not any(secret[:24] in data for secret in codes + raw), path


def test_a_mistyped_id_is_not_forgotten(folder: FleetFolder) -> None:
    folder.publish(GROUP, wanted(1, 2))
    with pytest.raises(NotFoundError, match="p-nope"):
        folder.forget(GROUP, "p-nope")
    assert folder.register.read().forgotten == []
    assert folder.register.read().group(GROUP).denied == []


def test_nothing_is_signed_that_no_door_would_take(folder: FleetFolder, front: Door) -> None:
    folder.publish(GROUP, wanted(1, 2))
    with pytest.raises(FleetError):
        folder.deny(GROUP, ["Ama Delorre"], unknown=True)
    folder.deny(GROUP, ["p-00002"])
    assert front.attempt().refused is None
    assert front.people() == {"p-00001": True, "p-00002": False}
