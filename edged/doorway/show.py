"""What the lamps and the buzzer show, from what the door is in and what its readers say."""

import logging

from edged.devices.gpio_lines import Lamps
from edged.domain.doorway import Doorway
from edged.doorway.messages import Look
from edged.errors import LockError

logger = logging.getLogger(__name__)

# Half a second on, half a second off: a pre-alarm is told from an alarm with closed eyes.
_BEEP_SECONDS = 0.5
_DENIED_BEEP_SECONDS = 0.3


def shown(door: Doorway, look: Look, *, look_age: float, faulty: bool, now: float) -> set[str]:
    """Return the lamps to be lit. ``look_age`` is for how many seconds the reader's word has stood."""
    lit = set()
    if door.released:
        lit.add("granted")
    elif look == "denied":
        lit.add("denied")
        if look_age < _DENIED_BEEP_SECONDS:
            lit.add("buzzer")
    elif look == "looking":
        lit.add("looking")
    if faulty or door.tampered:
        lit.add("fault")
    forced = door.leaf_open and not door.rightful and not door.emergency
    if forced or door.held or (door.warned and now % (2 * _BEEP_SECONDS) < _BEEP_SECONDS):
        lit.add("buzzer")
    return lit


class Show:
    """Drives ``lamps``. A lamp that fails is no reason to touch the door: it is given up, and said once."""

    def __init__(self, lamps: Lamps) -> None:
        self._lamps: Lamps | None = lamps

    def light(self, wanted: set[str]) -> None:
        """Light ``wanted``."""
        if self._lamps is None:
            return
        try:
            self._lamps.light(wanted)
        except LockError as exc:
            logger.error("lamps given up error=%s", exc)  # noqa: TRY400 - the text says it all
            self._lamps = None

    def close(self) -> None:
        """Put all out."""
        if self._lamps is not None:
            try:
                self._lamps.close()
            except LockError as exc:
                logger.error("lamps not put out error=%s", exc)  # noqa: TRY400 - the text says it all
