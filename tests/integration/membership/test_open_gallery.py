"""What a door holds of its gallery in memory is what one opened anew from its disk would hold."""

import random
from dataclasses import replace

import msgspec
import numpy as np
import pytest

from edged.domain.gallery import GallerySnapshot, build_snapshot
from edged.domain.gallery_parts import GalleryPart, snapshot_of
from edged.fleet.gallery_format import PersonRecord, TemplateRecord
from edged.membership import open_gallery
from edged.membership.store import FleetStore
from edged.publishing.planning import Wanted
from edged.publishing.release import FleetFolder
from tests.integration.membership.fleet import DIMENSION, GROUP, SPACE, Door, record


def publish(folder: FleetFolder, people: dict[int, PersonRecord]) -> None:
    folder.publish(GROUP, Wanted(list(people.values()), SPACE, DIMENSION, allow_shrink=True))


def held(store: FleetStore) -> GallerySnapshot:
    return snapshot_of(SPACE, DIMENSION, 1, store.parts(SPACE))


def anew(store: FleetStore) -> GallerySnapshot:
    return build_snapshot(SPACE, DIMENSION, 1, *store.everybody(SPACE))


def same(found: GallerySnapshot, expected: GallerySnapshot) -> None:
    assert list(found.people) == list(expected.people)
    assert dict(found.index) == dict(expected.index)
    assert found.matrix[:].tobytes() == expected.matrix[:].tobytes()
    assert (found.templates, found.left_out) == (expected.templates, expected.left_out)


def test_after_any_changes_the_rows_in_memory_are_those_of_the_disk(
    folder: FleetFolder, front: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(open_gallery, "_ROWS_A_BLOCK", 6)  # two shards of eight for 24 people
    chance, people = random.Random(1), {number: record(number) for number in range(24)}
    publish(folder, people)
    store, blocks = front.store, set[int]()
    assert front.attempt(store=store).applied
    for turn in range(7):
        number = chance.choice(sorted(people))
        if turn in (1, 4):
            folder.deny(GROUP, [people[number].id])
        elif turn == 2:
            del people[number]
            folder.forget(GROUP, f"p-{number:05}")
        elif turn == 3:
            people[100], people[101] = record(100), record(101, templates=0)
        else:
            people[number] = record(number, templates=1 + turn % 3, groups=frozenset({"staff"}))
        publish(folder, people)
        before = store.open_now.blocks
        assert front.attempt(store=store).changed
        same(held(store), anew(front.store))
        assert store.people() == front.store.everybody()[0]
        blocks.add(sum(block not in before for block in store.open_now.blocks))
    assert 1 in blocks, "a change of one person makes one block anew"
    assert max(blocks) < len(store.open_now.blocks)


def test_who_looks_like_somebody_of_a_block_that_is_the_same_is_refused(
    folder: FleetFolder, front: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One new person is held against every block, also against the others of their own shard."""
    monkeypatch.setattr("edged.publishing.planning.proofread", lambda *_, **__: None)
    people = {number: record(number) for number in range(24)}
    publish(folder, people)
    store = front.store
    assert front.attempt(store=store).applied
    for number in (0, 7, 23):
        double = msgspec.structs.replace(people[number], id="p-00050")
        publish(folder, {**people, 50: double})
        attempt = front.attempt(store=store)
        assert (attempt.refused, attempt.applied) == ("gate_collision", False)
        assert {person.person_id for person in store.people()} == {one.id for one in people.values()}
        same(held(store), anew(front.store))


def test_templates_without_a_direction_are_refused_and_end_no_thread(
    folder: FleetFolder, front: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edged.publishing.planning.proofread", lambda *_, **__: None)
    publish(folder, {1: record(1)})
    store = front.store
    assert front.attempt(store=store).applied
    codes = np.frombuffer(record(2).templates[0].codes, np.int8)
    opposed = [TemplateRecord(codes=one.tobytes(), quality=0.5) for one in (codes, -codes)]
    publish(folder, {1: record(1), 2: msgspec.structs.replace(record(2), templates=opposed)})
    attempt = front.attempt(store=store)
    assert attempt.refused == "gate_vector"
    assert [person.person_id for person in store.people()] == ["p-00001"]


def test_a_gallery_that_came_into_force_no_more_is_not_kept(folder: FleetFolder, front: Door) -> None:
    """Whoever opened the old one may come late: somebody of it may be forgotten by then."""
    publish(folder, {1: record(1), 2: record(2)})
    store = front.store
    assert front.attempt(store=store).applied
    old, part = store.open_now, store.state().gallery
    assert part is not None
    folder.forget(GROUP, "p-00002")
    assert front.attempt(store=store).applied
    store.keep_open(old, part)
    assert store.open_now is not old
    assert [person.person_id for person in store.open_now.people()] == ["p-00001"]


def test_nothing_is_held_of_who_is_forgotten(folder: FleetFolder, front: Door) -> None:
    publish(folder, {number: record(number) for number in range(12)})
    store = front.store
    assert front.attempt(store=store).applied
    gone = held(store).matrix[held(store).index["p-00005"]].tobytes()
    folder.forget(GROUP, "p-00005")
    assert front.attempt(store=store).applied
    parts: list[GalleryPart] = store.parts(SPACE)
    shards = [shard for block in store.open_now.blocks for shard in block.shards]
    rows = [part.matrix for part in parts] + [
        shard.matrix.base for shard in shards if shard.matrix.base is not None
    ]
    assert not any(gone in array.tobytes() for array in rows)


def test_a_shard_is_the_same_only_in_a_gallery_divided_alike(folder: FleetFolder, front: Door) -> None:
    """Who stands in the right one of eight shards may stand in the wrong one of sixteen."""
    publish(folder, {1: record(1), 2: record(2)})
    store = front.store
    assert front.attempt(store=store).applied
    frame = store.open_now.frame
    assert frame is not None
    assert store.open_now.shards(frame)
    for other in (replace(frame, shards=16), replace(frame, space="other"), replace(frame, dimension=32)):
        assert store.open_now.shards(other) == {}
