"""Enrol people one after the other: each wholly, or not at all with the reason."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace

from edged.domain.analysis import FaceAnalyser
from edged.domain.people import Person
from edged.domain.types import FloatArray
from edged.enrolment.checks import Candidate, PhotoCheck
from edged.enrolment.consistency import closeness, odd_ones_out
from edged.enrolment.entries import Entry
from edged.enrolment.levels import Levels
from edged.enrolment.names import clean_name
from edged.enrolment.ports import People, PhotoSource
from edged.enrolment.reports import PersonReport, PhotoReport, Status
from edged.enrolment.roster import Roster, centre
from edged.enrolment.terms import Terms
from edged.errors import EnrolmentError, StoreError
from edged.storage.people import NewTemplate


@dataclass(frozen=True, slots=True)
class Policy:
    """What the operator asked for; ``known_groups`` empty means that any group is taken."""

    allow_similar: bool = False
    allow_same_name: bool = False
    dry_run: bool = False
    known_groups: frozenset[str] = frozenset()


class Enrolment:
    """Runs entries against a store. One photograph is in memory at a time, and none is kept."""

    def __init__(
        self, pipeline: FaceAnalyser, store: People, check: PhotoCheck, levels: Levels, policy: Policy
    ) -> None:
        self._space = pipeline.space
        self._dimension = pipeline.dimension
        self._store = store
        self._check = check
        self._levels = levels
        self._policy = policy
        self._rehearsed = 0
        self._load()

    def run(
        self, entries: Iterable[Entry], on_photo: Callable[[PhotoSource], None] = lambda _source: None
    ) -> Iterator[PersonReport]:
        """Yield a report for each entry when it is done; people before a failure stay enrolled.

        ``on_photo`` is called after each photograph. Raises ``StoreError`` where the store fails.
        """
        for entry in entries:
            if self._store.generation() != self._generation:
                self._load()
            yield self._one(entry, on_photo)

    def recognisable(self) -> int:
        """Return how many people can be recognised, those of this run included."""
        return self._roster.recognisable()

    def _load(self) -> None:
        self._generation = self._store.generation()
        store = self._store
        self._roster = Roster(
            self._space, self._dimension, store.people(), store.templates(), store.distinctions()
        )

    def _one(self, entry: Entry, on_photo: Callable[[PhotoSource], None]) -> PersonReport:
        outcomes: list[Candidate | PhotoReport] = []
        try:
            entry, existing = self._admit(entry)
            self._gather(entry, existing, outcomes, on_photo)
            self._drop_odd_ones(existing, outcomes)
            kept = _kept(entry, outcomes)
            notes = self._compare(entry, existing, [one.vector for one in kept])
            notes += self._renewal(entry, existing, kept)
            person = existing or self._keep_person(entry)
            self._keep_templates(person, kept, new=existing is None)
        except EnrolmentError as exc:
            photos = tuple(_reports(outcomes, exc.reason))
            return PersonReport(entry.name, entry.origin, Status.REFUSED, None, exc.reason, str(exc), photos)
        status = Status.ENROLLED if existing is None else Status.EXTENDED
        photos = tuple(_reports(outcomes, None))
        terms = entry.terms if existing is None else Terms()
        return PersonReport(
            person.name, entry.origin, status, person.person_id, photos=photos, notes=tuple(notes),
            groups=tuple(sorted(terms.groups)), valid_until=terms.valid_until,
        )  # fmt: skip

    def _admit(self, entry: Entry) -> tuple[Entry, Person | None]:
        """Check all that needs no picture; return the entry with its name cleaned, and who is extended."""
        if entry.problem is not None:
            raise entry.problem
        if entry.add_to is not None:
            existing = self._roster.person(entry.add_to)
            if existing is None:
                raise EnrolmentError("not_enrolled", f"nobody has the id {entry.add_to!r}")
            return replace(entry, name=existing.name), existing
        entry = replace(entry, name=clean_name(entry.name))
        entry.terms.check(self._policy.known_groups)
        namesakes = self._roster.namesakes(entry.name)
        if not namesakes or self._policy.allow_same_name:
            return entry, None
        if len(namesakes) == 1 and not self._comparable(namesakes[0]):
            return entry, _renewable(entry, namesakes[0])
        which = namesakes[0].person_id if len(namesakes) == 1 else "ID"
        raise EnrolmentError(
            "already_enrolled",
            f"already enrolled as {' and as '.join(map(_told, namesakes))}; `edged enrol --add-to {which}` "
            f"adds photographs, --allow-same-name enrols another person of this name",
        )

    def _comparable(self, person: Person) -> bool:
        return self._roster.centroid(person.person_id) is not None

    def _renewal(self, entry: Entry, existing: Person | None, kept: list[Candidate]) -> list[str]:
        """Say on what evidence somebody without a template of this model was taken for themselves.

        A name is none: whoever fills in a form could take another's. Raises ``EnrolmentError`` (unproven).
        """
        if existing is None or self._comparable(existing):
            return []
        seen = sum(self._roster.had(one.digest, existing.person_id) for one in kept)
        if not seen and entry.add_to is None:
            raise EnrolmentError(
                "unproven",
                f"{_told(existing)} has no template of this model, and none of these photographs is one of "
                f"theirs; where you know that it is them, `edged enrol --add-to {existing.person_id}`",
            )
        evidence = "" if seen else ": you say who it is"
        return [
            f"had no template of this model (space {self._space}), so there was no face to compare with; "
            f"{seen} of {len(kept)} photographs are the very ones enrolled with another model{evidence}"
        ]

    def _gather(
        self,
        entry: Entry,
        existing: Person | None,
        outcomes: list[Candidate | PhotoReport],
        on_photo: Callable[[PhotoSource], None],
    ) -> None:
        own: set[bytes] = set()
        own_id = None if existing is None else existing.person_id

        def holder(digest: bytes) -> str | None:
            return "this person" if digest in own else self._roster.holder(digest, besides=own_id)

        for source in entry.photos:
            try:
                candidate = self._check.examine(source, holder)
            except EnrolmentError as exc:
                outcomes.append(PhotoReport(source.label, exc.reason, str(exc)))
            else:
                own.add(candidate.digest)
                outcomes.append(candidate)
            on_photo(source)

    def _drop_odd_ones(self, existing: Person | None, outcomes: list[Candidate | PhotoReport]) -> None:
        """Replace candidates that show somebody else by a report that says so."""
        places = [place for place, one in enumerate(outcomes) if isinstance(one, Candidate)]
        vectors = [one.vector for one in outcomes if isinstance(one, Candidate)]
        own = None if existing is None else self._roster.centroid(existing.person_id)
        if own is None:
            odd = {row: closeness(vectors, row) for row in odd_ones_out(vectors, self._levels.consistent)}
            whom = "any other photograph of this person"
        else:
            scores = [float(vector @ own) for vector in vectors]
            odd = {row: score for row, score in enumerate(scores) if score < self._levels.consistent}
            whom = "the person already enrolled"
        for row, score in odd.items():
            text = f"does not look like {whom}: cosine {score:.2f}, limit {self._levels.consistent:.2f}"
            if score >= self._levels.consistent:
                text = "these photographs show two people, and neither is in most of them"
            outcomes[places[row]] = PhotoReport(outcomes[places[row]].label, "inconsistent", text)

    def _compare(self, entry: Entry, existing: Person | None, vectors: list[FloatArray]) -> list[str]:
        """Return notes on whom the person resembles. Raises ``EnrolmentError`` for a suspected duplicate.

        A similar name is evidence of its own: with one, a face at the level of one wrong stop in a
        thousand is enough. Who was said to be somebody else is none of whom these photographs show.
        """
        vector, own = centre(vectors), set[str]()
        if existing is not None:
            own = {existing.person_id, *self._roster.told_apart(existing.person_id, vectors)}
        alike = self._roster.similarly_named(entry.name)
        face = self._roster.nearest(vector, besides=own)
        if face is not None and face[1] >= self._levels.similar:
            both = face[0].person_id in alike
            return self._stop("similar_name_and_face" if both else "similar_face", *face)
        sure = existing is not None and self._comparable(existing)
        named = None if sure else self._roster.nearest(vector, among=alike)
        if named is not None and named[1] >= self._levels.consistent:
            return self._stop("similar_name_and_face", *named)
        notes = []
        if face is not None and face[1] >= self._levels.alike:
            notes.append(
                f"looks like {_told(face[0])}: cosine {face[1]:.2f}; see `edged gallery audit`, and "
                "`edged people not-me` should the door mistake them"
            )
        if named is None:
            return notes
        return [
            *notes,
            f"the name is like that of {_told(named[0])}, the face is not (cosine {named[1]:.2f})",
        ]

    def _stop(self, reason: str, other: Person, score: float) -> list[str]:
        limit = self._levels.similar if score >= self._levels.similar else self._levels.consistent
        what = (
            "name and face are like those" if reason == "similar_name_and_face" else "the face is like that"
        )
        text = f"{what} of {_told(other)}: cosine {score:.2f}, limit {limit:.2f}"
        if self._policy.allow_similar:
            return [f"{text} (allowed); `edged gallery different` says for good that they are two"]
        raise EnrolmentError(
            reason,
            f"{text}; if it is one person, `edged enrol --add-to {other.person_id}`, if not, --allow-similar",
        )

    def _keep_person(self, entry: Entry) -> Person:
        terms = entry.terms
        if self._policy.dry_run:
            self._rehearsed += 1
            person = Person(f"new-{self._rehearsed}", entry.name)
        else:
            person = self._store.add_person(
                entry.name,
                valid_from=terms.valid_from,
                valid_until=terms.valid_until,
                groups=terms.groups,
                consent=terms.consent,
            )
        self._roster.add(person)
        return person

    def _keep_templates(self, person: Person, kept: list[Candidate], *, new: bool) -> None:
        if not self._policy.dry_run:
            templates = [NewTemplate(self._space, one.vector, one.quality, one.digest) for one in kept]
            try:
                self._store.add_templates(person.person_id, templates)
            except BaseException:
                if new:
                    with suppress(StoreError):
                        self._store.forget(person.person_id)
                raise
            self._generation = self._store.generation()
        for one in kept:
            self._roster.add_vector(person.person_id, one.vector, one.digest, one.quality)


def _renewable(entry: Entry, namesake: Person) -> Person:
    """Return ``namesake``, unless the entry says terms that are not theirs: none is passed over."""
    differing = entry.terms.differ_from(namesake)
    if differing:
        raise EnrolmentError(
            "other_terms",
            f"enrolled as {_told(namesake)} on other terms ({', '.join(differing).replace('_', ' ')}); "
            f"`edged people set {namesake.person_id}` changes them, and the photographs are enrolled without",
        )
    return namesake


def _kept(entry: Entry, outcomes: list[Candidate | PhotoReport]) -> list[Candidate]:
    kept = [one for one in outcomes if isinstance(one, Candidate)]
    if kept:
        return kept
    if not entry.photos:
        raise EnrolmentError("no_photo", "no photograph is given")
    reasons = sorted({one.reason or "" for one in outcomes if isinstance(one, PhotoReport)})
    reason = "inconsistent" if "inconsistent" in reasons else "no_usable_photo"
    raise EnrolmentError(reason, f"none of {len(outcomes)} photographs can be used: {', '.join(reasons)}")


def _reports(outcomes: Iterable[Candidate | PhotoReport], refusal: str | None) -> Iterator[PhotoReport]:
    """Yield what became of each photograph; a good one of a refused person carries the person's reason."""
    for one in outcomes:
        if isinstance(one, Candidate):
            text = "" if refusal is None else "good, but the person is refused"
            yield PhotoReport(one.label, refusal, text, one.quality, one.flaw)
        else:
            yield one


def _told(person: Person) -> str:
    return f"{person.name} ({person.person_id})"
