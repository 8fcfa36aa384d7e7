"""A gallery is read the same way by the door and by whoever measures it, in parts or in one piece."""

import ast
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

import numpy as np
import pytest

import edged.evaluation.stored_gallery
import edged.workers.gallery_sync
from edged.domain.gallery import build_snapshot
from edged.domain.gallery_parts import GalleryPart, snapshot_of
from edged.domain.gallery_reading import read_gallery
from edged.domain.people import Person, Template, Veto
from tests.unit.domain.conftest import template

T = TypeVar("T")
SPACE, DIMENSION = "toy/1", 8
PEOPLE = [Person("p-ada", "p-ada"), Person("p-ben", "p-ben")]
TEMPLATES = [template("p-ada", 0), template("p-ben", 1)]
VETO = Veto("e-1", "p-ada", SPACE, np.eye(DIMENSION, dtype=np.float32)[5])


class Stored:
    def people(self) -> list[Person]:
        return PEOPLE

    def read_templates(self, space: str, use: Callable[[Iterable[Template]], T]) -> T:
        return use(one for one in TEMPLATES if one.space == space)

    def vetoes(self, space: str | None = None) -> list[Veto]:
        return [VETO] if space in (None, SPACE) else []


class StoredInParts(Stored):
    """``found`` None: they are too many for parts."""

    def __init__(self, found: list[GalleryPart] | None) -> None:
        self.found = found

    def parts(self, space: str) -> list[GalleryPart] | None:
        assert space == SPACE
        return self.found

    def people(self) -> list[Person]:
        assert self.found is None, "a gallery in parts is not read in one piece as well"
        return super().people()


@pytest.mark.parametrize("people", [Stored(), StoredInParts(None)])
def test_what_is_not_in_parts_is_built_in_one_piece(people: Stored) -> None:
    found = read_gallery(people, SPACE, DIMENSION, 7, reread=lambda _ids: [])
    plain = build_snapshot(SPACE, DIMENSION, 7, PEOPLE, TEMPLATES, vetoes=[VETO])
    assert (found.version, found.people, found.templates) == (7, plain.people, plain.templates)
    np.testing.assert_array_equal(found.matrix, plain.matrix)
    assert found.vetoes.keys() == plain.vetoes.keys() == {"p-ada"}


def test_parts_are_put_together_and_carry_the_vetoes() -> None:
    rows = np.eye(DIMENSION, dtype=np.float32)
    parts = [GalleryPart((person,), rows[[row]], 1) for row, person in enumerate(PEOPLE)]
    found = read_gallery(StoredInParts(parts), SPACE, DIMENSION, 7, reread=lambda _ids: [])
    plain = snapshot_of(SPACE, DIMENSION, 7, parts, vetoes=[VETO])
    assert (found.version, found.people, found.templates) == (7, plain.people, 2)
    np.testing.assert_array_equal(found.matrix, plain.matrix)
    assert found.vetoes.keys() == plain.vetoes.keys() == {"p-ada"}


@pytest.mark.parametrize("module", [edged.evaluation.stored_gallery, edged.workers.gallery_sync])
def test_nobody_puts_parts_together_on_their_own(module: object) -> None:
    tree = ast.parse(Path(str(getattr(module, "__file__", ""))).read_text())
    called = {
        node.func.id for node in ast.walk(tree) if isinstance(node, ast.Call) and hasattr(node.func, "id")
    }
    assert "read_gallery" in called
    assert "snapshot_of" not in called
