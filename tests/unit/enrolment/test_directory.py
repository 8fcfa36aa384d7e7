import pytest

from edged.domain.people import Person
from edged.enrolment.directory import Directory, find_person
from edged.enrolment.levels import Levels
from edged.errors import EnrolmentError, NotFoundError
from edged.storage.people import NewTemplate, PeopleStore
from edged.storage.probes import Probe, ProbeStore
from tests.unit.enrolment.scene import SPACE, vector_of

LEVELS = Levels(0.458, 0.318)
PEOPLE = [Person("p-1", "José García"), Person("p-2", "Jan Novak"), Person("p-3", "Jan Novak")]


def add(store: PeopleStore, name: str, who: int, number: int = 0, space: str = SPACE) -> Person:
    person = store.add_person(name)
    store.add_templates(person.person_id, [NewTemplate(space, vector_of(who, number), 0.9, bytes(32))])
    return person


@pytest.mark.parametrize("text", ["p-1", "José García", "garcia, jose"])
def test_a_person_is_found_by_id_or_name(text: str) -> None:
    assert find_person(PEOPLE, text).person_id == "p-1"


def test_a_name_of_two_people_is_ambiguous() -> None:
    with pytest.raises(EnrolmentError, match="p-2, p-3") as caught:
        find_person(PEOPLE, "Jan Novak")
    assert caught.value.reason == "ambiguous_name"


def test_an_unknown_name_suggests_near_ones() -> None:
    with pytest.raises(NotFoundError, match="did you mean José García"):
        find_person(PEOPLE, "Jose Garzia")
    with pytest.raises(NotFoundError, match=r"nobody is called 'Xu'$"):
        find_person(PEOPLE, "Xu")


def test_renaming_keeps_the_id_and_the_templates(store: PeopleStore, probes: ProbeStore) -> None:
    jane = add(store, "Jane Doe", 1)
    assert Directory(store, probes).rename("Jane Doe", "Jane  Roe").name == "Jane Roe"
    assert store.person(jane.person_id).name == "Jane Roe"
    assert len(store.templates()) == 1


def test_renaming_to_somebodys_name_is_refused_unless_allowed(store: PeopleStore, probes: ProbeStore) -> None:
    add(store, "Jane", 1)
    add(store, "Petra", 2)
    with pytest.raises(EnrolmentError) as caught:
        Directory(store, probes).rename("Petra", "JANE")
    assert caught.value.reason == "already_enrolled"
    assert Directory(store, probes).rename("Petra", "Petra").name == "Petra"
    assert Directory(store, probes).rename("Petra", "Jane", allow_same_name=True).name == "Jane"


def test_disabling_and_enabling(store: PeopleStore, probes: ProbeStore) -> None:
    add(store, "Jane", 1)
    assert Directory(store, probes).set_enabled("Jane", enabled=False).enabled is False
    assert store.people()[0].enabled is False
    assert Directory(store, probes).set_enabled("Jane", enabled=True).enabled is True


def test_forgetting_says_what_was_removed(store: PeopleStore, probes: ProbeStore) -> None:
    jane = add(store, "Jane", 1)
    add(store, "Petra", 2)
    record = Directory(store, probes).forget("Jane")
    assert (record.person.person_id, record.templates) == (jane.person_id, {SPACE: 1})
    assert [person.name for person in store.people()] == ["Petra"]
    assert len(store.templates()) == 1


def test_merging_two_records_of_one_face(store: PeopleStore, probes: ProbeStore) -> None:
    add(store, "J. Doe", 1, 0)
    jane = add(store, "Jane Doe", 1, 1)
    record = Directory(store, probes).merge("J. Doe", jane.person_id, LEVELS)
    assert (record.person.name, record.templates) == ("Jane Doe", {SPACE: 2})
    assert len(store.people()) == 1


def test_two_faces_are_not_merged_unless_forced(store: PeopleStore, probes: ProbeStore) -> None:
    add(store, "Jane", 1)
    add(store, "Petra", 2)
    directory = Directory(store, probes)
    with pytest.raises(EnrolmentError) as caught:
        directory.merge("Jane", "Petra", LEVELS)
    assert caught.value.reason == "inconsistent"
    assert len(store.people()) == 2
    directory.merge("Jane", "Petra", None)
    assert len(store.people()) == 1


def test_faces_of_two_models_cannot_be_compared(store: PeopleStore, probes: ProbeStore) -> None:
    add(store, "Jane", 1)
    add(store, "J. Doe", 1, space="other/1")
    with pytest.raises(EnrolmentError, match="different models"):
        Directory(store, probes).merge("Jane", "J. Doe", LEVELS)


def test_a_person_without_photographs_merges_with_anybody(store: PeopleStore, probes: ProbeStore) -> None:
    store.add_person("J. Doe")
    add(store, "Jane", 1)
    assert Directory(store, probes).merge("J. Doe", "Jane", LEVELS).templates == {SPACE: 1}


def test_photographs_are_listed_with_their_closeness_to_the_others(
    store: PeopleStore, probes: ProbeStore
) -> None:
    jane = add(store, "Jane", 1)
    store.add_templates(
        jane.person_id,
        [NewTemplate(SPACE, vector_of(1, 1), 0.8, b"1"), NewTemplate("o/1", vector_of(1, 2), 0.7, b"2")],
    )
    photos = Directory(store, probes).photos("Jane")
    assert [photo.template.quality for photo in photos] == [0.9, 0.8, 0.7]
    assert [photo.cosine for photo in photos] == [pytest.approx(0.9), pytest.approx(0.9), None]


def test_one_photograph_is_removed_but_not_the_only_one_of_its_model(
    store: PeopleStore, probes: ProbeStore
) -> None:
    jane = add(store, "Jane", 1)
    (wrong, other) = store.add_templates(
        jane.person_id,
        [NewTemplate(SPACE, vector_of(2, 0), 0.9, b"1"), NewTemplate("o/1", vector_of(1, 2), 0.7, b"2")],
    )
    directory = Directory(store, probes)
    record, gone = directory.remove_photo(wrong.template_id)
    assert (record.templates, gone.template_id) == ({SPACE: 1, "o/1": 1}, wrong.template_id)
    with pytest.raises(EnrolmentError, match="only photograph") as caught:
        directory.remove_photo(other.template_id)
    assert caught.value.reason == "last_photo"
    with pytest.raises(NotFoundError):
        directory.remove_photo(wrong.template_id)


def test_forgetting_and_merging_take_the_faces_of_visits_along(
    store: PeopleStore, probes: ProbeStore
) -> None:
    jane, john, ann = add(store, "Jane", 1), add(store, "J. Doe", 1, 1), add(store, "Ann", 3)
    for number, person in enumerate((jane, john, ann)):
        probes.keep(Probe(f"01E{number}", person.person_id, SPACE, vector_of(1, 4)))
    directory = Directory(store, probes)
    directory.merge("J. Doe", "Jane", LEVELS)
    with pytest.raises(NotFoundError):
        probes.find("01E1")
    directory.forget("Jane")
    with pytest.raises(NotFoundError):
        probes.find("01E0")
    assert probes.find("01E2").person_id == ann.person_id
