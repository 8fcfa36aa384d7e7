"""What canaries try stays with the canaries, whatever is denied, forgotten or lost meanwhile."""

import shutil
from pathlib import Path

import msgspec
import pytest

from edged.domain.shards import shard_of
from edged.errors import FleetError, NotFoundError
from edged.publishing.doors import add_door, remove_door
from edged.publishing.hearing import carried_out
from edged.publishing.register import GroupEntry
from edged.publishing.release import FleetFolder
from edged.publishing.rotation import rotate
from edged.workers.fleet_member import FleetMemberWorker
from tests.integration.membership.fleet import GROUP, SITE, SPACE, Door, door, wanted


@pytest.fixture
def back(tmp_path: Path, folder: FleetFolder, front: Door) -> Door:
    """The canary: everybody has 1, 2 and 3, and it tries a gallery of 1, 2 and 4."""
    back = door(tmp_path / "back", "back", folder)
    folder.publish(GROUP, wanted(1, 2, 3))
    assert front.attempt().applied
    assert back.attempt().applied
    folder.publish(GROUP, wanted(1, 2, 4, only=("back",)))
    assert back.attempt().applied
    assert front.attempt().waiting
    return back


def ids(at: Door) -> set[int]:
    return {int(person_id.removeprefix("p-")) for person_id, enabled in at.people().items() if enabled}


def version(at: Door) -> int:
    gallery = at.store.state().gallery
    assert gallery is not None
    return gallery.version


def test_a_removal_goes_into_both_galleries_and_lets_nothing_out(
    folder: FleetFolder, front: Door, back: Door
) -> None:
    [item] = folder.forget(GROUP, "p-00001")
    assert front.attempt().applied
    assert back.attempt().applied
    assert (ids(front), ids(back)) == ({2, 3}, {2, 4})
    assert item.version == version(front) < version(back) == folder.register.read().group(GROUP).version
    assert "p-00001" not in {*front.people(), *back.people()}
    assert front.attempt().waiting
    folder.release(GROUP)
    assert front.attempt().applied
    assert back.attempt().applied
    assert ids(front) == ids(back) == {2, 4}


@pytest.mark.parametrize(("person", "left"), [(3, ({1, 2}, {1, 2, 4})), (4, ({1, 2, 3}, {1, 2}))])
def test_who_is_in_one_of_the_two_is_forgotten_there(
    folder: FleetFolder, front: Door, back: Door, person: int, left: tuple[set[int], set[int]]
) -> None:
    folder.forget(GROUP, f"p-{person:05}")
    front.attempt(), back.attempt()
    assert (ids(front), ids(back)) == left


def test_a_canary_has_not_confirmed_by_what_it_had_before(
    folder: FleetFolder, front: Door, back: Door
) -> None:
    [item] = folder.forget(GROUP, "p-00001")
    front.attempt()
    newest = folder.register.read().group(GROUP).version
    said = {at.name: receipt(at) for at in (front, back)}
    assert carried_out(item, said, newest).open == ["back"]
    back.attempt()
    assert carried_out(item, {at.name: receipt(at) for at in (front, back)}, newest).open == []


def receipt(at: Door) -> object:
    """What its worker would say now."""
    from types import SimpleNamespace

    store = at.store
    worker = SimpleNamespace(
        _store=store, _group=at.group, _space=at.space, _last=SimpleNamespace(refused=None, text=""),
        _clock=SimpleNamespace(unix=lambda: 0.0),
    )  # fmt: skip
    return FleetMemberWorker._receipt(worker, store.state())  # type: ignore[arg-type]


def test_the_old_bytes_are_gone_from_desk_and_doors(folder: FleetFolder, front: Door, back: Door) -> None:
    archive, shard = folder.archive(GROUP), shard_of("p-00001", 8)
    old = {e.sha256 for v in (1, 2) for e in archive.manifest(v).entries if e.number == shard}
    folder.forget(GROUP, "p-00001")
    front.attempt(), back.attempt()
    places = [folder.directory / "groups" / GROUP / "blobs", front.folder / "blobs", back.folder / "blobs"]
    assert not old & {path.name for place in places for path in place.iterdir()}
    assert not old & folder.blobs(GROUP).keys()


@pytest.mark.parametrize("what", ["damaged", "new"])
def test_a_door_without_a_gallery_gets_the_one_that_is_held(
    tmp_path: Path, folder: FleetFolder, front: Door, back: Door, what: str
) -> None:
    at = front
    if what == "damaged":
        shutil.rmtree(front.folder / "blobs")
    else:
        at = door(tmp_path / "yard", "yard", folder)
    assert at.attempt().applied
    assert ids(at) == {1, 2, 3}
    assert at.attempt().waiting
    assert ids(back) == {1, 2, 4}


def test_who_was_a_canary_goes_back_to_nothing_older(folder: FleetFolder, front: Door, back: Door) -> None:
    folder.publish(GROUP, wanted(1, 2, 5, only=("front",)))
    assert front.attempt().applied
    assert back.attempt().waiting
    assert (ids(front), ids(back)) == ({1, 2, 5}, {1, 2, 4})
    folder.forget(GROUP, "p-00002")  # what is held is new then, and holds for all that are no canaries
    assert back.attempt().applied
    assert ids(back) == {1, 3}


