"""How long somebody stands before the door: from the first usable face to the lock line.

Measured on the whole program. What it says of a visit is in its journal, when the line moved is in the trace
of its lock; both go by one monotonic clock.
"""

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edged.domain.types import EventKind, StoredEvent
from edged.errors import EvaluationError
from edged.evaluation.live_door import JOURNAL, TRACE, enrol, running, write_door
from edged.evaluation.scene import Visit, write_scene
from edged.storage.journal_reader import JournalReader

FPS = 15.0
# Two seconds before the door; then long enough for every track to end.
_VISIT_FRAMES, _GAP_FRAMES = 30, 38
_SPARE_SECONDS = 60.0
# People come with photographs that were not enrolled.
_SHOWN = 2


@dataclass(frozen=True, slots=True)
class Latency:
    """Milliseconds from the first usable face to the lock line, over those of ``visits`` that were let in.

    ``decided_ms_p50`` is how much of it is over when the decision is put on record.
    """

    visits: int
    granted: int
    p50_ms: float
    p95_ms: float
    longest_ms: float
    decided_ms_p50: float


def decision_latency(
    people: Mapping[str, Sequence[Path]],
    folder: Path,
    *,
    rounds: int,
    sections: Mapping[str, Any] | None = None,
) -> Latency:
    """Let everybody of ``people`` come to a door ``rounds`` times; ``sections`` add to its configuration.

    Raises ``EvaluationError`` where nobody was let in.
    """
    visits = [Visit(photos[-_SHOWN:]) for _ in range(rounds) for photos in people.values()]
    shutil.rmtree(folder / "scene", ignore_errors=True)
    frames = write_scene(visits, folder / "scene", frames_a_visit=_VISIT_FRAMES, gap_frames=_GAP_FRAMES)
    source = {"type": "folder", "path": "scene", "fps": FPS}
    # People follow each other faster than at a door.
    write_door(folder, source, {"decision": {"cooldown_seconds": 1.0}, **(sections or {})})
    for name, photos in people.items():
        (folder / "people" / name).mkdir(parents=True, exist_ok=True)
        for photo in photos[:-_SHOWN]:
            shutil.copy(photo, folder / "people" / name)
    enrol(folder, folder / "people")
    with running(folder, "--until-end") as door:
        door.wait(frames / FPS + _SPARE_SECONDS)
    return _latency(folder, len(visits))


def _latency(folder: Path, visits: int) -> Latency:
    changes = [json.loads(line) for line in (folder / TRACE).read_text(encoding="utf-8").splitlines()]
    opened = [float(change["monotonic_at"]) for change in changes if change["state"] == "unlocked"]
    with JournalReader.open(folder / JOURNAL) as journal:
        events = [stored.event for stored in journal.events() if _is_grant(stored)]
    return told([(one.monotonic_at, float(one.body["latency_ms"])) for one in events], opened, visits=visits)


def told(grants: Sequence[tuple[float, float]], opened: Sequence[float], *, visits: int) -> Latency:
    """Hold each grant, made at a monotonic second so many ms after the first face, against the line.

    ``opened`` are the monotonic seconds at which that moved; a move answers the newest grant before it.
    Raises ``EvaluationError`` where none was answered.
    """
    ends = [*[decided for decided, _ in grants[1:]], float("inf")]
    found = [
        (before, before + (line - decided) * 1000)
        for (decided, before), end in zip(grants, ends, strict=False)
        for line in opened
        if decided <= line < end
    ]
    if not found:
        raise EvaluationError(f"none of {visits} visits was let in, so there is no time to tell")
    decided_ms, total = np.array(found).T
    p50, p95 = np.percentile(total, [50, 95])
    return Latency(
        visits,
        len(found),
        round(float(p50), 1),
        round(float(p95), 1),
        round(float(total.max()), 1),
        round(float(np.median(decided_ms)), 1),
    )


def _is_grant(stored: StoredEvent) -> bool:
    return stored.event.kind is EventKind.ACCESS and stored.event.body.get("decision") == "granted"
