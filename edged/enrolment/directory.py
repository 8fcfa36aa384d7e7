"""Look up and change people who are enrolled already."""

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from edged.config.sections import GalleryConfig
from edged.domain.people import Person, Template
from edged.domain.second_factor import FactorKind
from edged.domain.types import FloatArray
from edged.enrolment.levels import Levels
from edged.enrolment.names import clean_name, name_keys, same_name, similar_names
from edged.enrolment.ports import People, Probes
from edged.enrolment.roster import centre
from edged.enrolment.terms import Droppable, Terms, changed
from edged.errors import EnrolmentError, NotFoundError
from edged.storage.people import PeopleStore
from edged.storage.probes import ProbeStore
from edged.storage.vault import Vault

_MAX_SUGGESTIONS = 5


@dataclass(frozen=True, slots=True)
class Record:
    """A person and how many templates they have in each embedding space.

    ``vetoes`` are the events in which somebody else was taken for them; ``factors`` what they can answer a
    second factor with.
    """

    person: Person
    templates: dict[str, int]
    vetoes: tuple[str, ...] = ()
    factors: frozenset[FactorKind] = frozenset()


@dataclass(frozen=True, slots=True)
class Photo:
    """One template of a person; ``cosine`` to the centre of their others, None for the only one."""

    template: Template
    cosine: float | None


def find_person(people: Sequence[Person], text: str) -> Person:
    """Return the person whose id is ``text``, or the only one whose name it is.

    Raises ``NotFoundError`` with near names, ``EnrolmentError`` (ambiguous_name) with the ids.
    """
    for person in people:
        if person.person_id == text:
            return person
    keys = name_keys(text)
    found = [person for person in people if same_name(keys, name_keys(person.name))]
    if len(found) == 1:
        return found[0]
    if found:
        ids = ", ".join(person.person_id for person in found[:_MAX_SUGGESTIONS])
        raise EnrolmentError("ambiguous_name", f"{len(found)} people are called {text[:80]!r}: {ids}")
    known = {key: person.name for person in people for key in name_keys(person.name)}
    near = ", ".join(sorted(similar_names(keys, known))[:_MAX_SUGGESTIONS])
    raise NotFoundError(f"nobody is called {text[:80]!r}{f'; did you mean {near}?' if near else ''}")


