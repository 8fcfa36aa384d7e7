"""Whether this machine was measured, and runs as it should by that."""

from edged.doctor.finding import Finding, State
from edged.doctor.patient import Patient
from edged.vision.choice import running_threads
from edged.vision.profile import standing

_MEASURE = "`edged bench --write` measures what this machine should run with"


def profile(patient: Patient) -> Finding:
    """Look at the profile of the models directory: a stale one is passed over, and the door runs as usual."""
    models = patient.config.models
    found = standing(models)
    facts: dict[str, object] = {
        "in_force": found.profile is not None,
        "passed_over": found.passed_over,
        "threads": running_threads(models),
        "precision": None if found.profile is None else dict(found.profile.precision),
        "frames_per_second": None if found.profile is None else found.profile.frames_per_second,
    }
    if found.profile is None and (found.passed_over is None or models.profile == "off"):
        return Finding(State.NOT_APPLICABLE, f"{found.text}; {_MEASURE}", facts)
    if found.profile is None:
        return Finding(State.WARNING, f"{found.text}; {_MEASURE}", facts)
    stated = [f"models.{key}" for key in ("precision", "threads") if getattr(models, key) != "auto"]
    wins = f"; {' and '.join(stated)} of the configuration win over it" if stated else ""
    given, judged = getattr(patient.config.camera.source, "fps", None), found.profile.frames_per_second
    if given is not None and given > judged:
        more = f"; the camera gives {given:g}, more than it judges at ease: see camera.source.fps"
        return Finding(State.WARNING, f"{found.text}{wins}{more}", facts)
    return Finding(State.OK, f"{found.text}{wins}", facts)