def test_a_way_back_takes_nothing_of_what_is_tried(folder: FleetFolder, front: Door, back: Door) -> None:
    folder.forget(GROUP, "p-00001")
    folder.rollback(GROUP, 1)
    front.attempt(), back.attempt()
    assert ids(front) == ids(back) == {2, 3}


def test_what_is_held_leaves_with_the_canaries(folder: FleetFolder, front: Door, back: Door) -> None:
    held = folder.repository(GROUP).target("held")
    assert held is not None
    assert held.hashes["sha256"] in folder.blobs(GROUP)
    folder.publish(GROUP, wanted(1, 2, 4))
    assert folder.repository(GROUP).target("held") is None
    assert held.hashes["sha256"] not in folder.blobs(GROUP)
    assert front.attempt().applied
    assert back.attempt().applied


def test_many_tries_do_not_wear_out_what_is_held(folder: FleetFolder, front: Door, back: Door) -> None:
    for number in range(10, 24):
        folder.publish(GROUP, wanted(1, 2, number, only=("back",)))
    shutil.rmtree(front.folder / "blobs")
    assert front.attempt().applied
    assert ids(front) == {1, 2, 3}


def test_a_version_that_only_canaries_had_goes_to_all_if_it_is_meant(
    folder: FleetFolder, front: Door, back: Door
) -> None:
    folder.publish(GROUP, wanted(1, 2, 3))
    with pytest.raises(FleetError, match="version 2 was for the canaries back alone"):
        folder.rollback(GROUP, 2)
    folder.rollback(GROUP, 2, tried=True)
    assert front.attempt().applied
    assert ids(front) == {1, 2, 4}


@pytest.mark.parametrize("how", ["removed", "moved"])
def test_what_the_only_canary_tried_stays_with_it(
    tmp_path: Path, folder: FleetFolder, front: Door, back: Door, how: str
) -> None:
    if how == "removed":
        remove_door(folder, "back")
    else:
        folder.create_group("lab", GroupEntry(shards=8))
        add_door(folder, back.identity.card(SITE, "back", SPACE), "lab")
    assert folder.register.read().group(GROUP).canary == []
    other = door(tmp_path / "other", "other", folder)
    folder.publish(GROUP, wanted(1, 2, 5, only=("other",)))  # nor does the next try let it out
    front.attempt()
    assert ids(front) == {1, 2, 3}
    assert other.attempt().applied
    assert ids(other) == {1, 2, 5}
    late = door(tmp_path / "late", "late", folder)
    assert late.attempt().applied
    assert ids(late) == {1, 2, 3}


def test_a_denial_reaches_everybody_at_once(folder: FleetFolder, front: Door, back: Door) -> None:
    folder.deny(GROUP, ["p-00002"])
    front.attempt(), back.attempt()
    assert (ids(front), ids(back)) == ({1, 3}, {1, 4})


def test_an_id_that_nobody_has_is_denied_only_if_it_is_meant(folder: FleetFolder, front: Door) -> None:
    folder.publish(GROUP, wanted(1, 2))
    with pytest.raises(NotFoundError, match="'p-00020' is in no gallery"):
        folder.deny(GROUP, ["p-00001", "p-00020"])
    assert folder.register.read().group(GROUP).denied == []
    folder.deny(GROUP, ["p-00020"], unknown=True)
    folder.publish(GROUP, wanted(2, allow_shrink=True))
    folder.deny(GROUP, ["p-00001", "p-00020"])  # a door that is away may still have the first
    assert front.attempt().denied


def test_who_left_is_still_forgotten_where_a_door_may_have_them(folder: FleetFolder, front: Door) -> None:
    folder.publish(GROUP, wanted(1, 2))
    front.attempt()
    folder.publish(GROUP, wanted(2, allow_shrink=True))
    assert folder.forget(GROUP, "p-00001")[0].open == ["front"]
    with pytest.raises(NotFoundError, match="p-00020"):
        folder.forget(GROUP, "p-00020")


@pytest.fixture
def former(folder: FleetFolder, front: Door, back: Door) -> Door:
    """Was a canary, and has 1, 2 and 4; now the other one tries 1, 2 and 5."""
    folder.publish(GROUP, wanted(1, 2, 5, only=("front",)))
    assert front.attempt().applied
    assert back.attempt().waiting
    return back


@pytest.mark.parametrize("key", ["daily", "publisher", "root-1"])
def test_a_rotation_of_keys_sends_no_former_canary_back(folder: FleetFolder, former: Door, key: str) -> None:
    rotate(folder, key)
    assert former.attempt().waiting
    assert ids(former) == {1, 2, 4}
    folder.forget(GROUP, "p-00002")
    assert former.attempt().applied
    assert ids(former) == {1, 3}


def test_a_rotation_of_keys_gives_no_door_again_what_it_has(
    folder: FleetFolder, front: Door, back: Door
) -> None:
    revision = front.store.state().revision
    rotate(folder, "daily")
    assert front.attempt().waiting
    assert front.store.state().revision == revision


def test_what_is_held_is_taken_where_the_numbers_began_anew(folder: FleetFolder, former: Door) -> None:
    rotate(folder, "daily")
    state = former.store.state()
    assert state.gallery is not None
    before = msgspec.structs.replace(state.gallery, version=50)
    former.store._file.write(msgspec.structs.replace(state, gallery=before))
    assert former.attempt().applied
    assert ids(former) == {1, 2, 3}
    assert former.attempt().waiting
