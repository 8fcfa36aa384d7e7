"""``edged run``: the daemon."""

import signal
import sys
from typing import Annotated

import typer

from edged.cli.options import DEFAULT_CONFIG, ConfigOption


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
    # After the check, which need not wait for the half second that all parts of a door take to import.
    from edged.app import Daemon
    from edged.workers.first_compile import compile_unasked
    from edged.workers.listeners import Listeners

    def ready(_daemon: Daemon) -> None:
        compile_unasked(loaded, config)

    listeners = Listeners(on_ready=ready)
    sys.exit(Daemon(loaded, reload=lambda: load(config), until_end=until_end, listeners=listeners).run())
