"""All checks in the order in which they are shown, each with the time that it may take."""

import threading
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from edged.config.sections import CameraConfig
from edged.doctor import checks
from edged.doctor.broker import broker
from edged.doctor.camera import camera
from edged.doctor.card import card
from edged.doctor.certificates import certificates
from edged.doctor.disk import disk
from edged.doctor.door_process import door_process
from edged.doctor.finding import Finding, State
from edged.doctor.gallery_age import gallery_age
from edged.doctor.heat import heat
from edged.doctor.keys import keys
from edged.doctor.liveness import liveness
from edged.doctor.lock_line import boot_pull, persistence
from edged.doctor.membership import membership
from edged.doctor.patient import Patient
from edged.doctor.permissions import permissions
from edged.doctor.profile import profile
from edged.doctor.record import record
from edged.doctor.running import running
from edged.doctor.swap import swap
from edged.doctor.time_of_day import time_of_day
from edged.doctor.watchdog import watchdog
from edged.errors import EdgedError
from edged.fleet.trial import TRIAL_SECONDS

Check = Callable[[Patient], Finding]

# Files and a local socket answer in milliseconds; opening the models takes seconds on a small board.
USUAL_SECONDS = 20.0
# A million rows (``journal.max_rows``) take 15 s of one x86-64 core; a small board is taken to need ten times
# that.
_RECORD_SECONDS = 180.0
# Its own deadlines, and the join of its thread (``workers.camera_probe``).
_PROBE_SECONDS = 10.0

CHECKS: Mapping[str, Check] = {
    **checks.CHECKS,
    "liveness": liveness,
    "profile": profile,
    "running": running,
    "door process": door_process,
    "gpio persistence": persistence,
    "boot pull": boot_pull,
    "watchdog": watchdog,
    "camera": camera,
    "gallery age": gallery_age,
    "fleet": membership,
    "journal": record,
    "keys": keys,
    "permissions": permissions,
    "disk": disk,
    "card": card,
    "swap": swap,
    "clock": time_of_day,
    "heat": heat,
    "broker": broker,
    "certificates": certificates,
}


@dataclass(frozen=True, slots=True)
class Selection:
    """Which checks are run: all where ``only`` is empty. Names may have hyphens for blanks."""

    only: Collection[str] = ()
    skip: Collection[str] = ()

    def of(self, known: Mapping[str, Check] = CHECKS) -> dict[str, Check]:
        """Return the chosen ones. Raises ``KeyError`` on a name that is not known."""
        only, skip = ({name.replace("-", " ").lower() for name in names} for names in (self.only, self.skip))
        if strange := (only | skip) - set(known):
            raise KeyError(min(strange))
        return {
            name: check for name, check in known.items() if (not only or name in only) and name not in skip
        }


def limits(camera_config: CameraConfig) -> dict[str, float]:
    """Return the seconds that a check may take, for those that may take longer than ``USUAL_SECONDS``."""
    return {
        "broker": TRIAL_SECONDS + 5.0,
        "camera": camera_config.first_frame_timeout_ms / 1000 + _PROBE_SECONDS,
        "journal": _RECORD_SECONDS,
    }


def examine(
    patient: Patient,
    chosen: Mapping[str, Check] = CHECKS,
    *,
    seconds: Mapping[str, float] | None = None,
    before: Callable[[str], None] = lambda _name: None,
) -> dict[str, Finding]:
    """Return what every check found, by name; ``before`` is told of each.

    What cannot be looked at has failed, and so has what gives no answer in its time: a disk or a driver
    that hangs must not keep the others from being heard. ``seconds`` are those limits.
    """
    allowed = limits(patient.config.camera) if seconds is None else seconds
    found = {}
    for name, check in chosen.items():
        before(name)
        found[name] = _within(allowed.get(name, USUAL_SECONDS), check, patient)
    return found


def _within(seconds: float, check: Check, patient: Patient) -> Finding:
    answers: list[Finding] = []
    errors: list[BaseException] = []

    def ask() -> None:
        try:
            answers.append(_checked(check, patient))
        except BaseException as exc:  # noqa: BLE001 - raised again by whoever waits
            errors.append(exc)

    # A daemon thread: one that hangs in a driver must not keep the program from ending.
    thread = threading.Thread(target=ask, name="edged-doctor", daemon=True)
    thread.start()
    thread.join(seconds)
    if errors:
        raise errors[0]
    return answers[0] if answers else Finding(State.FAILED, f"no answer within {seconds:g} s")


def _checked(check: Check, patient: Patient) -> Finding:
    try:
        return check(patient)
    except EdgedError as exc:
        return Finding(State.FAILED, " ".join(str(exc).split()))
    except OSError as exc:  # a folder that is not for us, a file that vanished
        return Finding(State.FAILED, f"cannot be looked at: {exc}; run this as the service's user")
