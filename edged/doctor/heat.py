"""Temperature and power supply: a board that slows itself down decides late."""

import math

from edged.doctor.finding import Finding, State
from edged.doctor.patient import Patient

# Raspberry Pi's soft limit is 80 degrees, and no board that edged knows throttles below it
# (raspberrypi.com, config.txt: temp_limit; a Jetson's first trip point is above 90).
_HOT = 80.0
_NOW = {0: "too little voltage", 1: "frequency capped", 2: "throttled", 3: "soft temperature limit"}
_SINCE_START = 16
_VOLTAGE = 0


def heat(patient: Patient) -> Finding:
    """Read thermal zones and the firmware's flags."""
    board = patient.machine.board
    degrees, flags = board.temperature(), board.throttle_flags()
    if flags is None:
        flags = _of_firmware(patient.machine.firmware("get_throttled"))
    known = None if math.isnan(degrees) else degrees
    facts: dict[str, object] = {"celsius": known, "throttled": flags}
    if known is None and flags is None:
        return Finding(State.NOT_APPLICABLE, "this machine tells neither temperature nor throttling", facts)
    seen = "temperature not known" if known is None else f"{known:.0f} degrees"
    now = [text for bit, text in _NOW.items() if (flags or 0) >> bit & 1]
    if now:
        detail = f"{seen}, and the board slows down now ({', '.join(now)}): better supply, cooling"
        return Finding(State.FAILED, detail, facts)
    if known is not None and known >= _HOT:
        return Finding(State.WARNING, f"{seen}: boards slow down from {_HOT:.0f} on; cool it", facts)
    past = [text for bit, text in _NOW.items() if (flags or 0) >> (bit + _SINCE_START) & 1]
    if past:
        cure = "a better power supply" if _NOW[_VOLTAGE] in past else "cooling"
        return Finding(
            State.WARNING, f"{seen}, but since the start: {', '.join(past)}; it needs {cure}", facts
        )
    return Finding(State.OK, f"{seen}, not throttled" if flags is not None else seen, facts)


def _of_firmware(answer: str | None) -> int | None:
    """Return the flags of ``throttled=0x50000``."""
    try:
        return int((answer or "").removeprefix("throttled="), 16)
    except ValueError:
        return None
