"""The recorded timeline of a lock line: when it stood open, and for how long beyond what is safe."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

# As in the rows of the table: what a pulse may last beyond its configured time.
GRACE_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Opening:
    """The line stood open from ``began_at`` to ``ended_at``, monotonic seconds; None: it still does."""

    began_at: float
    ended_at: float | None

    def seconds(self, now: float) -> float:
        """Return how long it lasted, or has lasted until ``now``."""
        return (now if self.ended_at is None else self.ended_at) - self.began_at


def openings(samples: Sequence[tuple[float, bool]]) -> list[Opening]:
    """Return the spans in which the line was open; ``samples`` are times and whether it was driven open."""
    found: list[Opening] = []
    began_at: float | None = None
    for at, is_open in samples:
        if is_open and began_at is None:
            began_at = at
        elif not is_open and began_at is not None:
            found.append(Opening(began_at, at))
            began_at = None
    return found if began_at is None else [*found, Opening(began_at, None)]


def unsafe_ms(found: Sequence[Opening], pulse_seconds: float, now: float) -> int:
    """Return the milliseconds, rounded up, for which the line stood open beyond its pulse and 50 ms."""
    allowed = pulse_seconds + GRACE_SECONDS
    return sum(math.ceil(1000 * max(0.0, one.seconds(now) - allowed)) for one in found)


def samples_of(path: Path, line: int, *, active_low: bool) -> list[tuple[float, bool]]:
    """Read the timeline that ``edged.devices.folder_gpio`` has written of one line."""
    if not path.exists():
        return []
    rows = [json.loads(row) for row in path.read_bytes().splitlines(keepends=True) if row.endswith(b"\n")]
    return [(row["at"], row["high"] != active_low) for row in rows if row["line"] == line]
