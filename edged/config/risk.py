"""From the configuration to the risk that the threshold is computed for."""

from edged.config.factor import factor_rule
from edged.config.sections import DecisionConfig, SecondFactorConfig, SecurityConfig
from edged.domain.risk import Risk


def stated_risk(
    security: SecurityConfig, decision: DecisionConfig, factor: SecondFactorConfig | None = None
) -> Risk:
    """Return the accepted chance with what counts as a visit and as agreement.

    Without ``factor`` a second factor carries none of it.
    """
    asks = factor is not None and factor_rule(factor).carries_risk
    return Risk(security.fpir, security.frames_per_visit, decision.confirm_frames, second_factor=asks)
