"""Somebody was taken for a person in a visit: keep it from happening again."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from edged.config.sections import GalleryConfig
from edged.domain.people import Person, Veto
from edged.domain.types import EventKind, FloatArray, StoredEvent
from edged.enrolment.ports import People, Probes
from edged.enrolment.roster import centre
from edged.errors import EnrolmentError, NotFoundError
from edged.storage.people import PeopleStore
from edged.storage.probes import Probe, ProbeStore
from edged.storage.vault import Vault

# How far above the visit's threshold a face is taken for the person's own. With arcface-y1 on lfw-dev, three
# photographs enrolled, 98 % of the visits of the person and 1 to 2 % of the strangers who were taken for
# them lie there (the starter pack: some 93 % and 5 %); with one photograph 94 % and 3 %.
_OWN_EXCESS = 0.1


@dataclass(frozen=True, slots=True)
class Vetoed:
    """A veto that was made or undone; ``cosine`` is how near the face is to the person's centre."""

    event_id: str
    person: Person
    cosine: float | None = None


class Vetoes:
    """Makes anchors of visits. ``store`` must be writable."""

    def __init__(self, store: People, probes: Probes) -> None:
        self._store = store
        self._probes = probes

    def add(self, stored: StoredEvent, *, force: bool = False) -> Vetoed:
        """Veto the face of an access event for the person it names.

        Raises ``NotFoundError`` where the face is not kept or the person was forgotten;
        ``EnrolmentError``: ``not_a_visit`` where the event names nobody, ``own_face`` where the face is as
        like the person as only their own are (see ``_closeness``), so that the veto would keep the person
        out; ``force`` leaves that check out.
        """
        event = stored.event
        if event.kind is not EventKind.ACCESS or event.person_id is None:
            raise EnrolmentError("not_a_visit", f"the event {event.event_id} takes nobody for anybody")
        person = self._person(event.person_id)
        probe = self._probes.find(event.event_id)
        if probe.person_id != person.person_id:
            raise NotFoundError(f"the face kept of the event {event.event_id} is another person's")
        cosine = self._closeness(probe, person, None if force else _threshold_of(stored), force=force)
        self._store.add_veto(
            Veto(event.event_id, person.person_id, probe.space, probe.vector, datetime.now(UTC))
        )
        return Vetoed(event.event_id, person, cosine)

    def undo(self, event_id: str) -> Vetoed:
        """Take a veto back; ``event_id`` may be the beginning of one. Raises ``NotFoundError``."""
        prefix = event_id.strip().upper()
        found = [veto for veto in self._store.vetoes() if prefix and veto.event_id.startswith(prefix)]
        if len(found) != 1:
            what = "no veto was made of the event" if not found else "several vetoes begin with"
            raise NotFoundError(f"{what} {event_id[:80]!r}")
        person = self._person(found[0].person_id)
        self._store.remove_veto(found[0].event_id)
        return Vetoed(found[0].event_id, person)

    def _person(self, person_id: str) -> Person:
        person = next((one for one in self._store.people() if one.person_id == person_id), None)
        if person is None:
            raise NotFoundError(f"nobody has the id {person_id}: the person was forgotten, or merged")
        return person

    def _closeness(
        self, probe: Probe, person: Person, threshold: float | None, *, force: bool
    ) -> float | None:
        """Return the cosine to the person's centre, None without photographs of the space.

        Raises ``EnrolmentError`` (own_face) where that is ``_OWN_EXCESS`` above the ``threshold`` of the
        visit or, where that is not known, where a photograph of theirs is no nearer to the others; and where
        the face is nearer to a photograph than the person is.
        """
        own = [one.vector for one in self._store.templates(probe.space) if one.person_id == person.person_id]
        if not own:
            return None
        middle = centre(own)
        cosine = float(middle @ probe.vector)
        if force:
            return cosine
        shut_out = sum(float(vector @ probe.vector) >= float(vector @ middle) for vector in own)
        usual = _least_among(own) if threshold is None else threshold + _OWN_EXCESS
        if shut_out or (usual is not None and cosine >= usual):
            raise EnrolmentError(
                "own_face",
                f"this face is as like {person.name} ({person.person_id}) as a photograph of theirs, cosine "
                f"{cosine:.3f}: it is theirs most likely, and a veto would keep them out; look at "
                "`edged gallery audit`, or say --force",
            )
        return cosine


def _threshold_of(stored: StoredEvent) -> float | None:
    """Return everybody's threshold at the time of the visit, as its trace has it."""
    for gate in stored.event.trace:
        if gate.name == "threshold" and isinstance(gate.value, float):
            return gate.value
    return None


def _least_among(own: Sequence[FloatArray]) -> float | None:
    """Return how near the photograph that fits worst is to the centre of the others; None for one alone."""
    if len(own) < 2:
        return None
    return min(
        float(vector @ centre([other for place, other in enumerate(own) if place != number]))
        for number, vector in enumerate(own)
    )


@contextmanager
def open_vetoes(gallery: GalleryConfig) -> Iterator[Vetoes]:
    """Open gallery and probes for writing. Raises ``StoreError``."""
    vault = Vault.open(gallery.key_file)
    with PeopleStore.open(gallery.path, vault, writable=True) as store:
        yield Vetoes(store, ProbeStore.of(gallery, vault))
