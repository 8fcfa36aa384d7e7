"""A gallery that is read some rows at a time, and some people of it again while it is in use."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edged.domain import gallery
from edged.domain.matching import best_match
from edged.domain.people import Template
from edged.errors import StoreCorruptError
from edged.storage import people_queries
from edged.storage.connections import reading
from edged.storage.people import NewTemplate, PeopleStore
from edged.storage.vault import Vault
from edged.workers.rereading import Rereading

SPACE = "toy/1"


@pytest.fixture(autouse=True)
def in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(people_queries, "_AT_ONCE", 3)
    monkeypatch.setattr(gallery, "COMPACT_FROM", 1)


@pytest.fixture
def path(tmp_path: Path, vault: Vault) -> Path:
    """Ten people of two templates each, the second ones added later, and one of another space."""
    path, random = tmp_path / "people.db", np.random.default_rng(1)
    with PeopleStore.open(path, vault, writable=True) as store:
        for number in range(20):
            if number < 10:
                store.add_person(f"Name {number}", person_id=f"p-{number}")
            vector = random.normal(size=512)
            vector = np.asarray(vector / np.linalg.norm(vector), np.float32)
            store.add_templates(f"p-{number % 10}", [NewTemplate(SPACE, vector, 0.8, b"d")])
        store.add_templates("p-3", [NewTemplate("toy/2", vector, 0.8, b"d")])
    return path


def ids(templates: Iterable[Template]) -> list[str]:
    return [one.template_id for one in templates]


def test_parts_are_the_whole_in_order(path: Path, vault: Vault) -> None:
    with reading(path) as connection:
        rows = connection.execute("SELECT template_id, space FROM templates ORDER BY rowid").fetchall()
    with PeopleStore.open(path, vault, writable=False) as store:
        assert ids(store.templates()) == [template_id for template_id, _ in rows]
        wanted = [template_id for template_id, space in rows if space == SPACE]
        assert ids(store.templates(SPACE)) == store.read_templates(SPACE, ids) == wanted
        assert len(store.people()) == 10
        theirs = store.templates_of(["p-3", "p-9", "p-nobody"], SPACE)
        assert [one.person_id for one in theirs] == ["p-3", "p-9", "p-3", "p-9"]
        assert ids(theirs) == [one for one in wanted if one in ids(theirs)]


def test_no_gallery_has_no_templates(tmp_path: Path, vault: Vault) -> None:
    with PeopleStore.open(tmp_path / "none.db", vault, writable=False) as store:
        assert store.read_templates(SPACE, ids) == []
        assert store.templates_of(["p-1"], SPACE) == []


def test_rows_out_of_order_are_damage_and_no_endless_reading(path: Path, vault: Vault) -> None:
    class Turning:
        """As a damaged tree answers: the same rows whatever is asked for."""

        def execute(self, *_: object) -> "Turning":
            return self

        def fetchall(self) -> list[tuple[object, ...]]:
            return row

    with PeopleStore.open(path, vault, writable=False) as store:
        template = store.templates(SPACE)[0]
    row = [(5, template.template_id, template.person_id, SPACE, sealed_of(path))]
    with pytest.raises(StoreCorruptError, match="out of order"):
        list(people_queries.each_template(Turning(), vault, SPACE))  # type: ignore[arg-type]


def sealed_of(path: Path) -> bytes:
    with reading(path) as connection:
        (sealed,) = connection.execute("SELECT sealed FROM templates ORDER BY rowid LIMIT 1").fetchone()
    return bytes(sealed)


def test_an_error_of_who_reads_leaves_no_reader_behind(path: Path, vault: Vault) -> None:
    def breaks(templates: Iterable[Template]) -> None:
        next(iter(templates))
        raise ValueError("half read")

    with PeopleStore.open(path, vault, writable=True) as store:
        with pytest.raises(ValueError, match="half read") as held:
            store.read_templates(SPACE, breaks)
        store.forget("p-3")  # says so where a reader keeps the old pages
        assert held.value


def test_a_gallery_in_use_is_exact_and_keeps_nobody_from_being_erased(path: Path, vault: Vault) -> None:
    with PeopleStore.open(path, vault, writable=True) as store:
        people = store.people()
        snapshot = store.read_templates(
            SPACE,
            lambda templates: gallery.build_snapshot(
                SPACE, 512, 1, people, templates, reread=Rereading(store, SPACE)
            ),
        )
        assert (snapshot.templates, snapshot.left_out) == (20, 0)
        theirs = store.templates_of(["p-3"], SPACE)
        face = theirs[0].vector
        with_floats = replace(snapshot, matrix=snapshot.search.originals(np.arange(10)), originals=None)
        exact, match = best_match(with_floats, face), best_match(snapshot, face)
        assert (match.score, match.second_score) == (exact.score, exact.second_score)
        sealed = sealed_of(path)
        store.forget("p-0")
        assert sealed not in b"".join(one.read_bytes() for one in path.parent.glob("people.db*"))
        store.forget("p-3")
        low = best_match(snapshot, face)
        assert low.person_id == "p-3"
        assert exact.score - 0.02 < low.score < exact.score
