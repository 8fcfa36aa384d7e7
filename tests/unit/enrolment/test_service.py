import weakref
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edged.domain.people import Person
from edged.domain.types import Image
from edged.enrolment.checks import PhotoCheck
from edged.enrolment.entries import Entry
from edged.enrolment.levels import Levels, levels_for
from edged.enrolment.pictures import decode_picture
from edged.enrolment.reports import PersonReport, Status
from edged.enrolment.service import Enrolment, Policy
from edged.enrolment.sources import FilePhoto, FramePhoto
from edged.enrolment.terms import Terms
from edged.errors import StoreFullError
from edged.storage.people import PeopleStore
from edged.storage.vault import Vault
from tests.unit.enrolment.conftest import MakeEnrolment
from tests.unit.enrolment.scene import (
    CALIBRATION,
    LOOK_ALIKE,
    SPACE,
    Square,
    SquarePipeline,
    photo,
    picture,
    png,
)


def shot(who: int, number: int = 0, **more: int) -> FramePhoto:
    return FramePhoto(f"{who}/{number}", picture(Square(who, number, **more)))


def entry(name: str, *photos: FramePhoto, **more: str) -> Entry:
    return Entry(name, photos, **more)  # type: ignore[arg-type]


def only(enrolment: Enrolment, wanted: Entry) -> PersonReport:
    (report,) = enrolment.run([wanted])
    return report


def reasons(report: PersonReport) -> list[str | None]:
    return [one.reason for one in report.photos]


def test_a_person_is_enrolled_with_a_template_for_each_photograph(
    enrolment: MakeEnrolment, store: PeopleStore
) -> None:
    report = only(enrolment(), entry("Jane Doe", shot(1, 0), shot(1, 1)))
    (person,) = store.people()
    assert (report.status, report.person_id) == (Status.ENROLLED, person.person_id)
    assert person.name == "Jane Doe"
    assert len(store.templates(SPACE)) == 2


def test_terms_are_kept_with_the_person(enrolment: MakeEnrolment, store: PeopleStore) -> None:
    service = enrolment(Policy(known_groups=frozenset({"staff"})))
    report = only(service, Entry("Jane", (shot(1),), terms=Terms(frozenset({"staff"}))))
    assert store.people()[0].groups == {"staff"}
    assert report.groups == ("staff",)


def test_a_group_that_no_schedule_knows_is_refused(enrolment: MakeEnrolment) -> None:
    service = enrolment(Policy(known_groups=frozenset({"staff"})))
    report = only(service, Entry("Jane", (shot(1),), terms=Terms(frozenset({"stuff"}))))
    assert report.reason == "unknown_group"


@pytest.mark.parametrize(
    ("squares", "reason"),
    [
        ((), "no_face"),
        ((Square(1), Square(2)), "several_faces"),
        ((Square(1, red=1),), "too_small"),
        ((Square(1, red=2),), "blurred"),
        ((Square(1, red=3),), "too_dark"),
        ((Square(1, red=4),), "too_bright"),
        ((Square(1, red=5),), "extreme_pose"),
    ],
)
def test_a_poor_photograph_has_its_reason(
    enrolment: MakeEnrolment, store: PeopleStore, squares: tuple[Square, ...], reason: str
) -> None:
    report = only(enrolment(), entry("Jane", FramePhoto("poor", picture(*squares))))
    assert reasons(report) == [reason]
    assert report.reason == "no_usable_photo"
    assert store.people() == []


def test_a_broken_photograph_does_not_stop_the_others(
    enrolment: MakeEnrolment, store: PeopleStore, tmp_path: Path
) -> None:
    (tmp_path / "torn.png").write_bytes(png(picture(Square(1)))[:-30])
    files = [tmp_path / "missing.png", tmp_path / "torn.png", photo(tmp_path / "good.png", Square(1))]
    report = only(enrolment(), Entry("Jane", tuple(FilePhoto(path) for path in files)))
    assert reasons(report) == ["not_found", "unreadable", None]
    assert len(store.templates()) == 1


def test_a_face_much_wider_than_the_others_is_meant(enrolment: MakeEnrolment, store: PeopleStore) -> None:
    image = picture(Square(2, side=30), Square(1, side=60))
    assert only(enrolment(), entry("Jane", FramePhoto("street", image))).status is Status.ENROLLED
    vector = store.templates()[0].vector
    assert vector[1] > vector[2]


