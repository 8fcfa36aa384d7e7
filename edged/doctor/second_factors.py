"""Whether those who will be asked for a second factor have one."""

from collections.abc import Collection, Sequence
from collections.abc import Set as AbstractSet

from edged.config.factor import factor_rule
from edged.devices.clock import Clock
from edged.doctor.finding import Finding, State
from edged.doctor.patient import Patient
from edged.domain.gallery import with_bars
from edged.domain.lookalikes import lookalike_rule
from edged.domain.people import Person
from edged.domain.second_factor import FactorCause, FactorKind
from edged.storage.key_file import is_credential, read_key
from edged.workers.policy import access_rules

# All pairs of so many take 3 s of CPU on one core of a server, of 100,000 a minute, a board ten times that.
_ALL_PAIRS = 25_000
# So many searches take 12 s among 100,000 people, and two minutes among 1,000,000.
_MOST_SEARCHED = 1000


def second_factors(patient: Patient) -> Finding:
    """Count who may enter, would be asked at every visit, and has nothing to answer with.

    Fails where so nobody at all can enter, and where answers over MQTT are asked for without a usable key.
    """
    config = patient.config.second_factor
    if not config.enabled:
        return Finding(State.OK, "not asked for", {"asked": []})
    if (path := config.mqtt_key_file) is not None:
        read_key(path, "`edged second-factor key` makes one", supervised=is_credential(path))
    rule, people = factor_rule(config), _who_may_enter(patient)
    has, accepted = patient.factor_kinds, frozenset(map(FactorKind, config.accept))
    without = {one.person_id for one in people if not has.get(one.person_id, frozenset()) & accepted}
    asked, told_of = _always_asked(patient, rule.causes, [one.person_id for one in people], without)
    never = without & asked
    facts: dict[str, object] = {
        "asked": sorted(rule.causes),
        "may_enter": len(people),
        "without": len(without),
        "asked_at_every_visit": len(asked) if told_of is None else None,
        "can_never_enter": len(never),
    }
    counted, causes = " or ".join(config.accept), ", ".join(sorted(rule.causes))
    if never:
        failed = len(never) == len(people)
        least = "" if told_of in (None, len(without)) else "at least "
        told = (
            f"{least}{len(never)} of {len(people)} people are asked at every visit without having a "
            f"{counted}: they can never enter. `edged people set-pin` or `set-badge` gives them one"
        )
        return Finding(State.FAILED if failed else State.WARNING, told, facts)
    told = f"asked for {causes}; all {len(people)} who may enter have a {counted}"
    if without:
        told = (
            f"asked for {causes}; {len(without)} of {len(people)} who may enter have no "
            f"{counted}, and are denied if they are asked"
        )
    if told_of not in (None, len(without)):
        told += f"; only the first {told_of:,} of these were held against everybody"
    return Finding(State.OK, told, facts)


def _who_may_enter(patient: Patient) -> list[Person]:
    """Return the people whom the models know and to whom some time from now on is open."""
    access = patient.config.access
    local = Clock(access.time_zone).local(patient.now)
    rules = access_rules(access)
    return [person for person in patient.snapshot.people if rules.ever(person, local)]


def _always_asked(
    patient: Patient, causes: frozenset[FactorCause], everybody: Sequence[str], without: Collection[str]
) -> tuple[AbstractSet[str], int | None]:
    """Return whom the causes that do not depend on a visit concern, and how many were looked at; None: all.

    In a large gallery only people ``without`` a factor are, who are what a finding is about.
    """
    threshold = patient.threshold
    if FactorCause.ALWAYS in causes or (FactorCause.RISK in causes and threshold.second_factor):
        return frozenset(everybody), None
    if FactorCause.LOOKALIKE not in causes:
        return frozenset(), None
    rule = lookalike_rule(
        patient.calibration.points(),
        threshold=threshold.cosine,
        min_margin=patient.config.decision.min_margin,
        risk=patient.risk,
    )
    if len(patient.snapshot.people) <= _ALL_PAIRS:
        bars = with_bars(patient.snapshot, rule, all_at_once=True).bars
        return frozenset(everybody) & bars.keys(), None
    looked_at = [person_id for person_id in everybody if person_id in without][:_MOST_SEARCHED]
    bars = with_bars(patient.snapshot, rule).bars
    return {person_id for person_id in looked_at if person_id in bars}, len(looked_at)
