"""The largest galleries against float64 for all templates, at sizes that fit a test."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edged.domain import compact_gallery, gallery, search
from edged.domain.bars import BarsOnDemand
from edged.domain.centres import centres_of
from edged.domain.codes import Codes
from edged.domain.gallery import GallerySnapshot, build_snapshot, with_bars
from edged.domain.lookalikes import LookalikeRule
from edged.domain.matching import best_match
from edged.domain.packed_people import PackedPeople, RowsById
from edged.domain.people import Consent, Person, Template
from edged.domain.search import Search

SPACE = "toy/1"
RULE = LookalikeRule(threshold=0.4087, min_margin=0.06, strictest=0.48, stranger=0.33, alike=0.5)


@pytest.fixture(autouse=True)
def compact(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gallery, "COMPACT_FROM", 1)
    monkeypatch.setattr(compact_gallery, "_AT_ONCE", 7)


class Store:
    """Templates in the order they were added; ``asked`` holds who was read again."""

    def __init__(self, templates: Sequence[Template]) -> None:
        self.templates = list(templates)
        self.asked: list[str] = []

    def reread(self, person_ids: Sequence[str]) -> Iterator[Template]:
        self.asked += person_ids
        return (one for one in self.templates if one.person_id in person_ids)

    def built(self, people: Sequence[Person]) -> GallerySnapshot:
        return build_snapshot(
            SPACE,
            len(self.templates[0].vector),
            1,
            people,
            (one for one in self.templates),
            reread=self.reread,
        )


def units(rows: np.ndarray) -> np.ndarray:
    return np.asarray(rows / np.linalg.norm(rows, axis=-1, keepdims=True), np.float32)


def crowd_of(rows: np.ndarray) -> tuple[list[Person], Store]:
    people = [Person(f"p-{number}", f"Name {number}") for number in range(len(rows))]
    return people, Store(
        [
            Template(f"t-{number}", f"p-{number}", SPACE, row, 0.5 + 0.5 * (number % 2), b"")
            for number, row in enumerate(rows)
        ]
    )


@st.composite
def crowds(draw: st.DrawFn) -> tuple[list[Person], Store, list[np.ndarray], float]:
    """People of one to three templates each, doubles among them, and faces at a threshold to somebody.

    The faces lie at the threshold to within what a code is off by, far less, or not at all.
    """
    random = np.random.default_rng(draw(st.integers(0, 2**31)))
    dimension = draw(st.sampled_from([16, 64, 512]))
    rows = units(random.normal(size=(draw(st.integers(2, 40)), dimension)))
    for _ in range(draw(st.integers(0, 4))):
        source, target = random.integers(len(rows), size=2)
        away = draw(st.sampled_from([0.0, 1e-7, 1e-4, 1e-2, 0.3]))
        rows[target] = units(rows[source] + away * random.normal(size=dimension) / math.sqrt(dimension))
    owners = [*range(len(rows)), *random.integers(len(rows), size=draw(st.integers(0, 30))).tolist()]
    if draw(st.booleans()):
        owners.sort()
    seen = units(rows[owners] + 0.2 * random.normal(size=(len(owners), dimension)) / math.sqrt(dimension))
    templates = [
        Template(f"t-{number}", f"p-{owner}", SPACE, seen[number], float(random.uniform(0, 1)), b"")
        for number, owner in enumerate(owners)
    ]
    people = [Person(f"p-{number}", "x") for number in random.permutation(len(rows))]
    threshold, store = 0.6, Store(templates)
    centres = exact_centres(people, store)
    faces = []
    for off in (0.0, 1e-9, -1e-9, 1e-6, -1e-6, 0.003, -0.003):
        centre, across = (
            centres[random.integers(len(centres))].astype(np.float64),
            random.normal(size=dimension),
        )
        across -= (across @ centre) * centre
        across /= np.linalg.norm(across)
        cosine = threshold + off
        faces.append(units(cosine * centre + math.sqrt(1 - cosine**2) * across))
    return people, store, faces, threshold


def exact_centres(people: Sequence[Person], store: Store) -> np.ndarray:
    theirs = {
        one.person_id: [each for each in store.templates if each.person_id == one.person_id] for one in people
    }
    return centres_of(theirs, len(store.templates[0].vector))


@given(crowds())
@settings(deadline=None, max_examples=60)
def test_every_answer_is_that_of_float64_for_all_templates(
    crowd: tuple[list[Person], Store, list[np.ndarray], float],
) -> None:
    """The two people, both scores, and so whatever is decided at a threshold or a margin."""
    people, store, faces, threshold = crowd
    snapshot, centres = store.built(people), exact_centres(people, store).astype(np.float64)
    assert isinstance(snapshot.matrix, Codes)
    for face in faces:
        scores = np.einsum("ij,j->i", centres, face.astype(np.float64))
        first, second = np.lexsort((np.arange(len(scores)), -scores))[:2]
        match = best_match(snapshot, face)
        assert (match.score, match.second_score) == (scores[first], scores[second])
        assert (match.person_id, match.second_id) == (people[first].person_id, people[second].person_id)
        assert (match.score >= threshold) == (scores[first] >= threshold)
        row = snapshot.index[people[second].person_id]
        assert snapshot.search.between(row, face).least == scores[second]


def gone(_store: Store) -> None:
    _store.templates.clear()


def others(store: Store) -> None:
    """As if somebody had been enrolled anew, under the same id."""
    store.templates = [replace(one, vector=-one.vector) for one in store.templates]


def turned(store: Store) -> None:
    """A little more than a code is off by."""
    for place, one in enumerate(store.templates):
        store.templates[place] = replace(one, vector=units(one.vector + 0.02 * np.roll(one.vector, 1)))


def of_no_length(store: Store) -> None:
    store.templates = [replace(one, vector=np.full_like(one.vector, np.nan)) for one in store.templates]


@pytest.mark.parametrize("happens", [gone, others, turned, of_no_length])
def test_what_the_store_has_become_meanwhile_never_raises_a_score(happens: Callable[[Store], None]) -> None:
    rows = units(np.random.default_rng(2).normal(size=(30, 512)))
    people, store = crowd_of(rows)
    snapshot = store.built(people)
    face = units(rows[3] + 0.6 * rows[9])
    exact = best_match(snapshot, face)
    happens(store)
    match = best_match(snapshot, face)
    assert store.asked
    assert (match.person_id, match.second_id) == (exact.person_id, exact.second_id)
    assert exact.score - 0.02 < match.score < exact.score
    assert exact.second_score < match.second_score
    plain = best_match(replace(snapshot, originals=None), face)
    assert (match.score, match.second_score) == (plain.score, plain.second_score)


def test_only_those_on_whom_the_answer_hangs_are_read_and_never_many() -> None:
    rows = units(np.random.default_rng(3).normal(size=(400, 512)))
    people, store = crowd_of(rows)
    snapshot = store.built(people)
    best_match(snapshot, units(rows[3] + 0.6 * rows[9]))
    assert set(store.asked) == {"p-3", "p-9"}
    store.asked.clear()
    people, store = crowd_of(np.repeat(rows[:1], 200, axis=0))
    snapshot = store.built(people)
    match = best_match(snapshot, rows[0])
    assert len(set(store.asked)) == search._MOST_ORIGINALS
    assert match.score == pytest.approx(1.0, abs=1e-6)


def test_codes_of_what_a_fleet_sends_are_not_read_again() -> None:
    rows = Codes.of(units(np.random.default_rng(3).normal(size=(20, 512))))[:]
    people, store = crowd_of(rows)
    best_match(store.built(people), units(rows[3] + rows[9]))
    assert store.asked == []


def test_templates_that_come_apart_make_one_row_of_all_of_them() -> None:
    rows = units(np.random.default_rng(4).normal(size=(25, 64)))
    people, store = crowd_of(rows)
    store.templates += [
        Template(f"late-{number}", f"p-{number}", SPACE, units(rows[number] + 0.3 * rows[0]), 1.0, b"")
        for number in range(1, 25, 3)
    ]
    snapshot = store.built(people)
    assert snapshot.templates == len(store.templates)
    found = snapshot.search.originals(np.arange(25))
    assert (found == exact_centres(people, store)).all()
    assert len(store.asked) >= 8


def test_nobody_is_made_of_some_of_their_templates_where_the_rest_cannot_be_read() -> None:
    people, store = crowd_of(units(np.random.default_rng(5).normal(size=(25, 64))))
    store.templates += [replace(store.templates[4], template_id="again")]
    with pytest.raises(ValueError, match="person p-4: their templates cannot be read a second time"):
        build_snapshot(SPACE, 64, 1, people, iter(store.templates), reread=lambda _ids: [])


def test_who_has_no_template_is_left_out() -> None:
    rows = units(np.random.default_rng(5).normal(size=(25, 64)))
    people, store = crowd_of(rows)
    store.templates = [one for one in store.templates if one.person_id != "p-0"]
    store.templates += [replace(store.templates[0], person_id="p-stranger")]
    snapshot = build_snapshot(
        SPACE, 64, 1, [*people, Person("p-new", "x")], iter(store.templates), reread=lambda _ids: []
    )
    assert snapshot.left_out == 2
    assert [one.person_id for one in snapshot.people] == [f"p-{number}" for number in range(25) if number > 0]
    for number in (1, 5, 24):
        match = best_match(snapshot, rows[number])
        assert match.person_id == f"p-{number}"
        assert match.score > 0.97
    assert snapshot.person("p-0") is None
    assert len(snapshot.matrix) == len(snapshot.index) == 24


def test_nobody_has_a_template_of_the_space() -> None:
    people, store = crowd_of(np.eye(3, 8, dtype=np.float32))
    snapshot = build_snapshot("other/1", 8, 1, people, iter(store.templates), reread=store.reread)
    assert (len(snapshot.people), snapshot.left_out) == (0, 3)
    assert best_match(snapshot, np.ones(8, np.float32)).person_id is None


def test_an_id_that_occurs_twice_and_a_template_of_another_length_are_refused() -> None:
    people, store = crowd_of(np.eye(3, 8, dtype=np.float32))
    with pytest.raises(ValueError, match="occurs twice"):
        store.built([*people, people[1]])
    store.templates[1] = replace(store.templates[1], vector=2 * store.templates[1].vector)
    with pytest.raises(ValueError, match="unit vector"):
        store.built(people)


def test_bars_are_those_of_the_templates_themselves() -> None:
    random = np.random.default_rng(6)
    rows = units(random.normal(size=(30, 512)))
    rows[7] = units(rows[3] + 0.5 * rows[7])
    people, store = crowd_of(rows)
    compact = with_bars(store.built(people), RULE)
    assert isinstance(compact.bars, BarsOnDemand)
    plain = BarsOnDemand({f"p-{n}": n for n in range(30)}, [f"p-{n}" for n in range(30)], Search(rows), RULE)
    assert {who: bar.cosine for who, bar in compact.bars.items()} == pytest.approx(
        {who: bar.cosine for who, bar in plain.items()}, abs=1e-7
    )
    assert set(compact.bars) == {"p-3", "p-7"}


def test_people_come_back_from_their_bytes_as_they_were() -> None:
    zone = timezone(timedelta(hours=2))
    moment = datetime(2024, 2, 29, 23, 59, 59, 123456, zone)
    consent = Consent(moment, "consent", "v1", moment + timedelta(days=400))
    people = [
        Person("p-1", "Ada"),
        Person("p-2", "Žofie Ω", False, moment, moment, frozenset({"staff", "night"}), consent, moment),
        Person("p-3", "", created_at=datetime(1, 1, 2, tzinfo=UTC)),
    ]
    packed = PackedPeople(people)
    assert list(packed) == people
    assert packed[1:] == people[1:]
    assert packed[-1] == people[-1]
    assert packed[1].created_at.tzinfo is UTC
    with pytest.raises(IndexError):
        packed[3]


@given(st.lists(st.text(max_size=4), unique=True), st.lists(st.text(max_size=4)))
@settings(deadline=None, max_examples=40)
def test_rows_are_found_by_id(ids: list[str], asked: list[str]) -> None:
    rows = RowsById(PackedPeople(Person(one, "x") for one in ids))
    wanted = {one: row for row, one in enumerate(ids)}
    assert dict(rows) == wanted
    assert list(rows) == list(rows.ids) == ids
    assert rows.rows_of([*asked, *ids]).tolist() == [wanted.get(one, -1) for one in [*asked, *ids]]
    assert all((one in rows) == (one in wanted) for one in asked)


def test_ids_of_one_hash_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    class Same(str):
        __slots__ = ()

        def __hash__(self) -> int:
            return 7

    people = PackedPeople(Person(one, "x") for one in "abc")
    monkeypatch.setattr(people, "ids_of", lambda rows: (Same("abc"[row]) for row in rows))
    rows = RowsById(people)
    assert rows.rows_of([Same("c"), Same("x"), Same("a")]).tolist() == [2, -1, 0]
    assert rows[Same("b")] == 1
