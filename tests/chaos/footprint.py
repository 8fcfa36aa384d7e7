"""What a process holds: memory, descriptors, threads, as proc(5) tells it."""

import os
import time
from dataclasses import dataclass, fields
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Footprint:
    """Of one process at ``at``, monotonic seconds; ``rss`` in MB."""

    at: float
    rss: float
    descriptors: float
    threads: float


# What has to be gained before it is called a leak; memory is handed out in arenas of a megabyte and more.
LEAST = {"rss": 2.0, "descriptors": 1.0, "threads": 1.0}
FIGURES = tuple(each.name for each in fields(Footprint))[1:]


def footprint(pid: int) -> Footprint:
    """Look at a process. Raises ``OSError`` where it is gone."""
    root = Path(f"/proc/{pid}")
    pages = int((root / "statm").read_text().split()[1])
    return Footprint(
        time.monotonic(),
        pages * os.sysconf("SC_PAGE_SIZE") / 1e6,
        len(os.listdir(root / "fd")),  # noqa: PTH208 - names alone, of what may be gone by then
        len(os.listdir(root / "task")),  # noqa: PTH208
    )
