"""Photographs, shown live and as attacks to what measures liveness, and what each cue adds."""

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
from edged.evaluation.visits import FRAMES_PER_SECOND

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
    """``whole``: what the door would do at ``threshold``, with ``frames`` a presentation.

    ``at_threshold``: the same with the first cue, the first two, and so on. ``ablation``: those sets, each
    cue alone, and all but one, each at the threshold where as many live ones pass as in the whole.
    """

    photographs: int
    frames: int
    threshold: float
    whole: Rates
    at_threshold: dict[str, Rates]
    ablation: dict[str, Rates]


class PresentationTrial:
    """Shows each photograph live, as a visit where the person can be cut out, and as an attack a species.

    The same photograph always gives the same presentations.
    """

    def __init__(
        self,
        detect: Detect,
        meter: LivenessMeter,
        portraits: Sequence[Portrait],
        species: Iterable[Species],
        *,
        frames: int = 1,
    ) -> None:
        """Raise ``EvaluationError`` where there is no photograph. Only several ``frames`` show motion."""
        if not portraits:
            raise EvaluationError("expected photographs to show, got none")
        self._detect = detect
        self._meter = meter
        self._portraits = portraits
        self._species = tuple(species)
        self._frames = frames
        self._holders = self._cast()
        self.shown: list[Shown] = []

    def run(self, progress: Progress = silent) -> None:
        """Show them all."""
        for number, portrait in enumerate(self._portraits):
            self._show(portrait, self._holders[number % len(self._holders)])
            progress(number + 1, len(self._portraits))

    def report(self, threshold: float) -> LivenessReport:
        """Return the error rates at ``threshold``. Raises ``EvaluationError`` where no face was found."""
        measured = {cue for one in self.shown for found in one.frames for cue in found}
        if not any(one.frames for one in self.shown):
            raise EvaluationError("no face was found in any presentation: nothing to measure")
        cues = [cue for cue in Cue if cue in measured]
        whole = rates(self.shown, threshold)
        share = whole.passed or 0.0
        steps = [tuple(cues[:count]) for count in range(1, len(cues))]
        return LivenessReport(
            len(self._portraits),
            self._frames,
            threshold,
            whole,
            at_threshold={_named(some): rates(self.shown, threshold, some) for some in steps},
            ablation={
                _named(some): rates(self.shown, threshold_passing(self.shown, share, some), some)
                for some in (*steps, *((cue,) for cue in cues), *combinations(cues, len(cues) - 1))
                if some and (len(some) < len(cues) or len(cues) == 1)
            },
        )

    def _show(self, portrait: Portrait, holder: Figure) -> None:
        photo, frames = portrait.read(), self._frames
        self._measure("photograph", live(photo, _chance(portrait.name, "photograph"), frames))
        person = cut_out(without_wedges(photo))
        if person is not None:
            self._measure("visit", visit(person, _chance(portrait.name, "visit"), frames))
        for species in self._species:
            held = attack(photo, species, holder, _chance(portrait.name, species), frames)
            self._measure(species, held)

    def _measure(self, kind: str, frames: Iterable[Presentation]) -> None:
        # Every presentation is a visit of its own, so that nothing is carried over from the one before.
        track, found, attacking = len(self.shown), [], False
        for number, one in enumerate(frames):
            attacking = one.corners is not None
            face = one.presented(self._detect(one.image))
            if face is not None:
                at = number / FRAMES_PER_SECOND
                found.append(self._meter.measure(track, at, one.image, face))
        self._meter.forget(track)
        self.shown.append(Shown(str(kind), attacking, tuple(found)))

    def _cast(self) -> list[Figure]:
        """Cut out some people who will hold the medium."""
        found: list[Figure] = []
        for portrait in self._portraits[-_TRIES:][::-1]:
            person = cut_out(without_wedges(portrait.read()))
            found += [] if person is None else [person]
            if len(found) == _HOLDERS:
                break
        return found or [figure(self._portraits[-1].read())]


def _named(cues: Iterable[Cue]) -> str:
    return " and ".join(cues)


def _chance(name: str, kind: str) -> np.random.Generator:
    digest = hashlib.sha256(f"{name} {kind}".encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:8], "big"))
