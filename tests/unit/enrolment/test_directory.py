import pytest

from edged.domain.people import Person
from edged.enrolment.directory import Directory, find_person
from edged.enrolment.levels import Levels
from edged.enrolment.terms import Terms
from edged.errors import EnrolmentError, NotFoundError
from edged.storage.people import NewTemplate, PeopleStore
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


def test_renaming_keeps_the_id_and_the_templates(store: PeopleStore) -> None:
    jane = add(store, "Jane Doe", 1)
    assert Directory(store).rename("Jane Doe", "Jane  Roe").name == "Jane Roe"
    assert store.person(jane.person_id).name == "Jane Roe"
    assert len(store.templates()) == 1


def test_renaming_to_somebodys_name_is_refused_unless_allowed(store: PeopleStore) -> None:
    add(store, "Jane", 1)
    add(store, "Petra", 2)
    with pytest.raises(EnrolmentError) as caught:
        Directory(store).rename("Petra", "JANE")
    assert caught.value.reason == "already_enrolled"
    assert Directory(store).rename("Petra", "Petra").name == "Petra"
    assert Directory(store).rename("Petra", "Jane", allow_same_name=True).name == "Jane"


def test_disabling_and_enabling(store: PeopleStore) -> None:
    add(store, "Jane", 1)
    assert Directory(store).set_enabled("Jane", enabled=False).enabled is False
    assert store.people()[0].enabled is False
    assert Directory(store).set_enabled("Jane", enabled=True).enabled is True


def test_terms_are_changed_in_the_store(store: PeopleStore) -> None:
    add(store, "Jane", 1)
    record = Directory(store).set_terms("Jane", Terms(frozenset({"staff"})), (), ("staff",))
    assert record.person == store.people()[0]
    assert (store.people()[0].groups, record.templates) == ({"staff"}, {SPACE: 1})
    Directory(store).set_terms("Jane", Terms(), ("groups",), ("staff",))
    assert store.people()[0].groups == frozenset()


def test_forgetting_says_what_was_removed(store: PeopleStore) -> None:
    jane = add(store, "Jane", 1)
    add(store, "Petra", 2)
    record = Directory(store).forget("Jane")
    assert (record.person.person_id, record.templates) == (jane.person_id, {SPACE: 1})
    assert [person.name for person in store.people()] == ["Petra"]
    assert len(store.templates()) == 1


def test_merging_two_records_of_one_face(store: PeopleStore) -> None:
    add(store, "J. Doe", 1, 0)
    jane = add(store, "Jane Doe", 1, 1)
    record = Directory(store).merge("J. Doe", jane.person_id, LEVELS)
    assert (record.person.name, record.templates) == ("Jane Doe", {SPACE: 2})
    assert len(store.people()) == 1


def test_two_faces_are_not_merged_unless_forced(store: PeopleStore) -> None:
    add(store, "Jane", 1)
    add(store, "Petra", 2)
    directory = Directory(store)
    with pytest.raises(EnrolmentError) as caught:
        directory.merge("Jane", "Petra", LEVELS)
    assert caught.value.reason == "inconsistent"
    assert len(store.people()) == 2
    directory.merge("Jane", "Petra", None)
    assert len(store.people()) == 1


def test_faces_of_two_models_cannot_be_compared(store: PeopleStore) -> None:
    add(store, "Jane", 1)
    add(store, "J. Doe", 1, space="other/1")
    with pytest.raises(EnrolmentError, match="different models"):
        Directory(store).merge("Jane", "J. Doe", LEVELS)


def test_a_person_without_photographs_merges_with_anybody(store: PeopleStore) -> None:
    store.add_person("J. Doe")
    add(store, "Jane", 1)
    assert Directory(store).merge("J. Doe", "Jane", LEVELS).templates == {SPACE: 1}
