"""What tells a face from its picture."""

from edged.config.sections import FakeLockConfig
from edged.doctor.finding import Finding, State
from edged.doctor.patient import Patient
from edged.vision.liveness_meter import FaceLiveness


def liveness(patient: Patient) -> Finding:
    """Open its networks, held against their hashes."""
    config = patient.config
    meter = FaceLiveness.load(config.models, config.liveness)
    real = not isinstance(config.door.lock, FakeLockConfig)
    mode = config.liveness.mode
    if meter is None:
        detail = "liveness.mode is off: a photograph may open the door"
        return Finding(State.WARNING if real else State.NOT_APPLICABLE, detail, {"mode": mode})
    limited = sorted(meter.restrictions)
    facts: dict[str, object] = {"mode": mode, "pack": meter.pack_name, "not_commercial": limited}
    seen = f"{mode}, {meter.pack_name or 'no networks'}, cues {', '.join(config.liveness.cues) or 'none'}"
    if real and mode != "required":
        return Finding(State.WARNING, f"{seen}: measured only, a photograph may open the door", facts)
    if real and limited:
        return Finding(State.WARNING, f"{seen}; not for commercial use: {', '.join(limited)}", facts)
    return Finding(State.OK, seen, facts)
