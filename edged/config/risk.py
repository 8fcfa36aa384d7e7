"""From the configuration to the risk that the threshold is computed for."""

from edged.config.sections import DecisionConfig, SecurityConfig
from edged.domain.risk import Risk


def stated_risk(security: SecurityConfig, decision: DecisionConfig) -> Risk:
    """Return the accepted chance with what counts as a visit and as agreement."""
    return Risk(security.fpir, security.frames_per_visit, decision.confirm_frames)
