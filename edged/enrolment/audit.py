"""An audit of the gallery: who is in it twice, who looks like whom, and which photographs are not right."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from edged.domain.calibration import MeasuredPoint, strangers_rate
from edged.domain.doubles import ClosePair, rank_pairs
from edged.domain.lookalikes import LookalikeRule
from edged.domain.people import Distinction, Person, Template
from edged.domain.types import FloatArray
from edged.enrolment.findings import Finding, Kind, different_advice, merge_advice, remove_advice
from edged.enrolment.levels import Levels
from edged.enrolment.names import alike, name_keys
from edged.enrolment.photo_audit import Stranger, photo_findings, wrong_photos
from edged.enrolment.roster import centre

# A pair is taken for one person where strangers would make a tenth of such a pair in the whole gallery.
# On lfw-dev, 3,493 people, that names 16 pairs with arcface-y1: 14 show one face, the others are twins and
# two women in black veils; the only other pair of one face that was found by eye is the next one. With 45
# more made of people's own photographs it names 48 to 51 pairs, 94 to 96 % rightly.
DOUBLE_STRANGERS = 0.1
# Of 35,170 pairs of photographs of one person of lfw-dev two are this alike: the same one, cut anew.
SAME_PHOTO = 0.95

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Gallery:
    """What is audited: the people, and their templates of the embedder's space in the same order.

    ``distinctions`` says of which pairs somebody knows that they are two.
    """

    people: tuple[Person, ...]
    templates: tuple[tuple[Template, ...], ...]
    distinctions: Mapping[frozenset[str], Distinction] = field(default_factory=dict)

    @classmethod
    def of(
        cls, people: Sequence[Person], templates: Sequence[Template], distinctions: Sequence[Distinction] = ()
    ) -> "Gallery":
        """Sort ``templates``, all of one space, to their people."""
        own: dict[str, list[Template]] = {person.person_id: [] for person in people}
        for template in templates:
            if template.person_id in own:
                own[template.person_id].append(template)
        return cls(
            tuple(people),
            tuple(tuple(own[person.person_id]) for person in people),
            {said.pair: said for said in distinctions},
        )


def audit(
    gallery: Gallery,
    points: Sequence[MeasuredPoint],
    levels: Levels,
    rule: LookalikeRule | None,
    progress: Progress = lambda _done, _total: None,
) -> list[Finding]:
    """Return all findings, the gravest kind first and within a kind the clearest.

    ``points`` is the embedder's calibration table of two points or more; ``rule`` what look-alikes get
    at the door, None where the door has no threshold. ``progress`` is told how far it is, and of how much.
    """
    seen = [place for place, templates in enumerate(gallery.templates) if templates]
    people = [gallery.people[place] for place in seen]
    own = [gallery.templates[place] for place in seen]
    steps = _Steps(2 * len(own) + sum(map(len, own)), progress)
    strangers = _strangers(people, own, steps)
    judge = _PairJudge(
        people,
        [_cleaned(one, strangers[person.person_id], levels) for person, one in zip(people, own, strict=True)],
        levels,
        rule,
        gallery.distinctions,
    )
    found = judge.findings(points, steps)
    for person, templates in zip(gallery.people, gallery.templates, strict=True):
        found += photo_findings(person, templates, strangers.get(person.person_id, ()), levels)
    order = {kind: place for place, kind in enumerate(Kind)}
    return sorted(found, key=lambda finding: order[finding.kind])


class _Steps:
    """Counts rows that were compared with the whole gallery; photographs set aside stay uncounted."""

    def __init__(self, total: int, tell: Progress) -> None:
        self._done, self._total, self._tell = 0, total, tell

    def __call__(self, rows: int) -> None:
        self._done += rows
        self._tell(self._done, self._total)


def _cleaned(
    templates: Sequence[Template], nearest: Sequence[Stranger | None], levels: Levels
) -> Sequence[Template]:
    """Return the templates without the few that show somebody else, who would seem to be this person."""
    wrong = wrong_photos(templates, nearest, levels)
    if 2 * len(wrong) >= len(templates):
        return templates
    return [template for row, template in enumerate(templates) if row not in wrong]


class _PairJudge:
    """Finds close pairs and says what they are; ``templates[i]`` are those of ``people[i]``."""

    def __init__(
        self,
        people: Sequence[Person],
        templates: Sequence[Sequence[Template]],
        levels: Levels,
        rule: LookalikeRule | None,
        distinctions: Mapping[frozenset[str], Distinction],
    ) -> None:
        self.people = people
        self.templates = templates
        self.levels = levels
        self.rule = rule
        self.distinctions = distinctions
        self._similar_rate = 0.0

    def findings(self, points: Sequence[MeasuredPoint], on_rows: Callable[[int], None]) -> list[Finding]:
        """Return what is to be said of all pairs, the clearest first."""
        if not self.people:
            return []
        # The share of strangers at which enrolment stops.
        self._similar_rate = strangers_rate(points, self.levels.similar)
        keys = [name_keys(person.name) for person in self.people]
        pairs = rank_pairs(
            _centres(self.templates),
            [_vectors(one) for one in self.templates],
            points,
            similar_name=lambda one, other: alike(keys[one], keys[other]),
            centre_level=self.levels.consistent,
            nearest_level=self.levels.similar,
            on_rows=on_rows,
        )
        return [finding for pair in pairs if (finding := self.finding(pair)) is not None]

    def finding(self, pair: ClosePair) -> Finding | None:
        """Return what is to be said of ``pair``, if anything."""
        one, other = self.people[pair.first], self.people[pair.second]
        figures = {"cosine": pair.cosine, "nearest": pair.nearest, "strangers": pair.strangers}
        told = f"cosine {pair.cosine:.2f}, nearest photographs {pair.nearest:.2f}"
        if pair.similar_name:
            told += ", and the names are alike"
        said = self.distinctions.get(frozenset({one.person_id, other.person_id}))
        if pair.nearest >= SAME_PHOTO:
            text = f"{told}; merge if they are one person, else remove it from whom it does not show"
            advice = self._same_photo_advice(pair, merge=said is None)
            return Finding(Kind.SAME_PHOTO, (one, other), text, advice, figures)
        # A photograph of the one among the other's brings no centres together; it is a finding of its own.
        if pair.cosine < self.levels.consistent:
            return None
        if said is not None:
            return self._acknowledged(pair, told, figures, said)
        if self._is_double(pair):
            text = f"{told}; if they are two, each needs photographs of their own"
            advice = (self._merge_advice(pair), different_advice(one, other))
            return Finding(Kind.SAME_PERSON, (one, other), text, advice, figures)
        return self._lookalike(pair, told, figures)

    def _acknowledged(
        self, pair: ClosePair, told: str, figures: dict[str, float], said: Distinction
    ) -> Finding:
        one, other = self.people[pair.first], self.people[pair.second]
        told, figures = self._barred(pair, told, figures)
        when = "" if said.created_at is None else f" on {said.created_at:%Y-%m-%d}"
        why = f": {said.reason}" if said.reason else ""
        text = f"{told}; said to be two people{when}{why}"
        undo = different_advice(one, other, undo=True)
        return Finding(Kind.ACKNOWLEDGED, (one, other), text, (undo,), figures)

    def _is_double(self, pair: ClosePair) -> bool:
        """In a small gallery siblings stand out; they are no more one person than enrolment would say."""
        suspect = pair.similar_name or pair.rate <= self._similar_rate
        return suspect and pair.strangers <= DOUBLE_STRANGERS

    def _lookalike(self, pair: ClosePair, told: str, figures: dict[str, float]) -> Finding | None:
        bar = None if self.rule is None else self.rule.bar(pair.cosine)
        if pair.cosine < self.levels.similar and bar is None and pair.strangers > 1:
            return None
        told, figures = self._barred(pair, told, figures)
        one, other = self.people[pair.first], self.people[pair.second]
        text = f"{told}; merge only if they are one person"
        advice = (self._merge_advice(pair), different_advice(one, other))
        return Finding(Kind.LOOKALIKE, (one, other), text, advice, figures)

    def _barred(self, pair: ClosePair, told: str, figures: dict[str, float]) -> tuple[str, dict[str, float]]:
        """Say what the door asks of a pair, where it asks more than of others."""
        bar = None if self.rule is None else self.rule.bar(pair.cosine)
        if bar is None:
            return told, figures
        told += f"; the door asks score {bar.score:.3f}, margin {bar.margin:.3f} of both"
        return told, {**figures, "score_limit": bar.score, "margin_limit": bar.margin}

    def _merge_advice(self, pair: ClosePair) -> str:
        """Return the command that gives the fewer photographs to whom has more."""
        few, many = sorted((pair.second, pair.first), key=lambda row: len(self.templates[row]))
        return merge_advice(self.people[few], self.people[many])

    def _same_photo_advice(self, pair: ClosePair, *, merge: bool) -> tuple[str, ...]:
        both = _nearest(self.templates[pair.first], self.templates[pair.second])
        removals = tuple(remove_advice(template.template_id) for template in both)
        return (self._merge_advice(pair), *removals) if merge else removals


def _nearest(one: Sequence[Template], other: Sequence[Template]) -> tuple[Template, Template]:
    """Return the two templates that are most alike."""
    scores = np.stack([each.vector for each in one]) @ np.stack([each.vector for each in other]).T
    first, second = np.unravel_index(int(scores.argmax()), scores.shape)
    return one[int(first)], other[int(second)]


def _vectors(templates: Sequence[Template]) -> FloatArray:
    return np.stack([one.vector for one in templates])


def _centres(templates: Sequence[Sequence[Template]]) -> FloatArray:
    return np.stack([centre([one.vector for one in own]) for own in templates])


def _strangers(
    people: Sequence[Person], templates: Sequence[Sequence[Template]], on_rows: Callable[[int], None]
) -> dict[str, list[Stranger | None]]:
    """Return for each template of each person who else of the gallery is nearest."""
    if not people:
        return {}
    centres, found = _centres(templates), {}
    for row, person in enumerate(people):
        found[person.person_id] = list(_nearest_others(row, people, _vectors(templates[row]), centres))
        on_rows(1)
    return found


def _nearest_others(
    row: int, people: Sequence[Person], vectors: FloatArray, centres: FloatArray
) -> Iterator[Stranger | None]:
    scores = vectors @ centres.T
    scores[:, row] = -1
    for line in scores:
        best = int(line.argmax())
        yield None if best == row else Stranger(people[best], float(line[best]))
