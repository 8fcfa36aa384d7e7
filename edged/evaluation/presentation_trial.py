"""Photographs, shown live and as attacks to what measures liveness."""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from edged.domain.analysis import LivenessMeter
from edged.domain.liveness import Cue
from edged.domain.presentation import Species
from edged.domain.types import Face, Image
from edged.errors import EvaluationError
from edged.evaluation.embedding import Progress, silent
from edged.evaluation.presentation import Presentation, attack, live, visit, without_wedges
from edged.evaluation.presentation_rates import Rates, Shown, rates, threshold_passing
from edged.evaluation.scene_visitor import Figure, cut_out, figure

# Whoever holds a medium up; few, since cutting somebody out takes longer than all the rest.
_HOLDERS = 8
# Of the first photographs that many may be tried for one.
_TRIES = 80

Detect = Callable[[Image], Sequence[Face]]
Read = Callable[[], Image]


@dataclass(frozen=True, slots=True)
class Portrait:
    """A photograph: its ``name`` seeds what becomes of it, ``read`` gives the picture."""

    name: str
    read: Read


@dataclass(frozen=True, slots=True)
class LivenessReport:
    """``whole``: what the door would do at ``threshold``.

    ``ablation``: each cue alone, and all but one, each at the threshold where as many live ones pass.
    """

    photographs: int
    threshold: float
    whole: Rates
    ablation: dict[str, Rates]


class PresentationTrial:
    """Shows each photograph live, as a visit where the person can be cut out, and as an attack a species.

    The same photograph always gives the same presentations.
    """

    def __init__(
        self, detect: Detect, meter: LivenessMeter, portraits: Sequence[Portrait], species: Iterable[Species]
    ) -> None:
        """Raise ``EvaluationError`` where there is no photograph."""
        if not portraits:
            raise EvaluationError("expected photographs to show, got none")
        self._detect = detect
        self._meter = meter
        self._portraits = portraits
        self._species = tuple(species)
        self._holders = self._cast()
        self.shown: list[Shown] = []

    def run(self, progress: Progress = silent) -> None:
        """Show them all."""
        for number, portrait in enumerate(self._portraits):
            self._show(portrait, self._holders[number % len(self._holders)])
            progress(number + 1, len(self._portraits))

    def report(self, threshold: float) -> LivenessReport:
        """Return the error rates at ``threshold``. Raises ``EvaluationError`` where no face was found."""
        measured = [one.cues for one in self.shown if one.cues is not None]
        if not measured:
            raise EvaluationError("no face was found in any presentation: nothing to measure")
        cues = [cue for cue in Cue if any(cue in one for one in measured)]
        kept = [(cue,) for cue in cues] + [
            left for left in combinations(cues, len(cues) - 1) if 1 < len(left) < len(cues)
        ]
        whole = rates(self.shown, threshold)
        share = whole.passed or 0.0
        ablation = {
            " and ".join(left): rates(self.shown, threshold_passing(self.shown, share, left), left)
            for left in kept
        }
        return LivenessReport(len(self._portraits), threshold, whole, ablation)

    def _show(self, portrait: Portrait, holder: Figure) -> None:
        photo = portrait.read()
        self._measure("photograph", live(photo, _chance(portrait.name, "photograph")))
        person = cut_out(without_wedges(photo))
        if person is not None:
            self._measure("visit", visit(person, _chance(portrait.name, "visit")))
        for species in self._species:
            self._measure(species, attack(photo, species, holder, _chance(portrait.name, species)))

    def _measure(self, kind: str, presentation: Presentation) -> None:
        face = presentation.presented(self._detect(presentation.image))
        attacking, number = presentation.corners is not None, len(self.shown)
        # Every presentation is a visit of its own, so that nothing is carried over from the one before.
        cues = None if face is None else self._meter.measure(number, 0.0, presentation.image, face)
        self._meter.forget(number)
        self.shown.append(Shown(str(kind), attacking, cues))

    def _cast(self) -> list[Figure]:
        """Cut out some people who will hold the medium."""
        found: list[Figure] = []
        for portrait in self._portraits[-_TRIES:][::-1]:
            person = cut_out(without_wedges(portrait.read()))
            found += [] if person is None else [person]
            if len(found) == _HOLDERS:
                break
        return found or [figure(self._portraits[-1].read())]


def _chance(name: str, kind: str) -> np.random.Generator:
    digest = hashlib.sha256(f"{name} {kind}".encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:8], "big"))


def in_half(person: str, half: str) -> bool:
    """Tell whether the SHA-256 of a person's folder name is ``even`` or ``odd``; all are in ``all``.

    Limits are chosen on one half and reported on the other.
    """
    odd = hashlib.sha256(person.encode()).digest()[-1] % 2
    return half == "all" or odd == (half == "odd")
