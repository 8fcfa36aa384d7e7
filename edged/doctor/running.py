"""Whether the daemon runs, and would let somebody in."""

from edged.doctor.finding import Finding, State
from edged.doctor.patient import Patient


def running(patient: Patient) -> Finding:
    """Ask ``/readyz`` of the daemon that writes this door's journal."""
    daemon = patient.daemon
    facts: dict[str, object] = {
        "pid": daemon.pid,
        "checks": {name: ok for name, (ok, _) in daemon.checks.items()},
    }
    if not daemon.running:
        return Finding(State.NOT_APPLICABLE, "edged run is not running", facts)
    if not daemon.checks:
        return Finding(State.WARNING, f"process {daemon.pid} cannot be asked: {daemon.silence}", facts)
    amiss = [f"{name}: {told}" for name, (ok, told) in daemon.checks.items() if not ok]
    if amiss:
        return Finding(State.FAILED, f"process {daemon.pid} lets nobody in: {'; '.join(amiss)}", facts)
    return Finding(State.OK, f"process {daemon.pid} is ready", facts)
