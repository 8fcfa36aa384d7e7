"""From the ``door.lock`` section to the driver it names, with no fallback to another."""

from typing import assert_never

from edged.config.sections import FakeLockConfig, GpiodLockConfig, GpiozeroLockConfig, LockConfig
from edged.devices.lock import DoorLock


def open_lock(config: LockConfig, *, released: bool = False) -> DoorLock:
    """Claim the line of ``config`` at its secure level. Raises ``LockError``.

    ``released`` is for a door that a fire has opened: the gpiod driver claims its line at the unlocked level
    then. The others know no such claim, and wait to be told.
    """
    # Imported late: a board needs the library of its own driver only.
    match config:
        case FakeLockConfig():
            from edged.devices.fakes import FakeLock  # noqa: PLC0415 - see above

            return FakeLock(config.trace_path)
        case GpiodLockConfig():
            from edged.devices.lock_gpiod import GpiodLock  # noqa: PLC0415 - see above

            return GpiodLock(config, released=released)
        case GpiozeroLockConfig():
            from edged.devices.lock_gpiozero import GpiozeroLock  # noqa: PLC0415 - see above

            return GpiozeroLock(config)
        case _:
            assert_never(config)
