"""Two people who look alike are said to be two: kept, listed, taken back, and joined only by force."""

from pathlib import Path

import pytest

from edged.domain.people import Person
from edged.enrolment.directory import Directory
from edged.enrolment.distinctions import Distinctions, open_distinctions
from edged.enrolment.entries import Entry
from edged.enrolment.levels import Levels
from edged.enrolment.reports import Status
from edged.enrolment.service import Policy
from edged.enrolment.sources import FramePhoto
from edged.errors import EnrolmentError, NotFoundError
from edged.storage.people import PeopleStore
from edged.storage.probes import ProbeStore
from tests.unit.enrolment.conftest import MakeEnrolment
from tests.unit.enrolment.scene import LOOK_ALIKE, Square, picture

LEVELS = Levels(0.458, 0.318)
TWIN = LOOK_ALIKE + 1


def entry(name: str, who: int, *numbers: int, add_to: str | None = None) -> Entry:
    shots = (FramePhoto(f"{who}/{number}", picture(Square(who, number))) for number in numbers)
    return Entry(name, tuple(shots), add_to=add_to)


@pytest.fixture
def twins(enrolment: MakeEnrolment, store: PeopleStore) -> tuple[Person, Person]:
    reports = enrolment(Policy(allow_similar=True)).run(
        [entry("Jane Doe", 1, 0, 1), entry("Petra Roe", TWIN, 0, 1)]
    )
    first, second = (store.person(report.person_id or "") for report in reports)
    return first, second


def test_what_was_said_is_kept_listed_and_taken_back(
    store: PeopleStore, twins: tuple[Person, Person]
) -> None:
    jane, petra = twins
    distinctions, before = Distinctions(store), store.generation()
    told = distinctions.add("Petra Roe", jane.person_id, " twins,  both\tknown ")
    assert (told.people, told.said.reason) == ((petra, jane), "twins, both known")
    assert store.generation() > before
    (listed,) = distinctions.all()
    assert set(listed.people) == set(twins)
    assert listed.said == told.said
    assert distinctions.undo("Jane Doe", "Petra Roe").people == twins
    assert distinctions.all() == []
    with pytest.raises(NotFoundError, match="are two people"):
        distinctions.undo("Jane Doe", "Petra Roe")


def test_one_person_is_not_two_and_a_reason_is_short(
    store: PeopleStore, twins: tuple[Person, Person]
) -> None:
    distinctions = Distinctions(store)
    with pytest.raises(EnrolmentError) as caught:
        distinctions.add("Jane Doe", twins[0].person_id)
    assert caught.value.reason == "same_person"
    with pytest.raises(EnrolmentError) as caught:
        distinctions.add("Jane Doe", "Petra Roe", "x" * 201)
    assert caught.value.reason == "bad_reason"


def test_they_are_joined_only_by_force(
    store: PeopleStore, probes: ProbeStore, twins: tuple[Person, Person]
) -> None:
    directory = Directory(store, probes)
    Distinctions(store).add("Jane Doe", "Petra Roe")
    with pytest.raises(EnrolmentError) as caught:
        directory.merge("Petra Roe", "Jane Doe", LEVELS)
    assert caught.value.reason == "said_different"
    directory.merge("Petra Roe", "Jane Doe", None)
    assert store.distinctions() == []


def test_more_photographs_of_a_twin_are_taken_and_those_of_the_other_are_not(
    enrolment: MakeEnrolment, store: PeopleStore, twins: tuple[Person, Person]
) -> None:
    jane, petra = twins
    (refused,) = enrolment().run([entry("", 1, 2, add_to=jane.person_id)])
    assert refused.reason == "similar_face"
    Distinctions(store).add("Jane Doe", "Petra Roe")
    (taken,) = enrolment().run([entry("", 1, 2, add_to=jane.person_id)])
    assert taken.status is Status.EXTENDED
    (other,) = enrolment().run([entry("", TWIN, 3, add_to=jane.person_id)])
    assert (other.status, other.reason) == (Status.REFUSED, "similar_face")
    assert petra.person_id in other.text


def test_what_was_said_goes_with_the_person(store: PeopleStore, twins: tuple[Person, Person]) -> None:
    _, petra = twins
    Distinctions(store).add("Jane Doe", "Petra Roe")
    store.forget(petra.person_id)
    assert store.distinctions() == []
    assert Distinctions(store).all() == []


def test_what_was_said_of_one_holds_for_whom_they_are_merged_with(
    store: PeopleStore, twins: tuple[Person, Person]
) -> None:
    jane, petra = twins
    double = store.add_person("Jane D")
    Distinctions(store).add(double.person_id, petra.person_id, "sisters")
    store.merge(double.person_id, jane.person_id)
    (said,) = store.distinctions()
    assert (said.pair, said.reason) == ({jane.person_id, petra.person_id}, "sisters")


def test_a_gallery_without_the_table_has_none(tmp_path: Path) -> None:
    from edged.config.sections import GalleryConfig

    gallery = GalleryConfig(path=tmp_path / "none.db", key_file=tmp_path / "none.key")
    with open_distinctions(gallery, writable=False) as distinctions:
        assert distinctions.all() == []
