"""A gallery made of parts answers as one that is built anew, whatever has changed."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edged.domain import gallery, gallery_parts
from edged.domain.gallery import GallerySnapshot, build_snapshot, with_bars
from edged.domain.gallery_parts import GalleryPart, snapshot_of
from edged.domain.lookalikes import LookalikeRule
from edged.domain.people import Person, Template, Veto
from edged.domain.row_blocks import RowBlocks
from edged.domain.types import FloatArray

SPACE, DIMENSION = "s", 24
RULE = LookalikeRule(threshold=0.4, min_margin=0.06, strictest=0.6, stranger=0.3, alike=0.5)
# In one piece, in pieces, and in pieces with codes to look through.
FORMS = {"one piece": (10**9, 10**9), "pieces": (0, 10**9), "pieces and codes": (0, 1)}

# What happens to person n of part n % 3: who they are now, by the number of their photographs' seed.
Change = tuple[int, int | None]
changes = st.lists(
    st.tuples(st.integers(0, 11), st.one_of(st.none(), st.integers(0, 3))), min_size=1, max_size=6
)


def faces(number: int, seed: int) -> list[Template]:
    """Photographs of one person; those of seed 0 are the same for two people, so that there are ties."""
    random = np.random.default_rng((number // 2 if seed == 0 else number, seed))
    found = []
    for index in range(1 + seed % 3):
        values = random.standard_normal(DIMENSION).astype(np.float32)
        vector = values / np.linalg.norm(values)
        found.append(Template(f"{number}/{index}", f"p-{number}", SPACE, vector, 0.3 + 0.2 * index, b""))
    return found


def person(number: int) -> Person:
    return Person(f"p-{number}", f"p-{number}")


class Store:
    """People in three parts; a part is made anew when one of its people changes."""

    def __init__(self) -> None:
        self.now: dict[int, int] = dict.fromkeys(range(8), 1)
        self.parts: list[GalleryPart] = [self._part(number) for number in range(3)]

    def change(self, some: Sequence[Change]) -> None:
        for number, seed in some:
            if seed is None:
                self.now.pop(number, None)
            else:
                self.now[number] = seed
        for part in {number % 3 for number, _ in some}:
            self.parts[part] = self._part(part)

    def _numbers(self, part: int) -> list[int]:
        return sorted(number for number in self.now if number % 3 == part)

    def _part(self, part: int) -> GalleryPart:
        numbers = self._numbers(part)
        templates = [one for number in numbers for one in faces(number, self.now[number])]
        made = build_snapshot(SPACE, DIMENSION, 0, map(person, numbers), templates)
        return GalleryPart(tuple(made.people), np.asarray(made.matrix[:]), made.templates)

    def anew(self, version: int) -> GallerySnapshot:
        numbers = [number for part in range(3) for number in self._numbers(part)]
        templates = [one for number in numbers for one in faces(number, self.now[number])]
        return build_snapshot(SPACE, DIMENSION, version, map(person, numbers), templates)


@pytest.mark.parametrize("form", FORMS)
@given(steps=st.lists(changes, min_size=1, max_size=4))
@settings(max_examples=25, deadline=None)
def test_after_any_changes_it_answers_as_one_built_anew(form: str, steps: list[list[Change]]) -> None:
    on_demand, coded = FORMS[form]
    with pytest.MonkeyPatch.context() as patch:
        for module in (gallery, gallery_parts):
            patch.setattr(module, "ON_DEMAND_FROM", on_demand)
            patch.setattr(module, "CODED_FROM", coded)
        store, before = Store(), None
        for version, step in enumerate(steps):
            store.change(step)
            found = snapshot_of(SPACE, DIMENSION, version, store.parts, previous=before)
            before = with_bars(found, RULE)
            same(before, with_bars(store.anew(version), RULE))


def same(found: GallerySnapshot, anew: GallerySnapshot) -> None:
    assert list(found.people) == list(anew.people)
    assert dict(found.index) == dict(anew.index)
    assert (found.version, found.templates, found.left_out) == (anew.version, anew.templates, anew.left_out)
    assert found.matrix.shape == anew.matrix.shape
    assert found.matrix[:].tobytes() == anew.matrix[:].tobytes()
    if anew.screen is not None:
        assert found.screen is not None
        assert found.screen.values.tobytes() == anew.screen.values.tobytes()
        assert found.screen.error.tobytes() == anew.screen.error.tobytes()
    random = np.random.default_rng(1)
    for vector in (*anew.matrix[:][:4], *random.standard_normal((3, DIMENSION)).astype(np.float32)):
        assert found.search.nearest(vector, 3) == anew.search.nearest(vector, 3)
    for row, somebody in enumerate(anew.people):
        assert found.person(somebody.person_id) == somebody
        assert found.search.nearest_other(row) == anew.search.nearest_other(row)
        assert found.bars.get(somebody.person_id) == anew.bars.get(somebody.person_id)
    assert found.person("nobody") is None


def test_a_part_that_is_the_same_is_neither_copied_nor_coded_again(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (gallery, gallery_parts):
        monkeypatch.setattr(module, "ON_DEMAND_FROM", 0)
        monkeypatch.setattr(module, "CODED_FROM", 1)
    store = Store()
    before = snapshot_of(SPACE, DIMENSION, 1, store.parts)
    coded: list[int] = []
    made = gallery_parts.Codes.of
    monkeypatch.setattr(gallery_parts.Codes, "of", lambda rows: coded.append(len(rows)) or made(rows))
    store.change([(1, 2)])
    coded.clear()
    after = snapshot_of(SPACE, DIMENSION, 2, store.parts, previous=before)
    assert coded == [len(store.parts[1].matrix)]
    assert isinstance(before.matrix, RowBlocks)
    assert isinstance(after.matrix, RowBlocks)
    kept = [old is new for old, new in zip(before.matrix.blocks, after.matrix.blocks, strict=True)]
    assert kept == [True, False, True]


def test_who_is_denied_is_disabled_and_keeps_the_row() -> None:
    part = Store().parts[0]
    assert part.without(frozenset({"p-1", "p-99"})) is part, "nobody of this part"
    denied = part.without(frozenset({"p-3", *map(str, range(50))}))
    assert [one.person_id for one in denied.people if not one.enabled] == ["p-3"]
    assert denied.matrix is part.matrix
    assert all(one.enabled for one in part.people), "what was is as it was"


def test_an_id_that_stands_twice_in_a_part_is_refused() -> None:
    twice = (person(1), person(1))
    with pytest.raises(ValueError, match="twice"):
        GalleryPart(twice, np.zeros((2, DIMENSION), np.float32), 2)


def test_vetoes_and_those_without_a_template_come_along() -> None:
    part = Store().parts[0]
    vector = part.matrix[0]
    found = snapshot_of(
        SPACE, DIMENSION, 1, [part, GalleryPart((), np.zeros((0, DIMENSION), np.float32), 0, left_out=2)],
        vetoes=[Veto("e", "p-0", SPACE, vector)],
    )  # fmt: skip
    assert found.gap is not None
    assert list(found.vetoes) == ["p-0"]
    assert snapshot_of(SPACE, DIMENSION, 1, []).matrix.shape == (0, DIMENSION)


@pytest.mark.parametrize(
    "rows", [slice(None), slice(2, 7), slice(4, 4), slice(None, None, 3), slice(9, 2, -2)]
)
def test_rows_in_pieces_are_those_in_one(rows: slice) -> None:
    whole = np.random.default_rng(3).standard_normal((10, DIMENSION)).astype(np.float32)
    pieces = RowBlocks([whole[:3], whole[3:3], whole[3:8], whole[8:]], DIMENSION)
    assert pieces[rows].tobytes() == whole[rows].tobytes()
    some = np.array([9, 0, 3, 3, 7])
    assert pieces[some].tobytes() == whole[some].tobytes()
    assert [pieces[row].tobytes() for row in (0, 3, -1)] == [whole[row].tobytes() for row in (0, 3, -1)]
    assert close(pieces.products(whole[4]), whole @ whole[4])
    with pytest.raises(IndexError):
        pieces[10]


def close(found: FloatArray, expected: FloatArray) -> bool:
    return bool(np.allclose(found, expected, atol=1e-5))
