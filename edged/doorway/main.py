"""``python -m edged.doorway``: the door process. ``--help`` tells its options and exit codes."""

import argparse
import contextlib
import logging
import os
import pwd
import signal
import socket
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from edged import logs, systemd
from edged.config.loading import load_door, load_lock, parse_door
from edged.config.sections import DoorConfig, LoggingConfig
from edged.devices.gpio_lines import Lamps, Switches
from edged.devices.lock import DoorLock
from edged.devices.lock_factory import open_lock
from edged.domain.count import counted
from edged.doorway.channel import listen, pair
from edged.doorway.guard import Guard, GuardedLock
from edged.doorway.keeper import Keeper
from edged.doorway.latch import in_emergency
from edged.doorway.ledger import Ledger
from edged.doorway.server import Server
from edged.doorway.show import Show, shown
from edged.doorway.spool import Spool
from edged.doorway.tenant import RESET, Tenancy, succeed
from edged.errors import ConfigError, DoorwayError, EdgedError

logger = logging.getLogger(__name__)

_WATCHDOG_SECONDS = 1.0
_LAST_WRITES_SECONDS = 2.0
# A guard that dies at every start must not keep the door from working in between.
_GUARDED_SECONDS = 60.0


def main(arguments: list[str] | None = None) -> int:
    """Keep the door until told to stop; return the exit code."""
    options = _options().parse_args(arguments)
    logs.configure(LoggingConfig(level="warning" if options.quiet else "info"))
    try:
        if options.secure:
            # As `edged door safe`, without the command line: the line may stand open as long as this takes.
            _secure(Path(options.config), _state(options))
        else:
            _serve(options)
    except EdgedError as exc:
        for line in str(exc).splitlines() or [type(exc).__name__]:
            print(f"edged door: {line}", file=sys.stderr)  # noqa: T201 - as every command says it
        return exc.exit_code
    return 0


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "edged door run", description="Keep the door: lock, switches, lamps. Readers find it at door.socket.",
        epilog="Exit codes: 0 stopped, 1 failed, 2 usage, 78 bad configuration.",
    )  # fmt: skip
    add = parser.add_argument
    add(
        "--config", metavar="PATH", default=os.environ.get("EDGED_CONFIG", "config.yaml"),
        help="configuration, of which only the section door is read; -: standard input "
        "(default: $EDGED_CONFIG or config.yaml)",
    )  # fmt: skip
    add(
        "--state", metavar="FOLDER", type=Path, default=None,
        help="where events wait for a reader (default: var/door beside the configuration)",
    )  # fmt: skip
    add(
        "--peer", metavar="FD", type=int, default=None,
        help="serve the one connection that was inherited, instead of a socket, and end with it, or with the "
        "emergency that stands by then",
    )  # fmt: skip
    add(
        "--secure", action="store_true",
        help="claim the line, which secures it, let it go and end: for a service manager, after a crash. "
        "A line that a fire has released, by the latch in --state, is let be",
    )  # fmt: skip
    add("--quiet", action="store_true", help="log what is wrong and nothing else")
    return parser


def _secure(config: Path, state: Path) -> None:
    lock = load_lock(config)
    if in_emergency(state):
        logger.warning("there is an emergency: the line is let be, until edged door reset")
    else:
        open_lock(lock).close()


def _state(options: argparse.Namespace) -> Path:
    base = Path() if options.config == "-" else Path(options.config).parent
    return options.state or base / "var/door"


def _serve(options: argparse.Namespace) -> None:
    config = _configuration(options.config)
    state = _state(options)
    if options.peer is None and config.socket is None:
        raise ConfigError(["door.socket: missing; it is where readers find the door process"])
    single = options.peer is not None
    if single:
        succeed(state)
    guard = Guard.start(config.lock)
    stop = _Stop(heed_interrupts=not single)
    with contextlib.ExitStack() as closing:
        tenancy = Tenancy()
        closing.callback(tenancy.close)  # the last: whoever is to succeed may read what was written by then
        # The line first: it is secure from here on, unless a fire has opened the door, and whoever has it is
        # the one door process.
        released = in_emergency(state)
        lock = _claimed(config, guard, released=released)
        if not released:  # an input that cannot be claimed must not shut a door that a fire has opened
            closing.callback(lock.close)
        switches = Switches(config.inputs)
        closing.callback(switches.close)
        show = Show(Lamps(config.signals))
        closing.callback(show.close)
        spool = Spool(state)
        closing.callback(spool.close, _LAST_WRITES_SECONDS)
        if released and not spool.emergency:  # the latch went just now, or could not be read after all
            closing.callback(lock.close)
            lock.secure()
        if single:
            tenancy.take(state)
        ledger = Ledger(spool)
        ledger.begin()
        keeper = Keeper(lock, switches, config, ledger, time.monotonic, emergency=spool.emergency)
        if guard is not None:
            guard.follow(keeper.door)  # an emergency has no end
        server = Server(
            keeper, ledger, spool, lock_name=lock.name, allowed=_allowed(config.socket_users),
            clock=time.monotonic,
        )  # fmt: skip
        closing.callback(server.close)
        closing.callback(keeper.close)
        server.wake_on(stop.end)
        if options.peer is not None:
            server.join(socket.socket(fileno=options.peer), inherited=True)
        elif config.socket is not None:
            server.listen_on(listen(config.socket))
        logger.info("door kept lock=%s inputs=%s", lock.name, ",".join(switches.names) or "-")
        keep_on = partial(_goes_on, keeper, server, stop, tenancy if single else None)
        _keep(keeper, server, show, spool, guard=guard, goes_on=keep_on)
    if guard is not None:  # after an error it stays: the line may not be secure
        guard.dismiss()


