"""What a door does at a command: each action once, and the facts of its reply."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import msgspec

from edged.devices.clock import Clock
from edged.errors import StoreError
from edged.fleet.commands import Command
from edged.fleet.gallery_format import Action
from edged.membership.command_memory import CommandMemory, CommandMemoryFile, Lockdown
from edged.workers.command_desk import Act, CommandDesk, RefusedCommandError
from edged.workers.event_log import EventLog
from edged.workers.health import HealthReport
from edged.workers.lockdown import LockableDoor
from edged.workers.ordered_unlock import OrderedUnlock

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Reach:
    """What a command may touch: the door, the log, and what the daemon offers of itself."""

    door: LockableDoor
    log: EventLog
    clock: Clock
    readiness: Callable[[], HealthReport]
    state: Callable[[], Mapping[str, Any]]
    reload: Callable[[], None]
    rebirth: Callable[[], None]
    replay: Callable[[int, int | None], bool]
    needs_record: bool = True


class CommandActs:
    """``desk`` is set once there is one; it remembers a lockdown over restarts."""

    def __init__(self, reach: Reach) -> None:
        self._reach = reach
        self.desk: CommandDesk | None = None

    def restore(self, memory: CommandMemoryFile) -> CommandMemory:
        """Take a lockdown up again; return what is remembered.

        A memory that cannot be read may have held one: so it holds, until somebody releases it.
        """
        try:
            found = memory.read()
        except StoreError as exc:
            logger.error("memory of commands damaged, locked down until released error=%s", exc)  # noqa: TRY400
            since = max(0.0, self._reach.clock.unix())
            found = CommandMemory(lockdown=Lockdown(since=since, key="", reason="memory damaged"))
        self._reach.door.set(locked_down=found.lockdown is not None)
        return found

    def table(self) -> dict[Action, Act]:
        """Return what carries out each action."""
        return {
            "unlock": self._unlock,
            "lockdown": self._lockdown,
            "release": self._release,
            "reload": self._reload,
            "selftest": self._selftest,
            "snapshot": lambda _command: dict(self._reach.state()),
            "replay": self._replay,
            "rebirth": self._rebirth,
        }

    def _unlock(self, command: Command) -> Mapping[str, Any]:
        """One pulse, as long as that of anybody who is let in; the record comes first."""
        reach = self._reach
        if not command.reason.strip():
            raise RefusedCommandError("an unlock needs a reason")
        now = reach.clock.monotonic()
        ordered = OrderedUnlock(reach.door, reach.log, needs_record=reach.needs_record)
        if (refusal := ordered.refusal(now)) is not None:
            raise RefusedCommandError(refusal)
        event_id = ordered.open(now, key=command.key, reason=command.reason)
        if event_id is None:
            raise RefusedCommandError("the door takes no grant now")
        return {"event_id": event_id}

    def _lockdown(self, command: Command) -> Mapping[str, Any]:
        self._reach.door.set(locked_down=True)  # before it is on disk: a full one must not keep the door open
        lockdown = Lockdown(since=self._reach.clock.unix(), key=command.key, reason=command.reason)
        self._remember(lockdown)
        return {"locked_down": True}

    def _release(self, _command: Command) -> Mapping[str, Any]:
        self._remember(None)
        self._reach.door.set(locked_down=False)
        return {"locked_down": False}

    def _remember(self, lockdown: Lockdown | None) -> None:
        desk = self.desk
        if desk is None:
            raise RefusedCommandError("the door is not ready for commands yet")
        desk.remember(msgspec.structs.replace(desk.memory, lockdown=lockdown))

    def _reload(self, _command: Command) -> Mapping[str, Any]:
        self._reach.reload()
        return {}

    def _rebirth(self, _command: Command) -> Mapping[str, Any]:
        self._reach.rebirth()
        return {}

    def _selftest(self, _command: Command) -> Mapping[str, Any]:
        report = self._reach.readiness()
        return {"ok": report.ok, "checks": {name: asdict(check) for name, check in report.checks.items()}}

    def _replay(self, command: Command) -> Mapping[str, Any]:
        first, last = command.args.get("from_seq", 1), command.args.get("to_seq")
        if not isinstance(first, int) or not (last is None or isinstance(last, int)):
            raise RefusedCommandError("from_seq and to_seq: expected whole numbers")
        if not self._reach.replay(first, last):
            raise RefusedCommandError("too many replays wait already")
        return {}
