"""What goes wrong with a door's own disk and clock, or is tried twice, lets nobody in who should stay out."""

import shutil
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from edged.domain.gallery_parts import GalleryPart
from edged.domain.shards import shard_of
from edged.errors import FleetError, NotFoundError, StoreError
from edged.fleet.gallery_format import PersonRecord, Shard, ShardEntry, TemplateRecord, encode
from edged.fleet.gallery_seal import BlobName, seal
from edged.membership.blobs import BlobFolder
from edged.membership.open_gallery import OpenGallery
from edged.membership.state import FleetState
from edged.membership.store import FleetStore
from edged.publishing.content import Built
from edged.publishing.planning import Wanted
from edged.publishing.release import FleetFolder
from tests.integration.membership.fleet import (
    DIMENSION,
    GROUP,
    SPACE,
    Door,
    digest,
    door,
    record,
    wanted,
)


def misplace(folder: FleetFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Publish two people in shards to which they do not belong, as a careless publisher could."""

    def wrong(everybody: object, *_: object, version: int, epoch: int, secret: bytes, **__: object) -> Built:
        del everybody
        people = [record(1), record(2)]
        number = next(n for n in range(8) if n not in {shard_of(person.id, 8) for person in people})
        name = BlobName(GROUP, SPACE, f"shard-{number}", version, epoch)
        sealed = seal(encode(Shard(people=people)), secret, name)
        entry = ShardEntry(
            number=number, sha256=digest(sealed), length=len(sealed), version=version, epoch=epoch, people=2
        )
        return Built([entry], {entry.sha256: sealed}, 2)

    monkeypatch.setattr("edged.publishing.planning.build_shards", wrong)
    folder.publish(GROUP, wanted(1, 2))


def test_what_was_refused_is_refused_again(
    folder: FleetFolder, front: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    misplace(folder, monkeypatch)
    store = front.store
    assert front.attempt(store=store).refused == "gate_place"
    assert front.attempt(store=store).refused == "gate_place"
    assert front.people() == {}


@pytest.mark.parametrize("part", ["a shard", "the manifest", "the keys", "the deny list", "all of it"])
@pytest.mark.parametrize("how", ["damaged", "gone"])
def test_a_damaged_gallery_is_fetched_again(folder: FleetFolder, front: Door, part: str, how: str) -> None:
    folder.publish(GROUP, wanted(1, 2, 3))
    folder.deny(GROUP, ["p-00003"])
    front.attempt()
    before, state = front.people(), front.store.state()
    assert state.gallery is not None
    assert state.denied is not None
    shard = front.store.manifest(state.gallery).entries[0].sha256
    names = {
        "a shard": [shard], "the manifest": [state.gallery.sha256], "the keys": [state.gallery.keys],
        "the deny list": [state.denied.sha256],
    }.get(part) or [path.name for path in (front.folder / "blobs").iterdir()]  # fmt: skip
    for name in names:
        path = front.folder / "blobs" / name
        path.unlink() if how == "gone" else path.write_bytes(path.read_bytes()[:-1] + b"!")
    with pytest.raises(StoreError):
        front.people()
    assert front.attempt().refused is None
    assert front.people() == before


def test_a_damaged_manifest_does_not_keep_the_next_gallery_out(folder: FleetFolder, front: Door) -> None:
    folder.publish(GROUP, wanted(1, 2))
    front.attempt()
    state = front.store.state()
    assert state.gallery is not None
    (front.folder / "blobs" / state.gallery.sha256).write_bytes(b"rubbish")
    folder.publish(GROUP, wanted(1, 2, 3))
    assert front.attempt().applied
    assert set(front.people()) == {"p-00001", "p-00002", "p-00003"}


def test_a_damaged_state_lets_nobody_in_and_is_fetched_again(folder: FleetFolder, front: Door) -> None:
    folder.publish(GROUP, wanted(1, 2))
    folder.deny(GROUP, ["p-00002"])
    front.attempt()
    revision = front.store.state().revision
    (front.folder / "state").write_bytes(b"rubbish")
    with pytest.raises(StoreError):
        front.people()
    assert front.attempt().applied
    assert front.people() == {"p-00001": True, "p-00002": False}
    assert front.store.state().revision > revision


def test_a_damaged_state_does_not_let_an_old_gallery_in(folder: FleetFolder, front: Door) -> None:
    folder.publish(GROUP, wanted(1, 2))
    meta = folder.directory / "groups" / GROUP / "meta" / "timestamp.json"
    old = meta.read_bytes()
    folder.publish(GROUP, wanted(2, 3))
    front.attempt()
    (front.folder / "state").write_bytes(b"rubbish")
    front.source.lies = {"timestamp": old}
    assert front.attempt().refused == "rollback"
    assert front.people() == {}


@pytest.mark.parametrize("file", ["timestamp.json", "root.json", "snapshot.json", "targets.json"])
def test_a_cache_cut_short_by_a_power_cut_heals(folder: FleetFolder, front: Door, file: str) -> None:
    folder.publish(GROUP, wanted(1))
    front.attempt()
    (front.folder / "tuf" / file).write_bytes(b"")
    folder.publish(GROUP, wanted(1, 2))
    assert front.attempt().applied


def test_a_full_disk_is_a_trouble_of_the_store(
    folder: FleetFolder, front: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.publish(GROUP, wanted(1, 2))
    front.attempt()
    folder.publish(GROUP, wanted(1, 2, 3))

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as broken:
        broken.setattr("tuf.ngclient.updater.Updater._persist_file", full)
        with pytest.raises(StoreError):
            front.attempt()
    assert len(front.people()) == 2
    with monkeypatch.context() as broken:
        broken.setattr("edged.membership.blobs.create_private_file", full_store)
        with pytest.raises(StoreError):
            front.attempt()
    assert len(front.people()) == 2
    assert front.attempt().applied
    assert len(front.people()) == 3


def full_store(*_: object, **__: object) -> bool:
    raise StoreError("no space left")


def test_a_cut_before_the_old_bytes_are_erased_is_made_good(
    folder: FleetFolder, front: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.publish(GROUP, wanted(1, 2))
    front.attempt()
    folder.forget(GROUP, "p-00001")

    class Cut(BaseException): ...

    def cut(*_: object) -> int:
        raise Cut

    with monkeypatch.context() as power:
        # What an earlier cut left comes first, then the list of the denied, then the gallery.
        calls: list[int] = []
        real = BlobFolder.keep_only

        def third(self: BlobFolder, names: object) -> int:
            calls.append(1)
            return cut() if len(calls) > 2 else real(self, names)  # type: ignore[arg-type]

        power.setattr(BlobFolder, "keep_only", third)
        with pytest.raises(Cut):
            front.attempt()
    state = front.store.state()
    assert state.gallery is not None
    assert state.gallery.version == 2
    store = front.store
    assert not store.swept, "nothing is said before the rest is erased"
    front.attempt(store=store)
    assert store.swept
    manifest = store.manifest(state.gallery)
    needed = {entry.sha256 for entry in manifest.entries} | {state.gallery.sha256, state.gallery.keys}
    assert state.denied is not None
    needed |= {state.denied.sha256, state.denied.keys}
    assert {path.name for path in (front.folder / "blobs").iterdir()} == needed


def test_two_threads_share_the_store(folder: FleetFolder, front: Door) -> None:
    folder.publish(GROUP, wanted(1))
    front.attempt()
    store, errors, done = front.store, [], threading.Event()

    def read() -> None:
        while not done.is_set():
            try:
                store.generation()
            except Exception as exc:  # noqa: BLE001 - told below
                errors.append(exc)
                return

    reader = threading.Thread(target=read)
    reader.start()
    try:
        for _ in range(300):
            store.commit(msgspec.structs.replace(store.state(), seen_at=1.0))
    finally:
        done.set()
        reader.join()
    assert errors == []


def test_a_deny_list_that_is_expired_at_the_publisher_is_noticed_by_nobody_else(
    folder: FleetFolder, front: Door
) -> None:
    """Whoever publishes galleries and denies nobody for a year must not shut every door."""
    folder.publish(GROUP, wanted(1))
    front.attempt()
    repository = folder.repository(GROUP)
    soon = repository.expires("denied") - timedelta(days=60)
    assert soon > datetime.now(UTC)
    repository.publish({}, now=soon)
    assert repository.expires("denied") > soon + timedelta(days=100)


def test_a_door_that_comes_later_can_read_an_old_deny_list(
    tmp_path: Path, folder: FleetFolder, front: Door
) -> None:
    folder.publish(GROUP, wanted(1, 2))
    folder.deny(GROUP, ["p-00002"])
    folder.rewrap(GROUP, new_epoch=True)
    folder.publish(GROUP, wanted(3, 4, allow_shrink=True))
    assert front.attempt().refused is None
    back = door(tmp_path / "back", "back", folder)
    assert back.attempt().applied
    assert set(back.people()) == {"p-00003", "p-00004"}


def test_people_who_look_alike_do_not_keep_somebody_from_being_forgotten(
    folder: FleetFolder, front: Door
) -> None:
    twin_id = next(f"q-{n}" for n in range(1000) if shard_of(f"q-{n}", 8) == shard_of("p-00002", 8))
    twin = msgspec.structs.replace(record(1), id=twin_id)
    pair = (" ".join(sorted(("p-00001", twin_id))),)
    people = [record(1), record(2), record(3), twin]
    folder.publish(GROUP, Wanted(people, SPACE, 64, distinct=pair))
    assert front.attempt().applied
    folder.forget(GROUP, "p-00002")  # in the shard of one of the two
    assert front.attempt().refused is None
    assert set(front.people()) == {"p-00001", "p-00003", twin_id}
    folder.publish(GROUP, Wanted(people, SPACE, 64))
    folder.rollback(GROUP, 1)
    assert front.attempt().refused is None


def test_a_thief_of_the_revoker_is_shut_out_by_a_new_one(folder: FleetFolder, front: Door) -> None:
    from edged.publishing.rotation import rotate

    folder.publish(GROUP, wanted(1, 2))
    fleet = folder.register.read()
    stolen = msgspec.structs.replace(fleet.group(GROUP), denied_version=2**30)
    folder.register.write(fleet.with_group(GROUP, stolen))
    folder.deny(GROUP, ["p-00002"])
    front.attempt()
    assert front.people()["p-00002"] is False
    folder.register.write(fleet)
    rotate(folder, "revoker")
    folder.deny(GROUP, ["p-00001"])
    assert front.attempt().denied
    assert front.people() == {"p-00001": False, "p-00002": True}


def test_a_rotation_that_was_cut_can_be_begun_again(folder: FleetFolder, front: Door) -> None:
    from edged.publishing.register import GroupEntry
    from edged.publishing.repository import Repository
    from edged.publishing.rotation import rotate

    folder.publish(GROUP, wanted(1))
    folder.create_group("store", GroupEntry(shards=8))
    front.attempt()
    for name in ("daily", "publisher", "root-1"):
        real, calls = Repository.rotate, []

        def second(self: Repository, *args: object, _real: object = real, _calls: list = calls) -> None:
            _calls.append(1)
            if len(_calls) > 1:
                raise StoreError("no space left")
            _real(self, *args)  # type: ignore[operator]

        with pytest.MonkeyPatch.context() as broken:
            broken.setattr(Repository, "rotate", second)
            with pytest.raises(StoreError):
                rotate(folder, name)
        rotate(folder, name)
    folder.publish(GROUP, wanted(1, 2))
    assert front.attempt().applied
    folder.publish("store", wanted(1))


def test_what_was_signed_and_not_entered_is_never_signed_twice(
    folder: FleetFolder, front: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.publish(GROUP, wanted(1))
    front.attempt()
    with monkeypatch.context() as power:
        power.setattr("edged.publishing.register.RegisterFile.write", full_store)
        with pytest.raises(StoreError):
            folder.publish(GROUP, wanted(1, 2))
    assert folder.publish(GROUP, wanted(1, 2, 3)).version == 3
    assert front.attempt().applied


def test_losing_all_but_the_invitation_is_a_door_that_starts_anew(folder: FleetFolder, front: Door) -> None:
    folder.publish(GROUP, wanted(1))
    front.attempt()
    shutil.rmtree(front.folder / "tuf")
    shutil.rmtree(front.folder / "blobs")
    (front.folder / "state").unlink()
    assert front.attempt().applied


def test_what_every_door_would_refuse_is_not_signed(folder: FleetFolder, front: Door) -> None:
    twin = msgspec.structs.replace(record(1), id="p-99999")
    people = [record(number) for number in range(1, 11)]

    def publish(records: list[PersonRecord], **more: object) -> int:
        return folder.publish(GROUP, Wanted(records, SPACE, 64, too_close=0.9, **more)).version  # type: ignore[arg-type]

    with pytest.raises(FleetError, match=r"edged gallery different p-00001 p-99999"):
        publish([*people, twin])
    assert publish(people) == 1
    with pytest.raises(FleetError, match="p-00001 and p-99999"):
        publish([*people, twin])
    assert publish([*people, twin], distinct=("p-00001 p-99999",)) == 2
    with pytest.raises(FleetError, match="p-00001 and p-99999"):
        publish([*people, twin])
    with pytest.raises(FleetError, match="--allow-shrink"):
        publish(people[:5])
    assert publish(people[:5], allow_shrink=True) == 3
    dead = msgspec.structs.replace(record(77), templates=[TemplateRecord(codes=bytes(64), quality=0.5)])
    with pytest.raises(FleetError, match="zeros"):
        publish([*people[:5], dead])
    assert front.attempt().applied


def test_who_was_denied_by_mistake_comes_back_and_who_is_being_forgotten_does_not(
    folder: FleetFolder, front: Door
) -> None:
    folder.publish(GROUP, wanted(1, 2))
    folder.deny(GROUP, ["p-00001"])
    front.attempt()
    assert front.people()["p-00001"] is False
    folder.readmit(GROUP, ["p-00001"])
    assert front.attempt().denied
    assert front.people()["p-00001"] is True
    with pytest.raises(NotFoundError):
        folder.readmit(GROUP, ["p-00001"])
    folder.forget(GROUP, "p-00002")
    with pytest.raises(FleetError, match="being forgotten"):
        folder.readmit(GROUP, ["p-00002"])


def test_two_commands_change_the_folder_one_after_the_other(folder: FleetFolder) -> None:
    """A timer renews and a status enters receipts while somebody publishes: nothing of it is lost."""
    other = FleetFolder(folder.directory, folder.keyring)
    held = pytest.raises(StoreError, match="another command")
    with folder.alone(), folder.alone(), held, other._turn.held(0.1):
        pass
    published: list[int] = []
    threads = [
        threading.Thread(target=lambda each=each: published.append(each.publish(GROUP, wanted(1)).version))
        for each in (folder, other)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(published) == [1, 2]


def test_what_the_signed_metadata_name_stays_on_the_broker(tmp_path: Path, folder: FleetFolder) -> None:
    """A publisher that is cut off between a file and its signature must not take the old file away."""
    from tests.fakes.mosquitto import mosquitto
    from tests.integration.membership.test_over_mqtt import push

    front = door(tmp_path / "front", "front", folder)
    folder.publish(GROUP, wanted(1))
    front.attempt()
    with mosquitto(tmp_path / "broker") as broker:
        push(folder, broker)
        target = folder.repository(GROUP).target("keys")
        assert target is not None
        signed = target.hashes["sha256"]
        (folder.directory / "groups" / GROUP / "keys").write_bytes(b"written, and then the power went")
        folder.repository(GROUP).renew()
        push(folder, broker)
        known = msgspec.json.decode((folder.directory / "groups" / GROUP / "pushed.json").read_bytes())
        assert signed in known["blobs"]


def test_files_of_another_group_run_up_no_numbers(tmp_path: Path, folder: FleetFolder, front: Door) -> None:
    """The same keys sign for all groups: who owns the broker may show one group what is another's."""
    from edged.publishing.register import GroupEntry

    folder.create_group("store", GroupEntry(shards=8))
    folder.publish(GROUP, wanted(1))
    assert front.attempt().applied
    for _ in range(9):
        folder.publish("store", wanted(1, 2))
    front.source.group = "store"
    assert front.attempt().refused == "wrong_group"
    front.source.group = GROUP
    folder.publish(GROUP, wanted(1, 3))
    assert front.attempt().applied
    assert set(front.people()) == {"p-00001", "p-00003"}


def test_somebody_forgotten_before_anything_was_published_leaves_nothing_open(
    folder: FleetFolder, front: Door
) -> None:
    assert folder.forget(GROUP, "p-00001")[0].open == []


def test_bytes_are_read_again_once_a_file_was_touched_and_once_an_hour(tmp_path: Path) -> None:
    now = [0.0]
    blobs, data = BlobFolder(tmp_path, clock=lambda: now[0]), b"sealed bytes"
    blobs.put(digest(data), data)
    assert blobs.whole(digest(data))
    path = tmp_path / digest(data)
    path.write_bytes(b"other bytes!")
    assert not blobs.whole(digest(data))
    path.write_bytes(data)
    assert blobs.whole(digest(data))

    reads: list[str] = []
    real = blobs.get
    blobs.get = lambda sha256: (reads.append(sha256), real(sha256))[1]  # type: ignore[method-assign]
    now[0] = 3599.0
    assert blobs.whole(digest(data))
    assert reads == []
    now[0] = 3600.0
    assert blobs.whole(digest(data))
    assert len(reads) == 1
    blobs.keep_only(())
    assert not blobs.whole(digest(data))


def test_only_who_is_new_or_changed_is_compared_with_everybody(folder: FleetFolder, front: Door) -> None:
    """Denied on the way or not: the faces of those who were there have been compared."""
    from edged.domain.shards import collision
    from edged.membership import gates

    folder.publish(GROUP, wanted(*range(1, 20)))
    store = front.store
    assert front.attempt(store=store).applied
    compared: list[set[str]] = []

    def told(new: GalleryPart, *arguments: object, **options: object) -> str | None:
        compared.append({person.person_id for person in new.people})
        return collision(new, *arguments, **options)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gates, "collision", told)
        folder.forget(GROUP, "p-00003")
        attempt = front.attempt(store=store)
        assert (attempt.applied, attempt.denied, compared) == (True, True, [])
        people = [record(number, templates=2 + (number == 7)) for number in (1, 2, *range(4, 20), 33)]
        folder.publish(GROUP, Wanted(people, SPACE, DIMENSION))
        assert front.attempt(store=store).applied
    assert len(compared) > 1, "with each other, and with everybody"
    assert all(some == {"p-00007", "p-00033"} for some in compared)


def test_a_gallery_that_is_replaced_while_it_is_read_is_read_anew(
    folder: FleetFolder, front: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The gallery's own thread reads; the fleet's erases what is in force no more."""
    folder.publish(GROUP, wanted(1, 2))
    front.attempt()
    reader, real = front.store, type(front.store).opened

    def replaced(store: FleetStore, state: FleetState) -> OpenGallery:
        monkeypatch.setattr(FleetStore, "opened", real)
        folder.publish(GROUP, wanted(1, 2, 3))
        assert front.attempt().applied
        return real(store, state)

    monkeypatch.setattr(FleetStore, "opened", replaced)
    assert {person.person_id for person in reader.people()} == {"p-00001", "p-00002", "p-00003"}