def test_the_largest_face_is_taken_only_when_asked_for(enrolment: MakeEnrolment) -> None:
    image = picture(Square(2, side=50), Square(1, side=60))
    wanted = entry("Jane", FramePhoto("pair", image))
    assert only(enrolment(), wanted).reason == "no_usable_photo"
    assert only(enrolment(largest_face=True), wanted).status is Status.ENROLLED


def test_the_same_photograph_is_taken_once_in_the_whole_store(enrolment: MakeEnrolment) -> None:
    service = enrolment()
    assert reasons(only(service, entry("Jane", shot(1), shot(1)))) == [None, "duplicate_photo"]
    report = only(enrolment(Policy(allow_similar=True)), entry("Petra", shot(1)))
    assert reasons(report) == ["duplicate_photo"]
    assert "Jane" in report.photos[0].text


def test_somebody_elses_photograph_is_inconsistent(enrolment: MakeEnrolment, store: PeopleStore) -> None:
    report = only(enrolment(), entry("Jane", shot(1, 0), shot(2, 1), shot(1, 2)))
    assert reasons(report) == [None, "inconsistent", None]
    assert len(store.templates()) == 2


def test_two_photographs_of_two_people_enrol_nobody(enrolment: MakeEnrolment, store: PeopleStore) -> None:
    report = only(enrolment(), entry("Jane", shot(1), shot(2)))
    assert (report.reason, reasons(report)) == ("inconsistent", ["inconsistent", "inconsistent"])
    assert store.people() == []


def test_the_same_face_under_another_name_is_stopped_and_named(
    enrolment: MakeEnrolment, store: PeopleStore
) -> None:
    service = enrolment()
    first, second = service.run([entry("Jane Doe", shot(1, 0)), entry("Petra Winter", shot(1, 1))])
    assert second.reason == "similar_face"
    assert "Jane Doe" in second.text
    assert str(first.person_id) in second.text
    assert "0.90" in second.text
    assert reasons(second) == ["similar_face"]
    assert len(store.people()) == 1


def test_a_look_alike_is_enrolled_when_allowed_and_noted(enrolment: MakeEnrolment) -> None:
    only(enrolment(), entry("Jane", shot(1)))
    twin = entry("Petra", shot(LOOK_ALIKE + 1))
    assert only(enrolment(), twin).reason == "similar_face"
    report = only(enrolment(Policy(allow_similar=True)), twin)
    assert report.status is Status.ENROLLED
    assert "Jane" in report.notes[0]


@pytest.mark.parametrize("again", ["jane DOE", "Doe, Jane", "Jané Doe"])
def test_the_same_name_again_is_stopped(enrolment: MakeEnrolment, again: str) -> None:
    service = enrolment()
    first, second = service.run([entry("Jane Doe", shot(1)), entry(again, shot(2))])
    assert second.reason == "already_enrolled"
    assert f"--add-to {first.person_id}" in second.text


def test_a_namesake_is_enrolled_when_allowed(enrolment: MakeEnrolment, store: PeopleStore) -> None:
    service = enrolment(Policy(allow_same_name=True))
    list(service.run([entry("Jane Doe", shot(1)), entry("Jane Doe", shot(2))]))
    assert [person.name for person in store.people()] == ["Jane Doe", "Jane Doe"]


def test_a_similar_name_alone_is_a_note(enrolment: MakeEnrolment) -> None:
    service = enrolment()
    _, second = service.run([entry("Jan Novak", shot(1)), entry("Jana Novak", shot(2))])
    assert second.status is Status.ENROLLED
    assert "Jan Novak" in second.notes[0]


def test_a_similar_name_and_face_are_both_told(enrolment: MakeEnrolment) -> None:
    service = enrolment()
    _, second = service.run([entry("Hasan Wirajuda", shot(1, 0)), entry("Hassan Wirajuda", shot(1, 1))])
    assert second.reason == "similar_name_and_face"
    assert second.text.startswith("name and face")


def test_photographs_are_added_to_an_enrolled_person(enrolment: MakeEnrolment, store: PeopleStore) -> None:
    service = enrolment()
    first = only(service, entry("Jane", shot(1, 0)))
    report = only(service, entry("", shot(1, 1), shot(2, 2), add_to=str(first.person_id)))
    assert (report.status, report.name) == (Status.EXTENDED, "Jane")
    assert reasons(report) == [None, "inconsistent"]
    assert len(store.templates()) == 2


