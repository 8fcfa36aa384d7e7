"""From configuration sections to the rules of the domain."""

import logging
from pathlib import Path

from edged.config.factor import factor_rule
from edged.config.sections import (
    AccessConfig,
    AttendanceConfig,
    CameraConfig,
    Config,
    DecisionConfig,
    LivenessConfig,
)
from edged.devices.clock import Clock
from edged.domain.access import MINUTES_A_DAY, WEEKDAYS, AccessRules, OpenPeriod
from edged.domain.attempts import AttemptLimit, Attempts
from edged.domain.attendance import AttendanceClock
from edged.domain.decision import DecisionPolicy
from edged.domain.event_body import punch_of
from edged.domain.second_factor import NEVER, FactorRule
from edged.domain.types import EventKind
from edged.errors import StoreError
from edged.storage.journal import Journal
from edged.storage.journal_reader import JournalReader
from edged.vision.motion import MotionGate
from edged.workers.recognition import RecognitionSettings

logger = logging.getLogger(__name__)

# A toggling door needs today's punches, and today may have begun in another time zone.
_RESTORED_SECONDS = 2 * 86_400
# The longest delay is five minutes: more than a crash loop starts in it, or alarms are raised.
_NEWEST_EVENTS = 500


def decision_policy(
    decision: DecisionConfig,
    camera: CameraConfig,
    liveness: LivenessConfig,
    threshold: float | None,
    second_factor: FactorRule = NEVER,
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
        liveness_threshold=None if liveness.mode == "off" else liveness.threshold,
        liveness_required=liveness.mode == "required",
        second_factor=second_factor,
    )


def recognition_settings(config: Config) -> RecognitionSettings:
    """Return what the recognition worker takes over while it runs."""
    return RecognitionSettings(
        max_frame_age_seconds=config.camera.max_frame_age_ms / 1000,
        policy=lambda threshold: decision_policy(
            config.decision, config.camera, config.liveness, threshold, factor_rule(config.second_factor)
        ),
        rules=access_rules(config.access),
        motion=MotionGate(config.motion) if config.motion.enabled else None,
        attempts=attempt_limit(config.decision),
    )


def attempt_limit(decision: DecisionConfig) -> AttemptLimit | None:
    """Return how many refused attempts shut the door for a moment; None where none do."""
    if not decision.max_attempts:
        return None
    return AttemptLimit(
        decision.max_attempts, decision.attempts_window_seconds, decision.attempts_delay_seconds
    )


def attempts_before(journal: Path, limit: AttemptLimit | None, clock: Clock) -> Attempts:
    """Return the attempts at this reader, with the delay that an earlier start on this boot began.

    It lasts as long as ``limit`` lets it, where that was lowered meanwhile. A journal that cannot be read
    tells of none, logged.
    """
    if limit is None:
        return Attempts()
    try:
        with JournalReader.open(journal, on_damage=lambda _damage: None) as reader:
            return Attempts(_delayed_until(reader, limit.delay_seconds, clock.machine_boot()))
    except StoreError as exc:
        logger.warning("earlier attempts not read error=%s", exc)
        return Attempts()


def _delayed_until(reader: JournalReader, most_seconds: float, machine_boot: str) -> float:
    """Return the monotonic seconds at which the newest delay on record ends; minus infinity without."""
    alarms = reader.events(kind=EventKind.ALARM, limit=_NEWEST_EVENTS)
    delays = [stored.event for stored in alarms if stored.event.body.get("type") == "too_many_attempts"]
    if not delays or not machine_boot:
        return float("-inf")
    began, until = delays[-1], delays[-1].body.get("until_unix")
    ours = any(
        stored.event.boot_id == began.boot_id and stored.event.body.get("machine_boot") == machine_boot
        for stored in reader.events(kind=EventKind.SYSTEM, limit=_NEWEST_EVENTS)
    )
    if not ours or not isinstance(until, int | float):
        return float("-inf")
    return began.monotonic_at + min(most_seconds, max(0.0, until - began.occurred_at))


def access_rules(access: AccessConfig) -> AccessRules:
    """Return schedules in minutes after midnight."""
    schedules = {
        name: tuple(
            OpenPeriod(
                frozenset(WEEKDAYS.index(day) for day in period.days),
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


def attendance_clock(attendance: AttendanceConfig, journal: Journal, clock: Clock) -> AttendanceClock | None:
    """Return the door's time clock as the journal left it, or None where it is off.

    Raises ``StoreError`` where the journal cannot be read.
    """
    if not attendance.enabled:
        return None
    punches, zone = [], clock.local(clock.unix()).tzinfo
    for stored in journal.last_attendance(clock.unix() - _RESTORED_SECONDS):
        try:
            punches.append(punch_of(stored.event, stored.corrected_at, zone))
        except ValueError as exc:
            logger.warning("attendance event passed over error=%s", exc)
    return AttendanceClock(attendance.direction, attendance.double_punch_seconds, punches)
