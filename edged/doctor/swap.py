"""Whether faces in memory may get to the disk."""

from edged.config.sections import FakeLockConfig
from edged.doctor.finding import Finding, State
from edged.doctor.patient import Patient

_IN_MEMORY = "/dev/zram"


def swap(patient: Patient) -> Finding:
    """Look for swap on a disk that the units' ``MemorySwapMax=0`` does not keep the services from.

    Without the memory controller, as Raspberry Pi OS starts its kernels, that line has no effect.
    """
    if isinstance(patient.config.door.lock, FakeLockConfig):
        return Finding(State.NOT_APPLICABLE, "a desk")
    machine = patient.machine
    lines = (machine.text("proc/swaps") or "").splitlines()[1:]
    disks = [
        name for line in lines if (name := (line.split() or [""])[0]) and not name.startswith(_IN_MEMORY)
    ]
    limited = "memory" in (machine.text("sys/fs/cgroup/cgroup.controllers") or "").split()
    facts: dict[str, object] = {"swap": disks, "memory_controller": limited}
    if disks and not limited:
        detail = (
            f"faces in memory may be written to {', '.join(disks)}: turn it off, or add cgroup_enable=memory "
            "to /boot/firmware/cmdline.txt"
        )
        return Finding(State.WARNING, detail, facts)
    return Finding(State.OK, "the services stay out of it" if disks else "none on a disk", facts)
