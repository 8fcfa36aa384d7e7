"""``edged door``: try the lock, or put it into its secure state."""

import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edged.cli.options import DEFAULT_CONFIG, ConfigOption, JsonLinesOption

if TYPE_CHECKING:
    from edged.workers.door import DoorChange

app = typer.Typer(help="Try the lock, or secure it.", no_args_is_help=True)


@app.command(
    "run", context_settings={"allow_extra_args": True, "ignore_unknown_options": True}, add_help_option=False
)
def keep(context: typer.Context) -> None:
    """Keep the door in a process of its own: lock, switches, lamps. Readers find it at door.socket.

    It needs neither camera, models nor network. See edged door run --help for its options.
    """
    # In place of this process, which holds three times as much as a door needs.
    os.execv(sys.executable, [sys.executable, "-m", "edged.doorway", *context.args])  # noqa: S606 - no shell is meant


@app.command("test")
def pulse(
    config: ConfigOption = DEFAULT_CONFIG,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask: the door WILL be unlocked.")] = False,
    as_json: JsonLinesOption = False,
) -> None:
    """Unlock the door once for its configured time, and check that it is locked again.

    With door.socket the door process is asked, and whoever reads records it. Without, the daemon must not
    run, since the lock line has one owner: a door process is started for this pulse, which ends it whatever
    becomes of this command, and it is recorded in the journal.
    """
    from edged.config.loading import load

    loaded = load(config)
    settings = loaded.door
    _confirm(f"This unlocks the door for {settings.unlock_seconds:g} s. Go on?", yes=yes)
    if settings.socket is not None:
        _ask_for_a_pulse(settings.socket, settings.unlock_seconds, as_json=as_json)
        return
    from edged.workers.door_trial import pulse_once

    _end_on_signals()
    began_at = time.monotonic()

    def claimed(name: str) -> None:
        nonlocal began_at
        began_at = time.monotonic()
        _say(as_json, f"{name}: claimed, secure", state="claimed", lock=name)

    def show(change: "DoorChange") -> None:
        after = change.at - began_at
        _say(as_json, f"{after:8.3f} s  {change.state}", state=change.state, after_seconds=round(after, 3))

    pulse_once(loaded, claimed, show)
    _say(as_json, "The line is secure.", state="secure")


@app.command()
def safe(config: ConfigOption = DEFAULT_CONFIG, as_json: JsonLinesOption = False) -> None:
    """Claim the lock line, drive it to its secure level, and let it go.

    For the service manager, after the daemon has ended in whatever way (ExecStopPost). Only door.lock is
    read of the configuration, so a mistake elsewhere does not matter. A line that is still in use is an
    error: its owner decides then. So is one that a fire has opened, where there is no door.socket: see
    edged door reset.
    """
    from edged.config.loading import load_lock
    from edged.devices.lock_factory import open_lock
    from edged.errors import LockError

    wanted = load_lock(config)
    if _fire_has_opened(config):
        raise LockError("a fire has opened the door: its line is let be until edged door reset")
    with open_lock(wanted) as lock:
        name = lock.name
    _say(as_json, f"{name}: secured", state="secure", lock=name)


@app.command()
def reset(config: ConfigOption = DEFAULT_CONFIG, as_json: JsonLinesOption = False) -> None:
    """End an emergency: lock the door again after a fire alarm, once its input is quiet.

    The door process is asked, by door.socket; without, the one that edged run has started. Where none runs,
    the line is claimed and the latch of the fire cleared, so that the next start does not open the door.
    """
    from edged.config.loading import load, load_door

    path = load_door(config).socket
    if path is None:
        from edged.doorway.reset import reset as reset_here
        from edged.workers.door_child import door_state

        loaded = load(config)
        reset_here(loaded.door, door_state(loaded))
    else:
        from edged.doorway.visitor import visit

        with visit(path) as visitor:
            visitor.reset()
    _say(as_json, "There is no emergency.", state="reset")


def _fire_has_opened(config: Path) -> bool:
    """Whether the latch of a door without a socket says so; that of a service lies in a folder of its own."""
    from edged.config.loading import load
    from edged.doorway.latch import in_emergency
    from edged.errors import ConfigError
    from edged.workers.door_child import door_state

    try:
        loaded = load(config)
    except ConfigError:  # then nobody knows where, and a line that may be open is to be shut
        return False
    return loaded.door.socket is None and in_emergency(door_state(loaded))


def _ask_for_a_pulse(path: Path, unlock_seconds: float, *, as_json: bool) -> None:
    from edged.doorway.visitor import visit

    began_at = time.monotonic()

    def show(state: str) -> None:
        after = time.monotonic() - began_at
        _say(as_json, f"{after:8.3f} s  {state}", state=state, after_seconds=round(after, 3))

    with visit(path) as visitor:
        visitor.pulse(unlock_seconds, show)
    _say(as_json, "The line is secure.", state="secure")


def _confirm(question: str, *, yes: bool) -> None:
    if yes:
        return
    if not sys.stdin.isatty():
        raise typer.BadParameter("there is no terminal to confirm on: say --yes", param_hint="--yes")
    typer.confirm(question, abort=True, err=True)


def _end_on_signals() -> None:
    """Let a lost terminal or a kill end the program the orderly way: the line is secured on the way out."""

    def end(number: int, _frame: object) -> None:
        sys.exit(128 + number)

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGHUP, end)


def _say(as_json: bool, text: str, **fields: str | float) -> None:
    typer.echo(json.dumps(fields) if as_json else text)