def _claimed(config: DoorConfig, guard: Guard | None, *, released: bool) -> DoorLock:
    lock = open_lock(config.lock, released=released)
    return lock if guard is None else GuardedLock(lock, guard, config.unlock_seconds)


def _goes_on(keeper: Keeper, server: Server, stop: "_Stop", tenancy: Tenancy | None) -> bool:
    """Whether there is more to do; ``tenancy`` is of a process for one connection, and ends with that.

    Not in an emergency: a crash of the daemon must not shut a door that a fire has opened. Where nobody could
    find the process, and so nothing but a kill would end the emergency, it ends all the same.
    """
    if stop.asked:
        return False
    if stop.reset_is_due():
        keeper.reset()
    if tenancy is None:
        return True
    tenancy.tell(emergency=keeper.door.emergency, deserted=server.deserted)
    return (keeper.door.emergency and tenancy.found) or not server.deserted


def _keep(
    keeper: Keeper,
    server: Server,
    show: Show,
    spool: Spool,
    *,
    guard: Guard | None,
    goes_on: Callable[[], bool],
) -> None:
    systemd.notify("READY=1", "STATUS=locked")
    began_at = told_at = time.monotonic()
    condition = ""
    while goes_on():
        if guard is not None:
            guard.follow(keeper.door)
        server.turn()
        now = time.monotonic()
        look = server.look if now < server.look_until else "idle"
        faulty = server.readers == 0 or bool(keeper.faulty)
        show.light(shown(keeper.door, look, look_age=server.look_age(now), faulty=faulty, now=now))
        due = now - told_at >= _WATCHDOG_SECONDS
        if guard is not None and due:
            guard.ask()
        if due or keeper.door.condition != condition:
            told_at, condition = now, keeper.door.condition
            systemd.notify("WATCHDOG=1", f"STATUS={_status(keeper, server)}")
            spool.mend()
            if guard is not None and guard.gone:
                _without_guard(keeper, now - began_at)
    systemd.notify("STOPPING=1")


def _without_guard(keeper: Keeper, running_seconds: float) -> None:
    """Tell that the guard is gone; at rest, end with an error, so that whoever starts this starts both.

    One cannot be forked here any more: other threads run, and it would inherit the line.
    """
    keeper.guard_gone()
    if running_seconds >= _GUARDED_SECONDS and not keeper.door.released:
        raise DoorwayError("the guard of the line is gone: ending, to be started anew with one")


def _status(keeper: Keeper, server: Server) -> str:
    faulty = f", does not work: {', '.join(keeper.faulty)}" if keeper.faulty else ""
    return f"{keeper.door.condition.value}, {counted(server.readers, 'reader')}{faulty}"


class _Stop:
    """SIGTERM and SIGINT, as something that a selector hears of; and ``RESET``, which is none."""

    def __init__(self, *, heed_interrupts: bool) -> None:
        self.asked = False
        self._reset_asked = False
        self.end, far = pair()
        far.setblocking(False)
        self._far = far
        signal.set_wakeup_fd(far.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGTERM, self._ask)
        # Ctrl-C reaches a child too; its parent ends it once everything has been said.
        signal.signal(signal.SIGINT, self._ask if heed_interrupts else signal.SIG_IGN)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        # Whoever listens at a socket is asked for it there.
        signal.signal(RESET, signal.SIG_IGN if heed_interrupts else self._ask_reset)

    def reset_is_due(self) -> bool:
        """Return whether a reset was asked for since the last call."""
        due, self._reset_asked = self._reset_asked, False
        return due

    def _ask_reset(self, _number: int, _frame: object) -> None:
        self._reset_asked = True

    def _ask(self, _number: int, _frame: object) -> None:
        self.asked = True


def _configuration(path: str) -> DoorConfig:
    if path == "-":
        return parse_door(sys.stdin.read(), base=Path())
    return load_door(Path(path))


def _allowed(users: tuple[str, ...]) -> frozenset[int]:
    """Return the user ids that may connect: root, our own, and those of the configuration."""
    found = {0, os.getuid()}
    for user in users:
        try:
            found.add(pwd.getpwnam(user).pw_uid)
        except KeyError:
            logger.info("door.socket_users: there is no account %s", user)
    return frozenset(found)