class Directory:
    """Changes to people, each with its checks. ``probes`` are the faces of their newest visits."""

    def __init__(self, store: People, probes: Probes) -> None:
        self._store = store
        self._probes = probes

    def find(self, text: str) -> Person:
        """See ``find_person``."""
        return find_person(self._store.people(), text)

    def records(self) -> list[Record]:
        """Return everybody with the count of their templates, by name."""
        counts: dict[str, dict[str, int]] = {}
        for template in self._store.templates():
            own = counts.setdefault(template.person_id, {})
            own[template.space] = own.get(template.space, 0) + 1
        people = sorted(self._store.people(), key=lambda person: (person.name.casefold(), person.person_id))
        vetoes: dict[str, tuple[str, ...]] = {}
        for veto in self._store.vetoes():
            vetoes[veto.person_id] = (*vetoes.get(veto.person_id, ()), veto.event_id)
        factors = self._store.factor_kinds()
        return [
            Record(
                person,
                counts.get(person.person_id, {}),
                vetoes.get(person.person_id, ()),
                factors.get(person.person_id, frozenset()),
            )
            for person in people
        ]

    def record(self, text: str) -> Record:
        """Return one person's record; ``text`` as in ``find``."""
        wanted = self.find(text).person_id
        return next(record for record in self.records() if record.person.person_id == wanted)

    def rename(self, text: str, name: str, *, allow_same_name: bool = False) -> Person:
        """Give a person another name. Raises ``EnrolmentError``: ``bad_name``, ``already_enrolled``."""
        people = self._store.people()
        person = find_person(people, text)
        name = clean_name(name)
        keys = name_keys(name)
        others = [other for other in people if other.person_id != person.person_id]
        namesake = next((other for other in others if same_name(keys, name_keys(other.name))), None)
        if namesake is not None and not allow_same_name:
            raise EnrolmentError(
                "already_enrolled", f"already the name of {namesake.name} ({namesake.person_id})"
            )
        return self._store.update_person(replace(person, name=name))

    def set_enabled(self, text: str, *, enabled: bool) -> Person:
        """Let a person in again, or no longer; their photographs stay enrolled."""
        return self._store.update_person(replace(self.find(text), enabled=enabled))

    def set_terms(
        self, text: str, given: Terms, drop: Collection[Droppable], known_groups: Collection[str]
    ) -> Record:
        """Change groups, validity and consent of a person; see ``terms.changed``."""
        person = self._store.update_person(changed(self.find(text), given, drop, known_groups))
        return self.record(person.person_id)

    def forget(self, text: str) -> Record:
        """Remove a person, all templates, vetoes and faces of visits; return what was removed."""
        record = self.record(text)
        try:
            self._store.forget(record.person.person_id)
        finally:
            self._probes.forget(record.person.person_id)
        return record

    def photos(self, text: str) -> list[Photo]:
        """Return a person's templates, oldest first, each with its closeness to the others."""
        person_id = self.find(text).person_id
        own = [template for template in self._store.templates() if template.person_id == person_id]
        return [Photo(template, _closeness(template, own)) for template in own]

    def remove_photo(self, template_id: str) -> tuple[Record, Template]:
        """Erase one template; return what is left of the person, and the template.

        Raises ``NotFoundError``; ``EnrolmentError`` (last_photo) for the only one of its space.
        """
        templates = self._store.templates()
        gone = next((one for one in templates if one.template_id == template_id), None)
        if gone is None:
            raise NotFoundError(f"no photograph has the id {template_id[:80]!r}")
        if not any(one.space == gone.space for one in templates if _siblings(one, gone)):
            raise EnrolmentError(
                "last_photo",
                f"the only photograph of {gone.person_id}: `edged enrol --add-to {gone.person_id}` another "
                f"one first, or `edged people forget {gone.person_id}`",
            )
        self._store.remove_template(template_id)
        return self.record(gone.person_id), gone

    def merge(self, source: str, into: str, levels: Levels | None) -> Record:
        """Give the templates of one person to another and remove the first; return the other's record.

        Two different faces under one name would have a centre between them that strangers come near,
        so they must look alike, and nobody may have said that they are two; ``levels`` None leaves both
        checks out. Raises ``EnrolmentError``: ``inconsistent``, ``said_different``.
        """
        source_id, into_id = self.find(source).person_id, self.find(into).person_id
        if levels is not None and source_id != into_id:
            self._check_same(source_id, into_id, levels)
        try:
            self._store.merge(source_id, into_id)
        finally:
            self._probes.forget(source_id)
        return self.record(into_id)

    def _check_same(self, source_id: str, into_id: str, levels: Levels) -> None:
        if any(said.pair == {source_id, into_id} for said in self._store.distinctions()):
            raise EnrolmentError(
                "said_different",
                "they were said to be two people; if they are one, first "
                f"`edged gallery different {source_id} {into_id} --undo`",
            )
        source, into = self._vectors(source_id), self._vectors(into_id)
        if not source or not into:
            return
        shared = sorted(source.keys() & into.keys())
        if not shared:
            raise EnrolmentError(
                "inconsistent", "their photographs were taken up by different models and cannot be compared"
            )
        score = min(float(centre(source[space]) @ centre(into[space])) for space in shared)
        if score < levels.consistent:
            raise EnrolmentError(
                "inconsistent",
                f"they do not look like one person: cosine {score:.2f}, limit {levels.consistent:.2f}",
            )

    def _vectors(self, person_id: str) -> dict[str, list[FloatArray]]:
        """Return a person's vectors by embedding space."""
        found: dict[str, list[FloatArray]] = {}
        for template in self._store.templates():
            if template.person_id == person_id:
                found.setdefault(template.space, []).append(template.vector)
        return found


def _siblings(one: Template, other: Template) -> bool:
    return one.person_id == other.person_id and one.template_id != other.template_id


def _closeness(template: Template, own: Sequence[Template]) -> float | None:
    others = [one.vector for one in own if _siblings(one, template) and one.space == template.space]
    return float(centre(others) @ template.vector) if others else None


@contextmanager
def open_directory(gallery: GalleryConfig, *, writable: bool) -> Iterator[Directory]:
    """Open the gallery alone. Raises ``StoreError``."""
    vault = Vault.open(gallery.key_file)
    with PeopleStore.open(gallery.path, vault, writable=writable) as store:
        yield Directory(store, ProbeStore.of(gallery, vault))
