"""How well the audit finds people who are in a gallery twice, on doubles that were made on purpose.

People with enough photographs are split in two: one half of their photographs keeps the name, the other gets
an invented one that resembles nobody's. Whatever else the audit names may be a mistake of it or of the
collection, whose own doubles nobody planted: those are listed to be looked at, and count as wrong unless said
to be known.
"""

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from edged.domain.calibration import MeasuredPoint
from edged.domain.lookalikes import LookalikeRule
from edged.domain.people import Person, Template
from edged.enrolment.audit import Gallery, Progress, audit
from edged.enrolment.findings import Finding, Kind
from edged.enrolment.levels import Levels
from edged.errors import EvaluationError

# An audit is read from its top: nobody looks at more pairs than this in one go.
FIRST = 60
_NAMED = (Kind.SAME_PHOTO, Kind.SAME_PERSON)
_PAIRS = (*_NAMED, Kind.LOOKALIKE)
_SYLLABLES = 5

Pair = frozenset[str]


@dataclass(frozen=True, slots=True)
class Planted:
    """People with their templates, and the ``pairs`` of person ids of which each is one person in truth."""

    people: tuple[Person, ...]
    templates: tuple[Template, ...]
    pairs: frozenset[Pair]


@dataclass(frozen=True, slots=True)
class ListedPair:
    """A pair that the audit lists: what it says of it, and whether that was ``planted`` or is ``known``."""

    place: int
    kind: Kind
    people: tuple[str, str]
    cosine: float
    nearest: float
    planted: bool
    known: bool


@dataclass(frozen=True, slots=True)
class AuditResult:
    """Of ``planted`` doubles ``named`` are told to be one person, ``listed`` appear among all pairs.

    ``first`` are the pairs on top; ``precision`` is the share of them that is planted or known, a lower bound
    where the collection's own doubles are not. ``told`` pairs are said to be one person, ``told_right`` of
    them rightly.
    """

    people: int
    photographs: int
    planted: int
    pairs: int
    named: int
    listed: int
    told: int
    told_right: int
    first: tuple[ListedPair, ...]
    seconds: float

    @property
    def precision(self) -> float | None:
        """The share of the first pairs that are right; None where none is listed."""
        right = sum(one.planted or one.known for one in self.first)
        return right / len(self.first) if self.first else None

    @property
    def recall(self) -> float | None:
        """The share of the planted doubles that is among the first pairs; None where nothing was planted."""
        return sum(one.planted for one in self.first) / self.planted if self.planted else None


def plant(
    photographs: Mapping[str, Sequence[Template]], count: int, *, least: int = 2, seed: int = 1
) -> Planted:
    """Split ``count`` of the people of ``photographs`` (by name) with ``least`` photographs or more in two.

    The same at each call. Raises ``EvaluationError`` where there are not so many.
    """
    chance = np.random.default_rng(seed)
    able = [name for name, own in photographs.items() if len(own) >= max(2, least)]
    if len(able) < count:
        raise EvaluationError(f"expected {count} people with {max(2, least)} photographs, got {len(able)}")
    chosen = {able[row] for row in chance.permutation(len(able))[:count]}
    people, templates, pairs = list[Person](), list[Template](), set[Pair]()

    def enrol(name: str, own: Sequence[Template]) -> str:
        person = Person(f"p-{len(people):06d}", name)
        people.append(person)
        templates.extend(replace(one, person_id=person.person_id) for one in own)
        return person.person_id

    for name, own in photographs.items():
        if name not in chosen:
            enrol(name, own)
            continue
        shuffled = [own[row] for row in chance.permutation(len(own))]
        half = len(own) // 2
        pairs.add(frozenset({enrol(name, shuffled[:half]), enrol(_invented(chance), shuffled[half:])}))
    return Planted(tuple(people), tuple(templates), frozenset(pairs))


def run_audit(
    planted: Planted,
    points: Sequence[MeasuredPoint],
    levels: Levels,
    rule: LookalikeRule | None,
    *,
    first: int = FIRST,
    known: Collection[Pair] = (),
    progress: Progress = lambda _done, _total: None,
    clock: Callable[[], float] = time.monotonic,
) -> AuditResult:
    """Audit the gallery and count; ``known`` holds pairs of names that are one person as well.

    ``points``, ``levels``, ``rule`` and ``progress`` as for ``audit``.
    """
    began = clock()
    gallery = Gallery.of(planted.people, planted.templates)
    findings = audit(gallery, points, levels, rule, progress)
    seconds = clock() - began
    found = [one for one in findings if one.kind in _PAIRS]
    listed = [_listed(place, one, planted, known) for place, one in enumerate(found, start=1)]
    told = [one for one in listed if one.kind in _NAMED]
    return AuditResult(
        people=len(planted.people),
        photographs=len(planted.templates),
        planted=len(planted.pairs),
        pairs=len(listed),
        named=sum(one.planted for one in told),
        listed=sum(one.planted for one in listed),
        told=len(told),
        told_right=sum(one.planted or one.known for one in told),
        first=tuple(listed[:first]),
        seconds=seconds,
    )


def _listed(place: int, finding: Finding, planted: Planted, known: Collection[Pair]) -> ListedPair:
    one, other = finding.people
    return ListedPair(
        place,
        finding.kind,
        (one.name, other.name),
        finding.figures["cosine"],
        finding.figures["nearest"],
        planted=frozenset({one.person_id, other.person_id}) in planted.pairs,
        known=frozenset({one.name, other.name}) in known,
    )


def _invented(chance: np.random.Generator) -> str:
    """Return a name that resembles nobody's: similar names are evidence, and would make it easy."""
    letters = [chance.choice(list(kind)) for _ in range(_SYLLABLES) for kind in ("bdfgklmnprstvxz", "aeiou")]
    return "".join(letters).capitalize()
