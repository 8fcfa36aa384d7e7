"""``edged run``: the daemon."""

import gc
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
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
    stops = _EarlyStops()
    with stops.held():
        from edged import logs
        from edged.config import load

        loaded = load(config)
        logs.configure(loaded.logging)
    with ExitStack() as beginning:
        with stops.held():
            door = _begun(loaded, beginning, stops)
            # Modules are never garbage. To look at them again and again costs a tenth of a start, and later
            # a pause of 20 ms on x86-64, several times that on a board, whenever all objects are looked
            # through.
            gc.disable()
            # After the check, which need not wait for the time that all parts of a door take to import.
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
        if door is not None:
            door.leaves = lambda: daemon.supervisor.fails
        stops.hand_over(daemon.supervisor.request_stop)
        beginning.pop_all()
    sys.exit(daemon.run())


class _EarlyStops:
    """Hears SIGTERM and Ctrl-C until the daemon answers them; a stop is never lost, whatever it interrupts.

    While models load, it unwinds what was built, the lock last. An exception out of a signal's handler breaks
    an import, or is swallowed where it comes in the midst of one, so there it waits for the end.
    """

    def __init__(self) -> None:
        self._asked: list[int] = []
        self._holding = False
        self._stop: Callable[[], None] | None = None
        # A reload has nothing to reload yet, and its default is to end the process.
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._hear)

    @property
    def asked(self) -> bool:
        """Whether a stop was asked for."""
        return bool(self._asked)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hear of a stop now and obey it at the end; a second one is obeyed at once."""
        self._holding = True
        try:
            yield
        finally:
            self._holding = False
        self._obey()

    def hand_over(self, stop: Callable[[], None]) -> None:
        """Have ``stop`` called from now on, and for what was heard by now and came to nothing."""
        self._stop = stop
        if self._asked:
            stop()

    def _hear(self, number: int, _frame: object) -> None:
        self._asked.append(number)
        if self._stop is not None:
            self._stop()
        elif not self._holding or len(self._asked) > 1:
            self._obey()

    def _obey(self) -> None:
        if signal.SIGINT in self._asked:
            raise KeyboardInterrupt
        if self._asked:
            sys.exit(0)


def _begun(loaded: "Config", beginning: ExitStack, stops: _EarlyStops) -> "DoorChild | None":
    """Have the door's process, if there is one, claim the line while everything else is imported.

    A start that fails must not shut a door that a fire has opened; a stop that was asked for does.
    """
    from edged.workers.door_child import door_child

    child = door_child(loaded)
    if child is not None:
        child.leaves = lambda: not stops.asked
        beginning.callback(child.close)
        child.begin()
    return child
