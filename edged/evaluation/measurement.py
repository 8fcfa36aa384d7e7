"""Every protocol over one pack's pass over the photographs."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import numpy as np

from edged.domain.calibration import Threshold, most_people, threshold_for
from edged.domain.decision import DecisionPolicy
from edged.domain.gallery import GallerySnapshot
from edged.domain.risk import Risk
from edged.errors import EvaluationError
from edged.evaluation.closed_set import ClosedSetResult, closed_set
from edged.evaluation.comparison import drawn_pairs
from edged.evaluation.curves import DetCurve, Histogram, det_curve, histogram
from edged.evaluation.embedding import Embedded, Progress, embed_photographs
from edged.evaluation.enrolled import enrolled
from edged.evaluation.failures import Failure, Label, failures
from edged.evaluation.gallery_sizes import SIZES, SizesResult, gallery_sizes
from edged.evaluation.match_rates import MatchRates, match_rates, score_pairs
from edged.evaluation.protocols import Labelled, Pair, readable, readable_pairs
from edged.evaluation.split import closed_split, open_split
from edged.evaluation.views import looks
from edged.evaluation.visits import (
    FRAMES_PER_SECOND,
    DoorResult,
    Visit,
    run_doors,
    visits_from_photographs,
    visits_from_views,
)
from edged.vision.pipeline import FacePipeline

PROTOCOLS = ("closed-set", "pairs", "open-set", "door")
FRAMES = 6

Mirror = Literal["none", "enrolment", "both"]
VisitKind = Literal["views", "photographs"]
Lists = tuple[Sequence[Labelled], Sequence[Labelled]]
Bars = Callable[[str], AbstractContextManager[Progress]]


@dataclass(frozen=True, slots=True)
class DoorTerms:
    """How the door is asked: ``policy`` of a threshold, the risk behind it, and what a visit is made of.

    ``frames`` a visit, at ``frames_per_second``: either so many mild changes of one photograph or so many
    photographs of the person. ``dealt`` puts the enrolled before doors of so many people each instead of one
    with all of them; ``carried``: as many as the pack's table carries the risk for.
    """

    policy: Callable[[float | None], DecisionPolicy]
    risk: Risk
    frames: int = FRAMES
    frames_per_second: float = FRAMES_PER_SECOND
    kind: VisitKind = "views"
    dealt: int | Literal["carried"] | None = None


@dataclass(frozen=True, slots=True)
class Terms:
    """What is measured, and on what. Lists that are None are drawn from the photographs with ``seed``.

    ``mirror`` takes the mean of a face's vector and its mirror image's: of the enrolled photographs, or of
    all. ``floor`` counts a photograph below the quality floor as one without a face; the door always does.
    ``label`` names a stranger in a list of wrong grants.
    """

    images: Path
    photographs: Sequence[Labelled]
    protocols: Sequence[str] = PROTOCOLS
    pairs: Sequence[Pair] | None = None
    closed_lists: Lists | None = None
    door_lists: Lists | None = None
    share: float = 0.7
    least: int = 2
    sizes: Sequence[int] = SIZES
    door: DoorTerms | None = None
    mirror: Mirror = "none"
    floor: bool = False
    seed: int = 1
    with_paths: bool = True
    label: Label = str


@dataclass(frozen=True, slots=True)
class DoorMeasurement:
    """``claim`` says in words which threshold the stated risk and these people lead to."""

    target_fpir: float
    claim: str
    frames: int
    frames_per_second: float
    kind: VisitKind
    result: DoorResult


@dataclass(frozen=True, slots=True)
class Measurement:
    """What one pack reached. A protocol that could not be measured is in ``skipped``, with the reason."""

    photographs: int
    people: int
    face_rate: float
    refused_rate: float
    failures: tuple[Failure, ...]
    closed_set: ClosedSetResult | None = None
    pairs: MatchRates | None = None
    open_set: SizesResult | None = None
    door: DoorMeasurement | None = None
    det: DetCurve | None = None
    scores: Histogram | None = None
    skipped: dict[str, str] = field(default_factory=dict)


def measure(pipeline: FacePipeline, terms: Terms, bars: Bars) -> Measurement:
    """Embed the photographs once, then run the protocols of ``terms``.

    ``bars`` gives a progress bar for what it is told. Raises ``EvaluationError`` where no file is a picture
    or no protocol could be measured.
    """
    names = {one.image for one in terms.photographs}
    for lists in (terms.closed_lists, terms.door_lists):
        names.update(one.image for part in lists or () for one in part)
    names.update(name for pair in terms.pairs or () for name in (pair.first, pair.second))
    with bars("photographs") as progress:
        embedded = embed_photographs(pipeline, terms.images, names, progress, mirrors=terms.mirror != "none")
    one = _OnePass(pipeline, terms, embedded, bars)
    found = Measurement(
        photographs=len(embedded.names) + len(embedded.without_face),
        people=len({photograph.person for photograph in terms.photographs}),
        face_rate=embedded.face_rate,
        refused_rate=len(embedded.refused) / max(1, len(embedded.names)),
        failures=failures(embedded, terms.photographs, with_paths=terms.with_paths),
    )
    steps = {"closed-set": one.closed_set, "pairs": one.pairs, "open-set": one.open_set, "door": one.door}
    for protocol in terms.protocols:
        try:
            found = steps[protocol](found)
        except EvaluationError as exc:
            found.skipped[protocol] = str(exc)
    if len(found.skipped) == len(terms.protocols):
        told = "; ".join(f"{name}: {why}" for name, why in found.skipped.items())
        raise EvaluationError(f"nothing could be measured: {told}")
    return found


def _asking(gallery: GallerySnapshot, visits: Sequence[Visit]) -> list[Visit]:
    """Return the visits of strangers and of the people of ``gallery``."""
    return [one for one in visits if one.person is None or one.person in gallery.index]


def seen_as(embedded: Embedded, mirror: Mirror, *, floor: bool) -> tuple[Embedded, Embedded]:
    """Return the photographs as they ask, and as they are enrolled; see ``Terms``."""
    counted = embedded.above_floor() if floor else embedded
    gallery = counted if mirror == "none" else counted.mirrored()
    return gallery if mirror == "both" else counted, gallery


class _OnePass:
    def __init__(self, pipeline: FacePipeline, terms: Terms, embedded: Embedded, bars: Bars) -> None:
        self._pipeline = pipeline
        self._terms = terms
        self._bars = bars
        self._all = embedded
        self._photographs = readable(terms.photographs, embedded.unreadable)
        self._probes, self._gallery = seen_as(embedded, terms.mirror, floor=terms.floor)
        self._door_gallery = self._gallery if terms.floor else self._gallery.above_floor()

    def closed_set(self, found: Measurement) -> Measurement:
        terms = self._terms
        lists = terms.closed_lists or closed_split(
            self._photographs, share=terms.share, least=terms.least, seed=terms.seed
        )
        enrol, probes = (readable(part, self._all.unreadable) for part in lists)
        # Strangers are none of the closed set's business.
        probes = [probe for probe in probes if probe.person]
        return replace(found, closed_set=closed_set(self._probes, enrol, probes, gallery=self._gallery))

    def pairs(self, found: Measurement) -> Measurement:
        photographs = self._photographs
        listed = readable_pairs(
            self._terms.pairs or drawn_pairs(photographs, self._terms.seed), self._all.unreadable
        )
        scored = score_pairs(self._probes, listed, photographs)
        return replace(found, pairs=match_rates(scored), det=det_curve(scored), scores=histogram(scored))

    def open_set(self, found: Measurement) -> Measurement:
        enrol, probes = self._door_lists()
        terms = self._terms
        with self._bars("galleries") as progress:
            result = gallery_sizes(
                self._probes, enrol, probes, self._pipeline.calibration,
                sizes=terms.sizes, gallery=self._gallery, seed=terms.seed, progress=progress,
            )  # fmt: skip
        return replace(found, open_set=result)

    def door(self, found: Measurement) -> Measurement:
        asked = self._terms.door
        if asked is None:
            raise EvaluationError("expected the terms of the door")
        enrol, probes = self._door_lists()
        galleries = [enrolled(self._door_gallery, some) for some in self._dealt(asked, enrol)]
        people = len(galleries[0].people)
        risk: Threshold = threshold_for(self._pipeline.calibration, people, asked.risk)
        visits = self._visits(asked, probes)
        result = run_doors(
            ((gallery, visits if asked.dealt is None else _asking(gallery, visits)) for gallery in galleries),
            asked.policy(risk.cosine),
            frames_per_second=asked.frames_per_second,
        )
        measured = DoorMeasurement(
            asked.risk.target_fpir, risk.claim, asked.frames, asked.frames_per_second, asked.kind, result
        )
        return replace(found, door=measured)

    def _dealt(self, asked: DoorTerms, enrol: Sequence[Labelled]) -> list[list[Labelled]]:
        """Return who is enrolled at each door; who is left over at none, as in ``gallery_sizes``.

        Raises ``EvaluationError`` where there are too few, or the table carries the risk for nobody.
        """
        if asked.dealt is None:
            return [list(enrol)]
        people = enrolled(self._door_gallery, enrol).people
        carried = most_people(self._pipeline.calibration, asked.risk)
        size = carried if asked.dealt == "carried" else asked.dealt
        if not 0 < size <= len(people):
            raise EvaluationError(
                f"{len(people)} people cannot be dealt to doors of {size}: at a risk of "
                f"{asked.risk.target_fpir:g} the table carries {carried}"
            )
        order = np.random.default_rng(self._terms.seed).permutation(len(people))
        at = {
            people[row].person_id: place // size
            for place, row in enumerate(order[: len(order) // size * size])
        }
        dealt: list[list[Labelled]] = [[] for _ in range(len(people) // size)]
        for one in enrol:
            if one.person in at:
                dealt[at[one.person]].append(one)
        return dealt

    def _visits(self, asked: DoorTerms, probes: Sequence[Labelled]) -> list[Visit]:
        if asked.kind == "photographs":
            return visits_from_photographs(probes, self._all, asked.frames, label=self._terms.label)
        with self._bars("visits") as progress:
            seen = looks(
                self._pipeline,
                self._terms.images,
                (probe.image for probe in probes),
                asked.frames,
                progress,
                seed=self._terms.seed,
            )
        return visits_from_views(probes, seen, label=self._terms.label)

    def _door_lists(self) -> Lists:
        photographs = self._photographs
        enrol, probes = self._terms.door_lists or open_split(photographs, seed=self._terms.seed)
        return readable(enrol, self._all.unreadable), readable(probes, self._all.unreadable)
