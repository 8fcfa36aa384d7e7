"""Who is let in and at what risk: models, people, threshold. One function a check.

A check may raise any ``EdgedError``: what cannot be looked at has failed, and the error says why.
"""

from collections.abc import Callable, Mapping

from edged.config.sections import FakeLockConfig
from edged.doctor.challenge import challenge
from edged.doctor.finding import Finding, State
from edged.doctor.patient import Patient
from edged.doctor.second_factors import second_factors
from edged.domain.calibration import most_people
from edged.domain.capacity import overfull
from edged.domain.count import counted
from edged.domain.risk import false_accepts_a_year
from edged.errors import StoreError

Check = Callable[[Patient], Finding]

# A site that has doubled since has other people now than those who were measured.
_OUTGROWN = 2


def models(patient: Patient) -> Finding:
    """Open the models: they are there, are what their descriptors pin, and fit together."""
    found = patient.pipeline
    names = f"detector {found.detector_name}, embedder {found.embedder_name}, space {found.space}"
    return Finding(State.OK, names, {"space": found.space, "weights": found.weights})


def licence(patient: Patient) -> Finding:
    """Look whether the models may be used for what this door is used for."""
    limited = patient.pipeline.restrictions
    if not limited:
        return Finding(State.OK, "commercial use is allowed")
    told = "; ".join(f"{pack}: {text}" for pack, text in limited.items())
    real = not isinstance(patient.config.door.lock, FakeLockConfig)
    return Finding(State.WARNING if real else State.OK, told, {"not_commercial": sorted(limited)})


def gallery(patient: Patient) -> Finding:
    """Look whether somebody is enrolled, with the embedder that is in use."""
    people, gap = len(patient.snapshot.people), patient.snapshot.gap
    facts = {
        "people": people,
        "photographs": patient.snapshot.templates,
        "without_photograph": patient.snapshot.left_out,
        "generation": patient.snapshot.version,
    }
    photographs = counted(patient.snapshot.templates, "photograph")
    detail = f"{counted(people, 'person', 'people')} with {photographs}"
    if gap:
        return Finding(State.WARNING, f"{detail}; {gap}", facts)
    if not people:
        return Finding(State.WARNING, f"{detail}: nobody can be let in; `edged enrol` enrols", facts)
    return Finding(State.OK, detail, facts)


def calibration(patient: Patient) -> Finding:
    """Look for a table of error rates of these very models."""
    site, points = patient.calibration.site(), patient.calibration.points()
    most = most_people(points, patient.risk)
    facts: dict[str, object] = {"rows": len(points), "most_people": most}
    if not points:
        advice = "has no table, so there is no threshold; `edged calibrate` measures one"
        return Finding(State.FAILED, f"the pack {advice}", facts)
    carries = f"carries the stated risk for up to {counted(most, 'person', 'people')}"
    people = len(patient.snapshot.people)
    facts["measured_at"] = None if site is None else site.measured_at
    if (full := overfull(points, people, patient.risk)) is not None:
        return Finding(State.WARNING, full, facts)
    if site is None:
        return Finding(State.OK, f"the pack's own table; {carries}", facts)
    measured = counted(site.people, "person", "people")
    detail = f"the pack's table and {measured} of this door, {site.measured_at[:10]}; {carries}"
    if people >= _OUTGROWN * site.people:
        return Finding(State.WARNING, f"{detail}. Now there are {people}: `edged calibrate` again", facts)
    return Finding(State.OK, detail, facts)


def threshold(patient: Patient) -> Finding:
    """Compute the threshold; the table must carry the stated risk for so many people."""
    found = patient.threshold
    facts = {
        "cosine": found.cosine,
        "target_fpir": found.target_fpir,
        "fpir": found.fpir,
        "fmr": found.fmr,
        "people": found.people,
        "attempts": found.risk.attempts,
    }
    return Finding(State.FAILED if found.cosine is None else State.OK, found.claim, facts)


def false_accepts(patient: Patient) -> Finding:
    """Say how often strangers would get in: a figure to know, whatever it is."""
    fpir = patient.threshold.fpir
    facts: dict[str, object] = {"visits_a_day": None, "expected_a_year": None}
    if fpir is None:
        return Finding(State.OK, "none: without a threshold nobody is let in", facts)
    try:
        traffic = patient.traffic
    except StoreError as exc:
        return Finding(State.WARNING, f"not known before visits are recorded: {exc}", facts)
    expected = false_accepts_a_year(fpir, traffic)
    facts = {"visits_a_day": traffic.visits_a_day, "expected_a_year": expected}
    span = "a day" if traffic.days < 1.5 else f"{traffic.days:.0f} days"
    detail = (
        f"at most {expected:.2g} a year if every one of {traffic.visits_a_day:.3g} visits a day were a "
        f"stranger's ({counted(traffic.visits, 'visit')} in {span})"
    )
    return Finding(State.OK, detail, facts)


def armed(patient: Patient) -> Finding:
    """Look whether a match may open the door."""
    if not patient.config.decision.armed:
        return Finding(State.WARNING, "decision.armed is false: nobody is let in", {"armed": False})
    if patient.threshold.cosine is None:
        return Finding(State.FAILED, "disarmed: there is no threshold", {"armed": False})
    return Finding(State.OK, "a match may open the door", {"armed": True})


CHECKS: Mapping[str, Check] = {
    "models": models,
    "licence": licence,
    "gallery": gallery,
    "calibration": calibration,
    "threshold": threshold,
    "false accepts": false_accepts,
    "armed": armed,
    "challenge": challenge,
    "second factor": second_factors,
}
