"""From an event to an anchor, over a real store, and back."""

from dataclasses import replace

import numpy as np
import pytest

from edged.domain.people import Person
from edged.domain.types import Event, EventKind, Gate, StoredEvent
from edged.enrolment.vetoes import Vetoes
from edged.errors import EnrolmentError, NotFoundError
from edged.storage.people import NewTemplate, PeopleStore
from edged.storage.probes import Probe, ProbeStore
from tests.unit.enrolment.scene import LOOK_ALIKE, SPACE, vector_of

EVENT = "01KJQ0000000000000000VISIT"


def visit(person_id: str | None, kind: EventKind = EventKind.ACCESS) -> StoredEvent:
    event = Event(EVENT, kind, 0.0, 0.0, "boot", time_synced=True, person_id=person_id)
    return StoredEvent("epoch", 1, event, "")


@pytest.fixture
def jane(store: PeopleStore) -> Person:
    person = store.add_person("Jane Doe")
    templates = [NewTemplate(SPACE, vector_of(1, number), 0.9, bytes([number])) for number in range(3)]
    store.add_templates(person.person_id, templates)
    return person


def test_a_wrong_name_becomes_an_anchor_and_is_taken_back(
    store: PeopleStore, probes: ProbeStore, jane: Person
) -> None:
    face = vector_of(LOOK_ALIKE + 1, 0)
    probes.keep(Probe(EVENT, jane.person_id, SPACE, face))
    vetoes = Vetoes(store, probes)
    done = vetoes.add(visit(jane.person_id))
    assert (done.person, done.event_id) == (jane, EVENT)
    assert done.cosine == pytest.approx(0.57, abs=0.03)
    (veto,) = store.vetoes()
    assert (veto.event_id, veto.person_id, veto.space) == (EVENT, jane.person_id, SPACE)
    assert veto.vector == pytest.approx(face)
    assert vetoes.undo(EVENT[:8].lower()).person == jane
    assert store.vetoes() == []
    with pytest.raises(NotFoundError):
        vetoes.undo(EVENT)


def test_the_persons_own_face_is_vetoed_only_by_force(
    store: PeopleStore, probes: ProbeStore, jane: Person
) -> None:
    probes.keep(Probe(EVENT, jane.person_id, SPACE, vector_of(1, 0)))
    with pytest.raises(EnrolmentError, match="theirs most likely") as caught:
        Vetoes(store, probes).add(visit(jane.person_id))
    assert caught.value.reason == "own_face"
    assert store.vetoes() == []
    Vetoes(store, probes).add(visit(jane.person_id), force=True)
    assert len(store.vetoes()) == 1


def test_a_genuine_visit_is_told_from_a_strangers_by_the_threshold_of_the_visit(
    store: PeopleStore, probes: ProbeStore, jane: Person
) -> None:
    """Not a photograph of theirs, as the one above, but another picture, as a visit is."""
    gate = Gate("threshold", 0.45, None, passed=True)
    seen = visit(jane.person_id)
    seen = replace(seen, event=replace(seen.event, trace=(gate,)))
    face = vector_of(1, 0) + 0.9 * vector_of(50, 0)
    face = (face / np.linalg.norm(face)).astype(np.float32)
    probes.keep(Probe(EVENT, jane.person_id, SPACE, face))
    with pytest.raises(EnrolmentError, match=r"cosine 0\.\d\d\d") as caught:
        Vetoes(store, probes).add(seen)
    assert caught.value.reason == "own_face"
    probes.keep(Probe(EVENT, jane.person_id, SPACE, vector_of(LOOK_ALIKE + 1, 0)))
    strict = replace(seen, event=replace(seen.event, trace=(replace(gate, value=0.5),)))
    assert Vetoes(store, probes).add(strict).cosine == pytest.approx(0.57, abs=0.03)


@pytest.mark.parametrize("stored", [visit(None), visit("p-1", EventKind.ATTENDANCE)])
def test_what_names_nobody_is_no_visit_to_correct(
    store: PeopleStore, probes: ProbeStore, stored: StoredEvent
) -> None:
    with pytest.raises(EnrolmentError) as caught:
        Vetoes(store, probes).add(stored)
    assert caught.value.reason == "not_a_visit"


def test_without_the_face_or_the_person_there_is_nothing_to_veto(
    store: PeopleStore, probes: ProbeStore, jane: Person
) -> None:
    vetoes = Vetoes(store, probes)
    with pytest.raises(NotFoundError, match="is not kept"):
        vetoes.add(visit(jane.person_id))
    with pytest.raises(NotFoundError, match="was forgotten"):
        vetoes.add(visit("p-gone"))
    probes.keep(Probe(EVENT, "p-gone", SPACE, vector_of(1, 0)))
    with pytest.raises(NotFoundError, match="another person's"):
        vetoes.add(replace(visit(jane.person_id)))
    assert store.vetoes() == []
