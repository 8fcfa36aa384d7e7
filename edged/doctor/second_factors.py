"""Whether those who will be asked for a second factor have one."""

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
    asked = _always_asked(patient, rule.causes, frozenset(one.person_id for one in people))
    never = without & asked
    facts: dict[str, object] = {
        "asked": sorted(rule.causes),
        "may_enter": len(people),
        "without": len(without),
        "asked_at_every_visit": len(asked),
        "can_never_enter": len(never),
    }
    counted, causes = " or ".join(config.accept), ", ".join(sorted(rule.causes))
    if never:
        failed = len(never) == len(people)
        told = (
            f"{len(never)} of {len(people)} people are asked at every visit without having a {counted}: "
            "they can never enter. `edged people set-pin` or `set-badge` gives them one"
        )
        return Finding(State.FAILED if failed else State.WARNING, told, facts)
    told = f"asked for {causes}; all {len(people)} who may enter have a {counted}"
    if without:
        told = (
            f"asked for {causes}; {len(without)} of {len(people)} who may enter have no "
            f"{counted}, and are denied if they are asked"
        )
    return Finding(State.OK, told, facts)


def _who_may_enter(patient: Patient) -> list[Person]:
    """Return the people whom the models know and to whom some time from now on is open."""
    access = patient.config.access
    local = Clock(access.time_zone).local(patient.now)
    rules = access_rules(access)
    return [person for person in patient.snapshot.people if rules.ever(person, local)]


def _always_asked(
    patient: Patient, causes: frozenset[FactorCause], everybody: frozenset[str]
) -> frozenset[str]:
    """Return whom the causes that do not depend on a visit concern."""
    threshold = patient.threshold
    if FactorCause.ALWAYS in causes or (FactorCause.RISK in causes and threshold.second_factor):
        return everybody
    if FactorCause.LOOKALIKE not in causes:
        return frozenset()
    rule = lookalike_rule(
        patient.calibration.points(),
        threshold=threshold.cosine,
        min_margin=patient.config.decision.min_margin,
        risk=patient.risk,
    )
    return everybody & with_bars(patient.snapshot, rule, all_at_once=True).bars.keys()
