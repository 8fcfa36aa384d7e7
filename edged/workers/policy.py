"""From configuration sections to the rules of the domain."""

from edged.config.sections import AccessConfig, CameraConfig, DecisionConfig
from edged.domain.access import MINUTES_A_DAY, AccessRules, OpenPeriod
from edged.domain.decision import DecisionPolicy

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def decision_policy(
    decision: DecisionConfig, camera: CameraConfig, threshold: float | None
) -> DecisionPolicy:
    """Return the engine's numbers; without a ``threshold`` nobody is let in."""
    return DecisionPolicy(
        threshold=threshold,
        confirm_frames=decision.confirm_frames,
        window_frames=decision.window_frames,
        min_margin=decision.min_margin,
        cooldown_seconds=decision.cooldown_seconds,
        absence_seconds=decision.absence_seconds,
        evidence_seconds=decision.evidence_seconds,
        max_frame_age_seconds=camera.max_frame_age_ms / 1000,
        armed=decision.armed,
    )


def access_rules(access: AccessConfig) -> AccessRules:
    """Return schedules in minutes after midnight."""
    schedules = {
        name: tuple(
            OpenPeriod(
                frozenset(_DAYS.index(day) for day in period.days),
                _minutes(period.start),
                _minutes(period.end),
            )
            for period in periods
        )
        for name, periods in access.schedules.items()
    }
    return AccessRules(schedules, {group: tuple(names) for group, names in access.groups.items()})


def _minutes(text: str) -> int:
    hour, minute = text.split(":")
    return min(int(hour) * 60 + int(minute), MINUTES_A_DAY)