def test_an_added_photograph_that_is_nearer_to_somebody_else_is_refused(enrolment: MakeEnrolment) -> None:
    service = enrolment(Policy(allow_similar=True))
    jane, petra = service.run([entry("Jane", shot(1)), entry("Petra", shot(LOOK_ALIKE + 1))])
    del petra
    strict = enrolment()
    report = only(strict, entry("", shot(LOOK_ALIKE + 1, 1), add_to=str(jane.person_id)))
    assert report.reason == "similar_face"


def test_adding_to_nobody_is_refused(enrolment: MakeEnrolment) -> None:
    assert only(enrolment(), entry("", shot(1), add_to="p-nobody")).reason == "not_enrolled"


def test_a_person_without_photographs_is_refused(enrolment: MakeEnrolment) -> None:
    assert only(enrolment(), entry("Jane")).reason == "no_photo"


def test_a_rehearsal_finds_the_same_and_changes_nothing(enrolment: MakeEnrolment, store: PeopleStore) -> None:
    before = store.generation()
    service = enrolment(Policy(dry_run=True))
    first, second = service.run([entry("Jane", shot(1, 0)), entry("Petra", shot(1, 1))])
    assert (first.status, second.reason) == (Status.ENROLLED, "similar_face")
    assert store.people() == []
    assert store.generation() == before


def test_what_another_command_enrolled_meanwhile_counts(enrolment: MakeEnrolment) -> None:
    early = enrolment()
    only(enrolment(), entry("Jane", shot(1, 0)))
    assert only(early, entry("Petra", shot(1, 1))).reason == "similar_face"


@pytest.fixture
def changed_model(enrolment: MakeEnrolment, store: PeopleStore) -> dict[str, Person]:
    """Jane and Petra were enrolled with another model, with their photographs 0."""
    service = enrolment()
    service._space = "older/1"
    list(service.run([entry("Jane Doe", shot(1)), entry("Petra Winter", shot(2))]))
    return {person.name: person for person in store.people()}


@pytest.mark.parametrize("by_id", [False, True])
def test_after_a_change_of_the_model_the_same_people_are_enrolled_once_more(
    enrolment: MakeEnrolment, store: PeopleStore, changed_model: dict[str, Person], *, by_id: bool
) -> None:
    jane = changed_model["Jane Doe"]
    photos = (shot(1), shot(1, 1))
    wanted = entry("", *photos, add_to=jane.person_id) if by_id else entry("doe, jane", *photos)
    report = only(enrolment(), wanted)
    assert (report.status, report.person_id, report.name) == (Status.EXTENDED, jane.person_id, "Jane Doe")
    assert "1 of 2 photographs are the very ones" in report.notes[0]
    assert (len(store.people()), len(store.templates(SPACE))) == (2, 2)
    assert only(enrolment(), entry("Jane Doe", shot(1, 2))).reason == "already_enrolled"


def test_after_a_change_of_the_model_a_name_alone_is_nobody(
    enrolment: MakeEnrolment, store: PeopleStore, changed_model: dict[str, Person]
) -> None:
    jane = changed_model["Jane Doe"].person_id
    report = only(enrolment(), entry("Jane Doe", shot(7)))
    assert (report.status, report.reason) == (Status.REFUSED, "unproven")
    assert jane in report.text
    assert store.templates(SPACE) == []
    report = only(enrolment(), entry("", shot(7), add_to=jane))
    assert report.status is Status.EXTENDED
    assert "you say who it is" in report.notes[0]


@pytest.mark.usefixtures("changed_model")
def test_a_face_that_is_enrolled_again_already_is_nobody_elses(
    enrolment: MakeEnrolment, store: PeopleStore
) -> None:
    first, second = enrolment().run([entry("Jane Doe", shot(1)), entry("Petra Winter", shot(1, 4))])
    assert (first.status, second.reason) == (Status.EXTENDED, "similar_face")
    assert len(store.templates(SPACE)) == 1


@pytest.mark.usefixtures("changed_model")
def test_a_photograph_stays_its_owners_after_a_change_of_the_model(enrolment: MakeEnrolment) -> None:
    for name in ("Jane Doe", "Somebody New"):
        report = only(enrolment(), entry(name, shot(2)))
        assert reasons(report) == ["duplicate_photo"]
        assert "Petra Winter" in report.photos[0].text


