"""``edged run``: the daemon."""

import gc
import signal
import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING, Annotated

import typer

from edged.cli.options import DEFAULT_CONFIG, ConfigOption

if TYPE_CHECKING:
    from edged.config import Config
    from edged.workers.door_child import DoorChild


def run(
    config: ConfigOption = DEFAULT_CONFIG,
    until_end: Annotated[
        bool, typer.Option("--until-end", help="Stop once a replay is over; a camera never is.")
    ] = False,
) -> None:
    """Watch the camera, decide, drive the lock, record and publish. Ends on SIGTERM or Ctrl-C.

    SIGHUP reads the configuration again, SIGUSR1 prints the stacks of all threads.
    """
    from edged import logs
    from edged.config import load

    # Until the daemon answers it, a reload has nothing to reload, and its default is to end the process.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    # A stop while models load unwinds what was built, the lock last.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    loaded = load(config)
    logs.configure(loaded.logging)
    with ExitStack() as beginning:
        door = _begun(loaded, beginning)
        # Modules are never garbage. To look at them again and again costs a tenth of a start, and later a
        # pause of 20 ms on x86-64, several times that on a board, whenever all objects are looked through.
        gc.disable()
        # After the check, which need not wait for the half second that all parts of a door take to import.
        from edged.app import Daemon
        from edged.workers.first_compile import compile_unasked
        from edged.workers.listeners import Listeners

        gc.freeze()
        gc.enable()

        def ready(_daemon: Daemon) -> None:
            compile_unasked(loaded, config)

        daemon = Daemon(
            loaded, reload=lambda: load(config), until_end=until_end, listeners=Listeners(on_ready=ready),
            door=door,
        )  # fmt: skip
        beginning.pop_all()
    sys.exit(daemon.run())


def _begun(loaded: "Config", beginning: ExitStack) -> "DoorChild | None":
    """Have the door's process, if there is one, claim the line while everything else is imported."""
    from edged.workers.door_child import door_child

    child = door_child(loaded)
    if child is not None:
        beginning.callback(child.close)
        child.begin()
    return child
