"""The end of an emergency at a door without a socket, asked for by hand.

Who keeps the door does it; where nobody does, it happens here, as at a start: the line is claimed, which
secures it, and the latch goes. Not before the fire input was read, and read quiet.
"""

import contextlib
import time
from collections.abc import Callable
from pathlib import Path

from edged.config.door_lines import InputsConfig
from edged.config.sections import DoorConfig
from edged.devices.gpio_lines import Switches
from edged.devices.lock_factory import open_lock
from edged.domain.doorway import Act, Happening
from edged.doorway.inputs import SAMPLE_SECONDS, Inputs, Settled
from edged.doorway.latch import latched
from edged.doorway.ledger import Ledger
from edged.doorway.spool import Spool
from edged.doorway.tenant import RESET, Tenant, send, tenant_of
from edged.errors import DoorwayError, LockError

# As for whoever asks by the socket.
_GRACE_SECONDS = 2.0
_NOT_KEPT = (
    "the door is locked again, but its disk does not keep that: at the next start the emergency may be back; "
    "look at {state}"
)


def reset(config: DoorConfig, state: Path) -> None:
    """End the emergency of the door that ``state`` is about, if there is one.

    Raises ``LockError`` where the fire input does not allow it, or where the next start would bring it back;
    ``DoorwayError`` where this user may not ask.
    """
    tenant = tenant_of(state)
    if tenant is not None:
        _ask(state, tenant)
    if not _latched(state):
        return
    if tenant_of(state) is not None:
        raise LockError(_NOT_KEPT.format(state=state))
    _clear(config, state)


def _ask(state: Path, tenant: Tenant) -> None:
    """Have the door process reset it, and see that the disk knows."""
    send(state, tenant, RESET)

    def goes_on() -> bool:
        now = tenant_of(state)
        return now is not None and now.emergency

    if not _within(_GRACE_SECONDS, lambda: not goes_on()):
        raise LockError("the emergency goes on: the fire input is active")
    _within(_GRACE_SECONDS, lambda: not _latched(state))


def _clear(config: DoorConfig, state: Path) -> None:
    """Do it where no door process runs."""
    with contextlib.ExitStack() as closing:
        try:
            fire = InputsConfig(fire=config.inputs.fire)
            switches = Switches(fire)
            closing.callback(switches.close)
            _see_it_quiet(Inputs(switches, fire, time.monotonic), config)
            lock = open_lock(config.lock)
        except LockError as exc:
            raise LockError(f"the emergency is not reset: {exc}") from exc
        closing.callback(lock.close)
        spool = Spool(state)
        ledger = Ledger(spool)
        ledger.begin()
        ledger.happened(Happening(Act.EMERGENCY_OVER), time.monotonic())
        if not spool.close(_GRACE_SECONDS) or not spool.kept:
            raise LockError(_NOT_KEPT.format(state=state))


def _see_it_quiet(inputs: Inputs, config: DoorConfig) -> None:
    """Wait until the level of the fire input has stood still. Raises ``LockError`` unless that is quiet."""
    if config.inputs.fire is None:
        return
    deadline = time.monotonic() + config.inputs.fire.debounce_ms / 1000 + _GRACE_SECONDS
    while time.monotonic() < deadline:
        for news in inputs.sample(in_pulse=False):
            if isinstance(news, Settled) and not news.active:
                return
            if isinstance(news, Settled):
                raise LockError("the fire input is active")
        time.sleep(SAMPLE_SECONDS)
    raise LockError("door.inputs.fire cannot be read, or does not stand still")


def _latched(state: Path) -> bool:
    try:
        return latched(state)
    except OSError as exc:
        raise DoorwayError(f"{state}: {exc.strerror}: whether there is an emergency cannot be told") from exc


def _within(seconds: float, happened: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + seconds
    while not happened():
        if time.monotonic() > deadline:
            return False
        time.sleep(SAMPLE_SECONDS)
    return True
