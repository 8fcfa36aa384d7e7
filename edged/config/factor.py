"""From the configuration to when a second factor is asked for."""

from edged.config.sections import SecondFactorConfig
from edged.domain.factor_desk import FactorLimits
from edged.domain.second_factor import NEVER, FactorCause, FactorRule


def factor_rule(factor: SecondFactorConfig) -> FactorRule:
    """Return what is asked for; nothing where it is not enabled."""
    if not factor.enabled:
        return NEVER
    return FactorRule(frozenset(map(FactorCause, factor.ask)), factor.liveness_band)


def factor_limits(factor: SecondFactorConfig) -> FactorLimits:
    """Return how long is waited, and how many wrong answers are borne."""
    return FactorLimits(factor.wait_seconds, factor.max_wrong, factor.max_door_wrong, factor.lockout_seconds)
