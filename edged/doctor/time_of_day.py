"""The wall clock: schedules, validity, certificates and the record all hang on it."""

from datetime import UTC, datetime
from pathlib import Path

from edged.devices.clock import FIRST_YEAR
from edged.doctor.finding import Finding, State
from edged.doctor.machine import read_text
from edged.doctor.patient import Patient

# A board without a battery starts long before the first year.
_LAST_YEAR = 2100
# A sound RTC drifts by some 2 seconds a day (20 ppm); one this far off was never set, or has no battery.
_RTC_SECONDS = 3600


def time_of_day(patient: Patient) -> Finding:
    """Look for a possible year, for synchronisation, and for an RTC that keeps time without power."""
    machine, now = patient.machine, patient.now
    synced = machine.clock.word()
    rtc = [
        seconds for path in machine.glob("sys/class/rtc/rtc*") if (seconds := _since_epoch(path)) is not None
    ]
    facts: dict[str, object] = {"unix": now, "synchronised": synced, "rtc": len(rtc)}
    try:
        year = datetime.fromtimestamp(now, UTC).year
    except (OverflowError, ValueError, OSError):
        year = 0
    if not FIRST_YEAR <= year <= _LAST_YEAR:
        detail = (
            f"the clock says {year}: set it (timedatectl set-time), or let NTP (timedatectl set-ntp true)"
        )
        return Finding(State.FAILED, detail, facts)
    right = [seconds for seconds in rtc if abs(seconds - now) < _RTC_SECONDS]
    without = "" if right else ", and no RTC keeps time without power"
    if synced is None:
        detail = (
            f"whether it is synchronised cannot be told{without}: the kernel may not be asked here (adjtimex)"
        )
        return Finding(State.WARNING, detail, facts)
    if not synced:
        detail = (
            f"not synchronised{without}: timedatectl set-ntp true, or see why timedatectl timesync-status"
        )
        return Finding(State.WARNING, f"{detail} finds no server", facts)
    if rtc and not right:
        return Finding(
            State.WARNING, "the RTC is wrong: hwclock --systohc sets it; is its battery dead?", facts
        )
    if not rtc:
        detail = "synchronised; without an RTC the time is unknown from a power cut until a server answers"
        return Finding(State.WARNING if patient.config.access.schedules else State.OK, detail, facts)
    return Finding(State.OK, "synchronised, and an RTC keeps time without power", facts)


def _since_epoch(rtc: Path) -> int | None:
    """Return what the RTC says, in Unix seconds; None where it says nothing."""
    text = read_text(rtc / "since_epoch") or ""
    return int(text) if text.isdecimal() else None
