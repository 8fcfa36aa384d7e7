"""How well a detector finds faces: against a reference detector, and on pictures without any."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from edged.domain.types import Face, Image
from edged.errors import EvaluationError
from edged.evaluation.conditions import CONDITIONS
from edged.evaluation.consensus import VIEWS, Detect, consensus
from edged.evaluation.embedding import Progress, main_face, silent
from edged.evaluation.faceless import GENERATORS, without_faces

# The usual overlap at which a box counts as the face (PASCAL VOC, WIDER FACE).
FOUND_IOU = 0.5
# What the reference sees faintly is cut out too before a picture counts as faceless.
FAINT_SCORE = 0.3

Read = Callable[[], Image]


@dataclass(frozen=True, slots=True)
class Finding:
    """One condition: how many faces were shown, and how many found where they are.

    ``landmark_error`` is the mean distance of the five points to the reference's, in % of its eye
    distance, over the found faces; None where none was found.
    """

    faces: int
    found: int
    landmark_error: float | None

    @property
    def rate(self) -> float:
        """Share of the faces that were found."""
        return self.found / self.faces if self.faces else 0.0


@dataclass(frozen=True, slots=True)
class FalseAlarms:
    """Pictures without a face, how many of them a face was seen in, and how many faces in all."""

    pictures: int
    alarmed: int
    faces: int


@dataclass(frozen=True, slots=True)
class DetectionReport:
    """``findings`` by condition, ``false_alarms`` by source.

    ``without_reference`` photographs have no face for the reference either; they count nowhere.
    ``unreadable`` tells of the files that are no pictures; they count nowhere either.
    ``reference_spread`` is how far the reference's own points on a photograph are from their mean over the
    other views, in % of the eye distance: an error below it cannot be told from none. None for one view.
    """

    photographs: int
    without_reference: int
    reference_spread: float | None
    findings: Mapping[str, Finding]
    false_alarms: Mapping[str, FalseAlarms]
    unreadable: tuple[str, ...] = ()

    @property
    def all_false_alarms(self) -> FalseAlarms:
        """The sum over the sources."""
        every = self.false_alarms.values()
        return FalseAlarms(
            sum(one.pictures for one in every),
            sum(one.alarmed for one in every),
            sum(one.faces for one in every),
        )


class DetectionTrial:
    """Holds ``detect`` against ``reference``, picture by picture.

    ``threshold`` is the lowest score of the reference that counts as a face; it may report fainter ones,
    which then are only cut out of faceless pictures. The truth about a face's points is the mean of what the
    reference says of so many ``views`` of the photograph.
    """

    def __init__(
        self, detect: Detect, reference: Detect, *, threshold: float, views: int = len(VIEWS), seed: int = 1
    ) -> None:
        self._detect = detect
        self._reference = reference
        self._threshold = threshold
        self._views = views
        self._spreads: list[float] = []
        self._rng = np.random.default_rng(seed)
        self._photographs = 0
        self._without_reference = 0
        self._errors: dict[str, list[float | None]] = {name: [] for name in CONDITIONS}
        self._alarms: dict[str, list[int]] = {}
        self._unreadable: list[str] = []

    def pass_over(self, why: str) -> None:
        """Leave out a file that is no picture."""
        self._unreadable.append(why)

    def photograph(self, read: Read) -> None:
        """Show one photograph under every condition, then what is left of it without its faces."""
        image = read()
        self._photographs += 1
        seen = self._reference(image)
        face = main_face((one for one in seen if one.score >= self._threshold), image)
        if face is None:
            self._without_reference += 1
        else:
            self._under_conditions(image, face)
        for source, picture in without_faces(image, seen, self._rng):
            self._show_faceless(source, picture)

    def _under_conditions(self, image: Image, face: Face) -> None:
        truth, spread = consensus(self._reference, image, face, self._views)
        if spread is not None:
            self._spreads.append(spread)
        for name, condition in CONDITIONS.items():
            shown, wanted = condition(image, truth, self._rng)
            self._errors[name].append(landmark_error(self._detect(shown), wanted))

    def generated(self, number: int) -> None:
        """Show the generated picture ``number``; the kinds take turns."""
        names = list(GENERATORS)
        name = names[number % len(names)]
        self._show_faceless(name, GENERATORS[name](self._rng))

    def faceless(self, source: str, read: Read) -> None:
        """Show a picture that is known to have no face."""
        self._show_faceless(source, read())

    def _show_faceless(self, source: str, picture: Image) -> None:
        self._alarms.setdefault(source, []).append(len(self._detect(picture)))

    def report(self) -> DetectionReport:
        """Return the result so far."""
        return DetectionReport(
            self._photographs,
            self._without_reference,
            100 * float(np.mean(self._spreads)) if self._spreads else None,
            {name: _finding(errors) for name, errors in self._errors.items()},
            {
                source: FalseAlarms(len(counts), sum(count > 0 for count in counts), sum(counts))
                for source, counts in self._alarms.items()
            },
            tuple(self._unreadable),
        )


def run_trial(
    trial: DetectionTrial,
    photographs: Sequence[Read],
    *,
    generated: int,
    faceless: Sequence[Read] = (),
    progress: Progress = silent,
) -> DetectionReport:
    """Show all ``photographs``, ``generated`` pictures without a face and those of ``faceless``.

    Pictures are read when their turn comes; a file that is none is passed over. Raises ``EvaluationError``
    where no photograph has a face.
    """
    turns: list[Callable[[], None]] = [
        *(partial(trial.photograph, read) for read in photographs),
        *(partial(trial.generated, number) for number in range(generated)),
        *(partial(trial.faceless, "folder", read) for read in faceless),
    ]
    for done, turn in enumerate(turns, start=1):
        try:
            turn()
        except EvaluationError as exc:
            trial.pass_over(str(exc))
        progress(done, len(turns))
    report = trial.report()
    if report.photographs == report.without_reference:
        raise EvaluationError(
            "the reference detector finds no face in any photograph: nothing to hold against"
        )
    return report


def landmark_error(faces: Iterable[Face], wanted: Face) -> float | None:
    """Return the mean distance of the points of the best overlapping face in eye distances.

    None where no face overlaps ``wanted`` by ``FOUND_IOU``.
    """
    best = max(faces, key=lambda face: face.box.iou(wanted.box), default=None)
    if best is None or best.box.iou(wanted.box) < FOUND_IOU:
        return None
    away = np.linalg.norm(best.landmarks - wanted.landmarks, axis=1).mean()
    return float(away) / wanted.eye_distance


def _finding(errors: Sequence[float | None]) -> Finding:
    found = [error for error in errors if error is not None]
    return Finding(len(errors), len(found), 100 * float(np.mean(found)) if found else None)
