"""The medium itself: what its controller says of its wear, and ext4 of the errors it met."""

from pathlib import Path

from edged.doctor.finding import Finding, State
from edged.doctor.machine import read_text
from edged.doctor.mounts import mount_of, standing
from edged.doctor.patient import Patient

# Registers of eMMC 5.0 (JESD84-B50, EXT_CSD 267 to 269): life time in steps of 10 % used, 0x0B for more than
# it was made for; pre-EOL 2 when 80 % of the reserve is used, 3 when nearly all is.
_WORN, _SPENT = 8, 0x0B
_PRE_EOL = {2: State.WARNING, 3: State.FAILED}


def card(patient: Patient) -> Finding:
    """Look at the device under the journal."""
    machine = patient.machine
    mount = mount_of(machine, standing(patient.config.journal.path.parent))
    block = None if mount is None else machine.root / "sys/dev/block" / mount.device
    if block is None or not block.exists():
        return Finding(State.NOT_APPLICABLE, "the journal is on no disk that the kernel tells of")
    block = block.resolve()
    whole = block.parent if (block / "partition").exists() else block
    errors = _number(machine.root / "sys/fs/ext4" / block.name / "errors_count", 10)
    life, pre_eol = _life(whole), _number(whole / "device/pre_eol_info", 16)
    facts: dict[str, object] = {
        "device": whole.name, "type": read_text(whole / "device/type"), "ext4_errors": errors,
        "life_steps_used": life, "pre_eol": pre_eol,
    }  # fmt: skip
    return _judged(facts, errors, life, pre_eol)


def _judged(facts: dict[str, object], errors: int | None, life: int | None, pre_eol: int | None) -> Finding:
    name = facts["device"]
    if errors:
        detail = f"ext4 met {errors} errors on {name}: fsck it, and replace the card if they come again"
        return Finding(State.FAILED, detail, facts)
    worn = _PRE_EOL.get(pre_eol or 0, State.OK)
    if (life or 0) >= _SPENT or worn is State.FAILED:
        return Finding(State.FAILED, f"{name} is at the end of its life: replace it now", facts)
    if (life or 0) > _WORN or worn is State.WARNING:
        return Finding(State.WARNING, f"{name} has used most of its life: replace it soon", facts)
    if life:
        return Finding(State.OK, f"{name} has used at most {life * 10} % of its life", facts)
    known = "ext4 met no error on it" if errors == 0 else "nothing is known against it"
    detail = f"{name}: {known}"
    if facts["type"] == "SD":
        detail += "; an SD card does not tell how worn it is"
    return Finding(State.OK, detail, facts)


def _life(whole: Path) -> int | None:
    """Return the worse of the two steps of ``life_time``, ``0x01 0x02``; None where it is not told."""
    words = (read_text(whole / "device/life_time") or "").split()
    try:
        steps = [int(word, 16) for word in words]
    except ValueError:
        return None
    return max(steps, default=None)


def _number(path: Path, base: int) -> int | None:
    try:
        return int(read_text(path) or "", base)
    except ValueError:
        return None
