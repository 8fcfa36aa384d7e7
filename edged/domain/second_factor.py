"""When a face is not enough by itself: what else is asked for, why, and how that ended.

A second factor is asked of somebody whom the door would let in otherwise, never instead of recognition;
it is weighed against one person, the one that was recognised. Causes, the weightiest first:

- ``risk``: the calibration cannot carry the stated risk for so many people (see ``calibration``).
- ``liveness``: alive is required, every frame was measured, and the visit lies within ``liveness_band``
  below the threshold. What failed or was not measured is no doubt but a denial. Only one of these two
  doubts can rest on the second factor: with ``risk`` an unsure liveness denies as ever.
- ``lookalike``: somebody enrolled comes close. The raised limits of ``lookalikes`` hold as well.
- ``always``: everybody is asked.
"""

from dataclasses import dataclass
from enum import StrEnum


class FactorCause(StrEnum):
    """Why a second factor is asked for; the closed set of labels in metrics and on the wire."""

    RISK = "risk"
    LIVENESS = "liveness"
    LOOKALIKE = "lookalike"
    ALWAYS = "always"


class FactorKind(StrEnum):
    """What is asked for: something that is known, or something that is held."""

    PIN = "pin"
    BADGE = "badge"


class FactorSource(StrEnum):
    """Which way an answer came."""

    SOCKET = "socket"
    MQTT = "mqtt"


class FactorOutcome(StrEnum):
    """How asking ended. Only ``CONFIRMED`` lets anybody in.

    ``MISSING`` the person has none, ``FAILED`` it could not be asked for or checked, ``WITHDRAWN`` the person
    may not enter any more, ``LOCKED_OUT`` too many wrong answers before.
    """

    CONFIRMED = "confirmed"
    UNANSWERED = "unanswered"
    WRONG = "wrong"
    LOCKED_OUT = "locked_out"
    MISSING = "missing"
    FAILED = "failed"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True)
class AskedFactor:
    """What a decision says about its second factor; ``outcome`` None while it is awaited.

    ``kind`` and ``source`` are those of the last answer, None without one; ``wrong`` counts wrong answers.
    """

    cause: FactorCause
    outcome: FactorOutcome | None = None
    kind: FactorKind | None = None
    source: FactorSource | None = None
    wrong: int = 0


@dataclass(frozen=True, slots=True)
class FactorRule:
    """What is asked for at this door: ``causes``, and how far below its threshold liveness is unsure."""

    causes: frozenset[FactorCause]
    liveness_band: float = 0.0

    @property
    def carries_risk(self) -> bool:
        """Whether a threshold may be used that keeps the stated risk only with a second factor."""
        return FactorCause.RISK in self.causes

    def asked(self, over_budget: bool, *, unsure: bool, lookalike: bool) -> AskedFactor | None:
        """Return what is asked of somebody about whom that is known, None where the face is enough."""
        applies = {
            FactorCause.RISK: over_budget,
            FactorCause.LIVENESS: unsure,
            FactorCause.LOOKALIKE: lookalike,
            FactorCause.ALWAYS: True,
        }
        found = [cause for cause in FactorCause if cause in self.causes and applies[cause]]
        return AskedFactor(found[0]) if found else None

    def is_unsure(self, liveness: float | None, threshold: float | None) -> bool:
        """Whether a visit's ``liveness`` (0..1) is below ``threshold``, and not farther than the band.

        Written so that NaN is no doubt. The caller makes sure that every frame was measured.
        """
        if FactorCause.LIVENESS not in self.causes or liveness is None or threshold is None:
            return False
        return threshold - self.liveness_band <= liveness < threshold


NEVER = FactorRule(frozenset())