@pytest.mark.usefixtures("changed_model")
def test_a_rehearsal_extends_too(enrolment: MakeEnrolment, store: PeopleStore) -> None:
    report = only(enrolment(Policy(dry_run=True)), entry("Jane Doe", shot(1)))
    assert report.status is Status.EXTENDED
    assert store.templates(SPACE) == []


def test_of_two_namesakes_none_is_guessed(enrolment: MakeEnrolment, store: PeopleStore) -> None:
    service = enrolment(Policy(allow_same_name=True))
    service._space = "older/1"
    list(service.run([entry("Jane Doe", shot(1)), entry("Jane Doe", shot(2))]))
    report = only(enrolment(), entry("Jane Doe", shot(1)))
    assert report.reason == "already_enrolled"
    assert all(person.person_id in report.text for person in store.people())


def test_terms_that_are_not_the_persons_are_not_passed_over(
    enrolment: MakeEnrolment, store: PeopleStore, changed_model: dict[str, Person]
) -> None:
    jane = store.update_person(replace(changed_model["Jane Doe"], groups=frozenset({"staff"})))
    report = only(enrolment(), Entry("Jane Doe", (shot(1),), terms=Terms(frozenset({"lab"}))))
    assert report.reason == "other_terms"
    assert f"edged people set {jane.person_id}" in report.text
    report = only(enrolment(), Entry("Jane Doe", (shot(1),), terms=Terms(frozenset({"staff"}))))
    assert (report.status, report.groups) == (Status.EXTENDED, ())


class FullDisk:
    """A store that keeps people but has no room for their templates."""

    def __init__(self, store: PeopleStore) -> None:
        self._store = store

    def __getattr__(self, name: str) -> object:
        return getattr(self._store, name)

    def add_templates(self, person_id: str, new: object) -> None:
        del person_id, new
        raise StoreFullError("no space is left")


def test_a_full_disk_ends_the_batch_and_leaves_nobody_half_enrolled(
    store: PeopleStore, vault: Vault, enrolment: MakeEnrolment
) -> None:
    only(enrolment(), entry("Jane", shot(1)))
    pipeline = SquarePipeline()
    full: Any = FullDisk(store)
    service = Enrolment(pipeline, full, PhotoCheck(pipeline, vault.digest), levels_for(CALIBRATION), Policy())
    with pytest.raises(StoreFullError):
        list(service.run([entry("Petra", shot(2)), entry("Li", shot(3))]))
    assert [person.name for person in store.people()] == ["Jane"]


@dataclass
class Census:
    """Counts the decoded pictures that are alive."""

    alive: int = 0
    most: int = 0
    seen: int = 0

    def born(self, image: Image) -> None:
        self.alive += 1
        self.seen += 1
        self.most = max(self.most, self.alive)
        weakref.finalize(image, self.died)

    def died(self) -> None:
        self.alive -= 1


@dataclass
class CountedPhoto:
    number: int
    census: Census
    label: str = field(default="counted")

    def content(self) -> bytes:
        return png(picture(Square(self.number % 20, self.number // 20)))

    def decode(self, content: bytes) -> Image:
        image = np.array(decode_picture(content))
        self.census.born(image)
        return image


def test_photographs_are_in_memory_one_at_a_time(enrolment: MakeEnrolment) -> None:
    census = Census()

    def entries() -> Iterator[Entry]:
        for who in range(20):
            photos = tuple(CountedPhoto(who + 20 * number, census) for number in range(10))
            yield Entry("abcdefghijklmnopqrstuvwxyz"[who] * 3, photos)

    assert all(report.status is Status.ENROLLED for report in enrolment().run(entries()))
    assert (census.seen, census.most, census.alive) == (200, 1, 0)


def test_a_newcomer_who_looks_like_somebody_is_enrolled_with_a_note(
    enrolment: MakeEnrolment, monkeypatch: pytest.MonkeyPatch
) -> None:
    only(enrolment(), entry("Jane", shot(1)))
    service = enrolment()
    # The squares of the two have 0.54, where enrolment would stop already: the level is moved out of the way.
    monkeypatch.setattr(service, "_levels", Levels(similar=0.7, consistent=0.6, alike=0.5))
    report = only(service, entry("Petra", shot(LOOK_ALIKE + 1)))
    assert report.status is Status.ENROLLED
    assert "looks like Jane" in report.notes[0]
    assert "edged gallery audit" in report.notes[0]
    other = only(enrolment(), entry("Otto", shot(5)))
    assert other.notes == ()
