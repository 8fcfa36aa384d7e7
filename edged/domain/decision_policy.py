"""The numbers that a decision goes by."""

from dataclasses import dataclass

from edged.domain.second_factor import NEVER, FactorRule


@dataclass(frozen=True, slots=True)
class DecisionPolicy:
    """The numbers behind a grant. ``threshold`` None denies everybody; see ``calibration``.

    ``liveness_threshold`` None without ``liveness_required`` means that it is not measured. ``same_face`` is
    the cosine below which two frames are of two people (see ``same_face``); None compares no frames.
    """

    threshold: float | None
    confirm_frames: int
    window_frames: int
    min_margin: float
    cooldown_seconds: float
    absence_seconds: float
    evidence_seconds: float
    max_frame_age_seconds: float
    armed: bool = True
    liveness_threshold: float | None = None
    liveness_required: bool = False
    second_factor: FactorRule = NEVER
    same_face: float | None = None
