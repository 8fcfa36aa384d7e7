"""A daemon of toy workers, run as a process of its own: ``toy_daemon.py KIND``."""

import logging
import os
import sys
import threading
from pathlib import Path

from edged.workers.supervisor import Supervisor
from edged.workers.worker import Worker


class Toy(Worker):
    """Beats for some turns and then does what ``kind`` says."""

    def __init__(self, name: str, kind: str, *, daemon: bool = False) -> None:
        super().__init__(name, daemon=daemon)
        # Of those that are to go on a busy machine holds up one or the other for a while.
        self.stall_seconds = 0.8 if kind == "steady" else 0.3
        self.kind = kind
        self.turns = 0

    def run(self) -> None:
        while not self.stopping.wait(0.02):
            self.turns += 1
            self.beat()
            if self.turns > 25:
                self.misbehave()
                if self.kind == "return":
                    return

    def misbehave(self) -> None:
        if self.kind == "crash":
            raise ValueError("boom")
        if self.kind == "hang":
            self.stopping.wait(60)
        if self.kind in ("deaf", "hard"):
            threading.Event().wait(100)


def main() -> int:
    kind, trace = sys.argv[1], Path(sys.argv[2])
    logging.basicConfig(level=logging.DEBUG)

    def note(text: str) -> None:
        with trace.open("a") as file:
            file.write(f"{text}\n")

    def close() -> None:
        note("closed")
        if kind == "hard":
            threading.Event().wait(60)

    supervisor = Supervisor(
        first_on_stop=lambda: note("secured"),
        on_reload=lambda: note("reloaded"),
        status=lambda: f"toys of {os.getpid()}",
        tick_seconds=0.05,
        stop_seconds=0.5,
    )
    supervisor.add(Toy("steady", "steady"))
    supervisor.add(Toy("odd", kind, daemon=kind == "hard"))
    supervisor.after_stop("store", close)
    supervisor.start()
    return supervisor.run_until_stopped()


if __name__ == "__main__":
    sys.exit(main())
