"""Everybody on the same frames, in turns.

A few frames are one turn. In each round everybody has the same turn, in an order drawn anew, one at a time,
so that whatever else happens on the machine meets all alike, and the ratio of two contenders is taken turn
by turn. After a turn comes a pause, in which threads that still spin are counted apart.
"""

import random
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.peers.contender import Contender
from tests.peers.seat import PeerError, Seat, Usage

FRAMES_A_TURN = 10
# onnxruntime's threads spin for some tens of milliseconds after a run before they sleep.
_PAUSE_SECONDS = 0.1

Say = Callable[[str], None]
Step = Callable[[int, int], None]


@dataclass(slots=True)
class Times:
    """What one contender took.

    ``frame_ms`` are wall times of frames, ``turn_cpu_ms`` CPU milliseconds a frame of each turn,
    ``after_cpu_ms`` what its threads burnt in the pause after each turn, ``start_seconds`` from starting its
    process to its first vector.
    """

    frame_ms: list[float] = field(default_factory=list)
    turn_cpu_ms: list[float] = field(default_factory=list)
    after_cpu_ms: list[float] = field(default_factory=list)
    start_seconds: list[float] = field(default_factory=list)
    frames_without_face: int = 0
    usage: Usage | None = None
    versions: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Entrants:
    """``seats`` and ``times`` of who runs, by name; ``out`` says of the others why not."""

    seats: dict[str, Seat] = field(default_factory=dict)
    times: dict[str, Times] = field(default_factory=dict)
    out: dict[str, str] = field(default_factory=dict)

    def drop(self, name: str, why: str) -> None:
        """Go on without ``name``."""
        seat = self.seats.pop(name, None)
        if seat is not None:
            seat.close()
        self.times.pop(name, None)
        self.out[name] = why

    def close(self) -> None:
        """End every process."""
        for seat in self.seats.values():
            seat.close()
        self.seats.clear()


def start(
    contenders: Sequence[Contender], first: Path, logs: Path, *, times: int, chance: random.Random, step: Step
) -> Entrants:
    """Start everybody ``times`` times, in turns; the processes of the last time stay.

    One more comes before and is not counted: it compiles every module, as an installation has them.
    """
    entrants = Entrants(out={one.name: why for one in contenders if (why := one.lacking()) is not None})
    for number in range(-1, times):
        ready = [one for one in contenders if one.name not in entrants.out]
        for done, contender in enumerate(chance.sample(ready, len(ready))):
            _start(entrants, contender, first, logs, counted=number >= 0)
            step((number + 1) * len(ready) + done + 1, (times + 1) * len(ready))
    return entrants


def _start(entrants: Entrants, contender: Contender, first: Path, logs: Path, *, counted: bool) -> None:
    earlier = entrants.seats.pop(contender.name, None)
    if earlier is not None:
        earlier.close()
    try:
        seat = Seat(contender, logs / f"{contender.name}.log")
        entrants.seats[contender.name] = seat
        seat.look([first])
    except PeerError as exc:
        entrants.drop(contender.name, str(exc))
        return
    took = entrants.times.setdefault(contender.name, Times())
    if counted:
        took.start_seconds.append(time.monotonic() - seat.began_at)
    took.versions = seat.versions


def race(entrants: Entrants, frames: Sequence[Path], *, chance: random.Random, step: Step) -> None:
    """Let everybody see all ``frames``, ``FRAMES_A_TURN`` at a time, after the first turn as a warm-up."""
    turns = [frames[at : at + FRAMES_A_TURN] for at in range(0, len(frames), FRAMES_A_TURN)]
    for number in range(-1, len(turns)):
        names = list(entrants.seats)
        for name in chance.sample(names, len(names)):
            try:
                _turn(entrants, name, turns[max(0, number)], counted=number >= 0)
            except PeerError as exc:
                entrants.drop(name, str(exc))
        step(number + 1, len(turns))
    for name, seat in entrants.seats.items():
        entrants.times[name].usage = seat.usage()


def _turn(entrants: Entrants, name: str, files: Sequence[Path], *, counted: bool) -> None:
    seat, took = entrants.seats[name], entrants.times[name]
    looks, cpu_ms = seat.look(files)
    ended = seat.usage().cpu_ms
    time.sleep(_PAUSE_SECONDS)
    after_ms = seat.usage().cpu_ms - ended
    if counted:
        took.frame_ms += [look.ms for look in looks]
        took.turn_cpu_ms.append(cpu_ms / len(files))
        took.after_cpu_ms.append(after_ms)
        took.frames_without_face += sum(look.vector is None for look in looks)


def start_seconds(times: Times) -> float:
    """Return the median of the starts."""
    return statistics.median(times.start_seconds)
