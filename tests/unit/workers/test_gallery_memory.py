"""What a change of the gallery leaves behind in memory, and what it does not take again."""

import numpy as np
import pytest

from edged.domain.gallery_parts import GalleryPart
from edged.domain.people import Person
from edged.domain.row_blocks import RowBlocks
from edged.workers import gallery_sync
from tests.unit.workers.test_gallery_sync import FakePeople, eventually, worker


class PeopleInParts(FakePeople):
    """A fleet's people, of as many ``photographs`` as wanted; ``first`` never changes."""

    def __init__(self, photographs: int = 1) -> None:
        super().__init__()
        self.first = self.part("p-ada", 0, photographs - 1)
        self.second: GalleryPart | None = self.part("p-ben", 1, 1)

    @staticmethod
    def part(person_id: str, axis: int, photographs: int) -> GalleryPart:
        return GalleryPart((Person(person_id, person_id),), np.eye(8, dtype=np.float32)[[axis]], photographs)

    def parts(self, space: str) -> list[GalleryPart] | None:
        assert space == "toy/1"
        return None if self.second is None else [self.first, self.second]

    def change(self, person_id: str) -> None:
        self.second = self.part(person_id, 1, 1)
        self.number += 1


@pytest.mark.parametrize(("photographs", "trimmed"), [(49_999, 0), (50_000, 1)])
def test_freed_memory_is_given_back_at_the_start_and_after_changes_of_a_large_gallery(
    photographs: int, trimmed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []
    monkeypatch.setattr(gallery_sync, "release_freed_memory", lambda: calls.append(len(calls)))
    people, told = PeopleInParts(photographs), []
    sync, _ = worker(people, told)
    assert sync.current.snapshot.templates == photographs
    assert len(calls) == 1, "whatever was read at the start"
    people.change("p-eve")
    sync.start()
    try:
        assert eventually(lambda: len(told) == 1)
    finally:
        sync.stop()
        assert sync.join(30)
    assert len(calls) == 1 + trimmed


def test_what_has_not_changed_is_the_same_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("gallery", "gallery_parts"):
        monkeypatch.setattr(f"edged.domain.{module}.ON_DEMAND_FROM", 0)
    people, told = PeopleInParts(), []
    sync, _ = worker(people, told)
    people.change("p-eve")
    sync.start()
    try:
        assert eventually(lambda: len(told) == 1)
    finally:
        sync.stop()
        assert sync.join(30)
    snapshot = sync.current.snapshot
    assert [person.person_id for person in snapshot.people] == ["p-ada", "p-eve"]
    assert isinstance(snapshot.matrix, RowBlocks)
    assert snapshot.matrix.blocks[0] is people.first.matrix


def test_too_many_people_for_parts_are_read_as_everybody_else() -> None:
    people = PeopleInParts()
    people.second = None
    people.add("p-cid", 3)
    sync, _ = worker(people)
    assert [person.person_id for person in sync.current.snapshot.people] == ["p-cid"]
