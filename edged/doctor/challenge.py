"""What a gesture is asked for beside."""

from edged.doctor.finding import Finding, State
from edged.doctor.patient import Patient


def challenge(patient: Patient) -> Finding:
    """Look whether a gesture stands alone.

    It holds by itself, whatever ``liveness.mode`` is: who does not answer is denied. But only with
    ``required`` must a face be found alive as well.
    """
    config = patient.config.liveness
    facts: dict[str, object] = {"challenge": config.challenge, "mode": config.mode}
    if config.challenge == "off":
        return Finding(State.OK, "no gesture is asked for", facts)
    asked = f"{config.challenge_turns} turns of the head, within {config.challenge_seconds:g} s each"
    if config.mode == "required":
        return Finding(State.OK, f"{asked}, of whoever was found alive", facts)
    told = (
        f"{asked}; with liveness.mode {config.mode} that is all that tells a person from a film or a face "
        "computed on the spot: mode required asks for both"
    )
    return Finding(State.WARNING, told, facts)
