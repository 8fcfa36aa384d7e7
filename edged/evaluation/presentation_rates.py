"""Scores of presentations to error rates, in the terms of ISO/IEC 30107-3."""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from edged.domain.liveness import Cue, face_liveness
from edged.domain.presentation import ErrorRate


@dataclass(frozen=True, slots=True)
class Shown:
    """One presentation that was measured.

    ``kind`` is what was shown, ``attack`` whether that is an attack, ``frames`` the evidence of its face in
    log-odds, frame by frame; none where no face was found (ISO: a non-response).
    """

    kind: str
    attack: bool
    frames: Sequence[Mapping[Cue, float]]

    def score(self, cues: Collection[Cue] | None = None) -> float:
        """Return the liveness of its face by all, or only some, of the cues; 0 where it has none.

        That is the mean over the frames, as of a visit. A frame about which none of the wanted cues says
        anything counts as one in which they found nothing.
        """
        return math.fsum(_liveness(found, cues) for found in self.frames) / max(1, len(self.frames))


@dataclass(frozen=True, slots=True)
class Rates:
    """``apcer``: share of attacks taken for live, a species. ``bpcer``: share of live taken for attacks.

    Both are over the presentations with a face. ``no_face`` counts the others, by kind.
    """

    apcer: Mapping[str, ErrorRate]
    bpcer: Mapping[str, ErrorRate]
    no_face: Mapping[str, int]

    @property
    def worst_apcer(self) -> float | None:
        """The APCER of the species that does best, as the standard asks for."""
        return max((one.rate for one in self.apcer.values() if one.rate is not None), default=None)

    @property
    def rejected(self) -> float | None:
        """The share of all attacks with a face that are rejected."""
        trials = sum(one.trials for one in self.apcer.values())
        return 1 - sum(one.errors for one in self.apcer.values()) / trials if trials else None

    @property
    def passed(self) -> float | None:
        """The share of all live presentations with a face that pass."""
        trials = sum(one.trials for one in self.bpcer.values())
        return 1 - sum(one.errors for one in self.bpcer.values()) / trials if trials else None


def _liveness(found: Mapping[Cue, float], cues: Collection[Cue] | None) -> float:
    if cues is None:
        return face_liveness(found) or 0.0
    wanted = {cue: value for cue, value in found.items() if cue in cues}
    return face_liveness(wanted or dict.fromkeys(cues, 0.0)) or 0.0


def rates(shown: Sequence[Shown], threshold: float, cues: Collection[Cue] | None = None) -> Rates:
    """Return the error rates at ``threshold``; with ``cues`` of those alone."""
    found: dict[bool, dict[str, list[bool]]] = {True: {}, False: {}}
    no_face: dict[str, int] = {}
    for one in shown:
        outcomes = found[one.attack].setdefault(one.kind, [])
        if not one.frames:
            no_face[one.kind] = no_face.get(one.kind, 0) + 1
            continue
        outcomes.append((one.score(cues) >= threshold) == one.attack)
    apcer, bpcer = (
        {kind: ErrorRate.of(sum(errors), len(errors)) for kind, errors in found[attack].items()}
        for attack in (True, False)
    )
    return Rates(apcer, bpcer, no_face)


def threshold_passing(shown: Sequence[Shown], share: float, cues: Collection[Cue]) -> float:
    """Return the highest threshold at which ``share`` of the live presentations pass by ``cues`` alone.

    So that sets of cues can be compared at one BPCER. Raises ``ValueError`` without a live presentation.
    """
    scores = sorted((one.score(cues) for one in shown if not one.attack and one.frames), reverse=True)
    if not scores:
        raise ValueError("expected live presentations with a face, got none")
    return scores[min(len(scores) - 1, max(0, math.ceil(share * len(scores) - 1e-9) - 1))]
