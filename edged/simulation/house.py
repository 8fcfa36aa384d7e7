"""A process full of doors: Python runs one thread at a time, so a fleet needs several."""

import multiprocessing
import os
import resource
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from edged.config.sections import MqttConfig
from edged.errors import FleetError
from edged.fleet.joining import Invitation
from edged.simulation.door import SimulatedDoor

_ANSWER_SECONDS = 120.0
# Fifty doors in a process: one thread for the algebra of each, and no memory pool for every thread.
_ENVIRONMENT = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2"}


@dataclass(frozen=True, slots=True)
class HouseReport:
    """What the doors of one process have used: ``cpu`` seconds, ``received`` bytes, ``rss`` in kB.

    ``faults`` counts the pages of memory that the system had to give or to map.
    """

    cpu: float
    faults: int
    received: int
    rss: int
    refusals: tuple[str, ...]
    people: dict[str, int]


class House:
    """A child process. Its doors run until ``close``."""

    def __init__(self, doors: Sequence[tuple[Path, Invitation]], broker: MqttConfig) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, list(doors), broker), daemon=True)
        with _environment():
            self._process.start()
        theirs.close()
        self._ask("ready")

    def report(self) -> HouseReport:
        """Return what was used since the start."""
        report: HouseReport = self._ask("report")
        return report

    def stop_door(self, name: str) -> None:
        """Switch a door off."""
        self._ask("stop", name)

    def start_door(self, name: str) -> None:
        """Switch it on again: it has what lies on its disk."""
        self._ask("start", name)

    def close(self) -> None:
        """End all doors, and the process. What was measured is not lost where they do not answer any more."""
        with suppress(FleetError, OSError):
            self._ask("quit")
        self._process.join(10)
        if self._process.is_alive():
            self._process.kill()

    def _ask(self, *words: str) -> Any:
        self._pipe.send(words)
        if not self._pipe.poll(_ANSWER_SECONDS):
            raise FleetError(f"the simulated doors do not answer to {words[0]!r}")
        try:
            return self._pipe.recv()
        except EOFError as exc:
            raise FleetError("the simulated doors have died") from exc


@contextmanager
def _environment() -> Iterator[None]:
    before = dict(os.environ)
    os.environ.update(_ENVIRONMENT)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _serve(pipe: Connection, doors: list[tuple[Path, Invitation]], broker: MqttConfig) -> None:
    folders = {invitation.door: (folder, invitation) for folder, invitation in doors}
    running = {
        name: SimulatedDoor(folder, invitation, broker) for name, (folder, invitation) in folders.items()
    }
    for door in running.values():
        door.start()
    while True:
        word, *rest = pipe.recv()
        if word == "stop":
            running.pop(rest[0]).stop()
        elif word == "start":
            running[rest[0]] = SimulatedDoor(*folders[rest[0]], broker)
            running[rest[0]].start()
        if word == "quit":
            for door in running.values():
                door.member.stop()
            for door in running.values():
                door.stop()
            pipe.send(None)
            return
        pipe.send(_report(running) if word == "report" else None)


def _report(running: dict[str, SimulatedDoor]) -> HouseReport:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return HouseReport(
        cpu=time.process_time(),
        faults=used.ru_minflt,
        received=sum(door.channel.received_bytes for door in running.values()),
        rss=used.ru_maxrss,
        refusals=tuple(f"{name}: {text}" for name, door in running.items() for text in door.refusals),
        people={name: len(door.gallery.current.snapshot.people) for name, door in running.items()},
    )
