"""The board's own watchdog, which starts it again when the kernel hangs: no process can do that."""

from edged.doctor.finding import Finding, State
from edged.doctor.lock_line import has_wires
from edged.doctor.machine import read_text
from edged.doctor.patient import Patient

_MEND = (
    "RuntimeWatchdogSec=15 in /etc/systemd/system.conf, restart; a kernel that hangs in mid-pulse leaves the "
    "door open until then, but for a relay with a timer of its own"
)


def watchdog(patient: Patient) -> Finding:
    """Look whether one is armed."""
    if not has_wires(patient.config):
        return Finding(State.NOT_APPLICABLE, "no line of this machine is used")
    states = {
        path.name: read_text(path / "state") for path in patient.machine.glob("sys/class/watchdog/watchdog*")
    }
    facts: dict[str, object] = {"watchdogs": states}
    armed = sorted(name for name, state in states.items() if state == "active")
    if armed:
        return Finding(State.OK, f"{armed[0]} is armed", facts)
    if any(state is None for state in states.values()):
        return Finding(State.WARNING, f"the kernel does not say whether one is armed: {_MEND}", facts)
    return Finding(State.WARNING, f"{'not armed' if states else 'there is none'}: {_MEND}", facts)
