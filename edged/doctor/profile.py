"""Whether this machine was measured, and runs as it should by that."""

from edged.doctor.finding import Finding, State
from edged.doctor.patient import Patient
from edged.errors import ModelError
from edged.storage.site_calibration import measured_weights
from edged.vision.choice import running_precision
from edged.vision.packs import Catalogue
from edged.vision.profile import TASKS, Profile, standing
from edged.vision.threads import Threads

_MEASURE = "`edged bench --write` measures what this machine should run with"


def profile(patient: Patient) -> Finding:
    """Look at the profile of the models directory: a stale one is passed over, and the door runs as usual."""
    models = patient.config.models
    found, threads = standing(models), _threads(patient)
    told = f"{found.text}; {threads.text}" if threads else found.text
    facts: dict[str, object] = {
        "in_force": found.profile is not None,
        "passed_over": found.passed_over,
        "threads": threads.count if threads else None,
        "threads_why": threads.why if threads else None,
        "precision": None if found.profile is None else dict(found.profile.precision),
        "frames_per_second": None if found.profile is None else found.profile.frames_per_second,
    }
    if found.profile is None and (found.passed_over is None or models.profile == "off"):
        return Finding(State.NOT_APPLICABLE, f"{told}; {_MEASURE}", facts)
    if found.profile is None:
        return Finding(State.WARNING, f"{told}; {_MEASURE}", facts)
    wins = _wins(patient, found.profile)
    given, judged = getattr(patient.config.camera.source, "fps", None), found.profile.frames_per_second
    if given is not None and given > judged:
        more = (
            f"; the camera gives {given:g}, more than it judges at ease: the rest is decoded for nothing, "
            "see camera.source.fps"
        )
        return Finding(State.WARNING, f"{told}{wins}{more}", facts)
    return Finding(State.OK, f"{told}{wins}", facts)


def _threads(patient: Patient) -> Threads | None:
    """Return with how many threads the networks run; None where they cannot be opened, as the models say."""
    try:
        return patient.pipeline.threads
    except ModelError:
        return None


def _wins(patient: Patient, found: Profile) -> str:
    """Say what the door goes by in place of the profile: what is stated, or what it was calibrated with."""
    models = patient.config.models
    stated = [f"models.{key}" for key in ("precision", "threads") if getattr(models, key) != "auto"]
    told = f"; {' and '.join(stated)} of the configuration win over it" if stated else ""
    if models.precision != "auto":
        return told
    measured, catalogue = measured_weights(patient.config.gallery), Catalogue(models.directory)
    for task in TASKS:
        pack = catalogue.in_force(models.detector if task == "detector" else models.embedder)
        runs = running_precision(pack, pack.model(task), models, measured)
        if measured and runs != found.precision.get(task, runs):
            told += f"; {task} {runs} runs on, which this door was calibrated with"
    return told
