"""1:N among the enrolled alone: who of them is it."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edged.errors import EvaluationError
from edged.evaluation.embedding import Embedded
from edged.evaluation.enrolled import Gallery, Rule
from edged.evaluation.intervals import Share, clustered_share
from edged.evaluation.protocols import Labelled

CMC_RANKS = 20
# 1024 probes against 10,000 templates are 40 MB of float32.
_CHUNK = 1024
_NOBODY = -1

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class PersonResult:
    """One person: ``enrolled`` templates, ``probes`` to recognise, ``right`` of them recognised.

    ``precision`` is the share of those taken for the person who are; None where nobody was. ``recall`` is
    None without probes.
    """

    person: str
    enrolled: int
    probes: int
    right: int
    precision: float | None
    recall: float | None


@dataclass(frozen=True, slots=True)
class Confusion:
    """``count`` photographs of ``person`` were taken for ``taken_for``."""

    person: str
    taken_for: str
    count: int


@dataclass(frozen=True, slots=True)
class RuleResult:
    """How one rule does.

    ``precision``, ``recall`` and ``f1`` are means over the people, each weighted by their probes, as
    scikit-learn has them: recall is then the accuracy itself. ``cmc[k - 1]`` is the share of probes whose
    person is among the nearest k; whoever scores the same counts as nearer.
    """

    rule: str
    accuracy: Share
    precision: float
    recall: float
    f1: float
    cmc: tuple[float, ...]
    confusions: tuple[Confusion, ...]
    people: tuple[PersonResult, ...]


@dataclass(frozen=True, slots=True)
class ClosedSetResult:
    """``not_enrolled`` people have no template, ``not_acquired`` probes no vector; none is recognised.

    ``fte`` and ``fta`` are the shares of them: failure to enrol, failure to acquire.
    """

    people: int
    templates: int
    probes: int
    not_enrolled: tuple[str, ...]
    not_acquired: int
    fte: float
    fta: float
    rules: tuple[RuleResult, ...]


@dataclass(frozen=True, slots=True)
class _Answers:
    """Per probe: the row of the person shown and of the one it was taken for, -1 for nobody; the rank."""

    truth: IntArray
    taken_for: IntArray
    rank: IntArray


def closed_set(
    embedded: Embedded,
    enrol: Sequence[Labelled],
    probes: Sequence[Labelled],
    *,
    gallery: Embedded | None = None,
) -> ClosedSetResult:
    """Search every one of ``probes`` among the people of ``enrol``, by both rules.

    ``gallery`` has other vectors for the enrolled photographs. Raises ``EvaluationError`` unless somebody
    is enrolled and there are probes of enrolled people alone.
    """
    wanted = sorted({one.person for one in enrol})
    if not probes or not {probe.person for probe in probes} <= set(wanted):
        raise EvaluationError("expected photographs to recognise, all of people who are enrolled")
    held = Gallery(gallery or embedded, enrol)
    if not held.snapshot.people:
        raise EvaluationError("expected a face in some photograph that is enrolled")
    left_out = tuple(person for person in wanted if person not in held.snapshot.index)
    missing = sum(probe.image not in embedded.rows for probe in probes)
    return ClosedSetResult(
        people=len(wanted),
        templates=held.snapshot.templates,
        probes=len(probes),
        not_enrolled=left_out,
        not_acquired=missing,
        fte=len(left_out) / len(wanted),
        fta=missing / len(probes),
        rules=tuple(
            _result(rule, held, wanted, probes, _search(embedded, probes, held, rule)) for rule in Rule
        ),
    )


def _search(embedded: Embedded, probes: Sequence[Labelled], held: Gallery, rule: Rule) -> _Answers:
    people = len(held.snapshot.people)
    truth = np.array([held.snapshot.index.get(probe.person, _NOBODY) for probe in probes], np.int64)
    taken_for = np.full(len(probes), _NOBODY, np.int64)
    rank = np.full(len(probes), people + 1, np.int64)
    seen = np.array([row for row, probe in enumerate(probes) if probe.image in embedded.rows], np.int64)
    for start in range(0, len(seen), _CHUNK):
        chunk = seen[start : start + _CHUNK]
        vectors = embedded.vectors[[embedded.rows[probes[row].image] for row in chunk]]
        scores = held.scores(vectors, rule)
        known = np.flatnonzero(truth[chunk] != _NOBODY)
        own = scores[known, truth[chunk][known]]
        # Nobody wins a draw: the others who score as much stand before the right person.
        rank[chunk[known]] = np.count_nonzero(scores[known] >= own[:, None], axis=1)
        scores[known, truth[chunk][known]] = np.nextafter(own, np.float32(-2))
        taken_for[chunk] = np.argmax(scores, axis=1)
    return _Answers(truth, taken_for, rank)


def _result(
    rule: Rule, held: Gallery, wanted: Sequence[str], probes: Sequence[Labelled], answers: _Answers
) -> RuleResult:
    names = [person.person_id for person in held.snapshot.people]
    called = [names[row] if row != _NOBODY else None for row in answers.taken_for]
    shown = [probe.person for probe in probes]
    people = _people(held, wanted, shown, called)
    weights = np.array([person.probes for person in people]) / len(probes)
    precision = np.array([person.precision or 0.0 for person in people])
    recall = np.array([person.recall or 0.0 for person in people])
    both = precision + recall
    f1 = np.divide(2 * precision * recall, both, out=np.zeros_like(both), where=both > 0)
    wrong = Counter(
        (person, other) for person, other in zip(shown, called, strict=True) if other not in {person, None}
    )
    ranks = min(CMC_RANKS, len(names))
    return RuleResult(
        rule=rule.value,
        accuracy=clustered_share([one.right for one in people], [one.probes for one in people]),
        precision=float(weights @ precision),
        recall=float(weights @ recall),
        f1=float(weights @ f1),
        cmc=tuple(float(np.mean(answers.rank <= k)) for k in range(1, ranks + 1)),
        confusions=tuple(
            Confusion(person, str(other), count)
            for (person, other), count in sorted(wrong.items(), key=lambda item: (-item[1], item[0][0]))
        ),
        people=people,
    )


def _people(
    held: Gallery, wanted: Sequence[str], shown: Sequence[str], called: Sequence[str | None]
) -> tuple[PersonResult, ...]:
    probes, calls = Counter(shown), Counter(called)
    right = Counter(person for person, other in zip(shown, called, strict=True) if person == other)
    index, counts = held.snapshot.index, held.counts
    return tuple(
        PersonResult(
            person,
            int(counts[index[person]]) if person in index else 0,
            probes[person],
            right[person],
            right[person] / calls[person] if calls[person] else None,
            right[person] / probes[person] if probes[person] else None,
        )
        for person in wanted
    )
