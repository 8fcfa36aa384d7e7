"""Somebody was taken for a person in a visit: keep it from happening again."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from edged.config.sections import GalleryConfig
from edged.domain.people import Person, Veto
from edged.domain.types import EventKind, StoredEvent
from edged.enrolment.ports import People, Probes
from edged.enrolment.roster import centre
from edged.errors import EnrolmentError, NotFoundError
from edged.storage.people import PeopleStore
from edged.storage.probes import Probe, ProbeStore
from edged.storage.vault import Vault


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
        ``EnrolmentError``: ``not_a_visit`` where the event names nobody, ``own_face`` where the face is
        nearer to a photograph of the person than that one is to their centre, so that the veto might keep
        the person out; ``force`` leaves that check out.
        """
        event = stored.event
        if event.kind is not EventKind.ACCESS or event.person_id is None:
            raise EnrolmentError("not_a_visit", f"the event {event.event_id} takes nobody for anybody")
        person = self._person(event.person_id)
        probe = self._probes.find(event.event_id)
        if probe.person_id != person.person_id:
            raise NotFoundError(f"the face kept of the event {event.event_id} is another person's")
        cosine = self._closeness(probe, person, force=force)
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

    def _closeness(self, probe: Probe, person: Person, *, force: bool) -> float | None:
        """Return the cosine to the person's centre, None without photographs of the space."""
        own = [one.vector for one in self._store.templates(probe.space) if one.person_id == person.person_id]
        if not own:
            return None
        middle = centre(own)
        shut_out = sum(float(vector @ probe.vector) >= float(vector @ middle) for vector in own)
        if shut_out and not force:
            raise EnrolmentError(
                "own_face",
                f"{shut_out} of {len(own)} photographs of {person.name} ({person.person_id}) are nearer to "
                "this face than to the person: it may be theirs after all, and a veto would keep them out; "
                "look at `edged gallery audit`, or say --force",
            )
        return float(middle @ probe.vector)


@contextmanager
def open_vetoes(gallery: GalleryConfig) -> Iterator[Vetoes]:
    """Open gallery and probes for writing. Raises ``StoreError``."""
    vault = Vault.open(gallery.key_file)
    with PeopleStore.open(gallery.path, vault, writable=True) as store:
        yield Vetoes(store, ProbeStore.of(gallery, vault))
