"""A camera that is lost and found again leaves nothing behind: no thread, no descriptor, no child."""

import gc
import os
from pathlib import Path

import pytest

from tests.chaos.footprint import footprint
from tests.chaos.reconnects import cycle

# numpy and OpenCV have their pools by then; what one of a thousand cycles leaves is a megabyte of the rest.
_SETTLED = 0.3
_MORE_MB = 8.0
# A test runs in a process that has run others. What leaks, leaks once a cycle.
_FEW = 4


def _children() -> set[str]:
    return set(Path(f"/proc/self/task/{os.getpid()}/children").read_text().split())


@pytest.mark.parametrize(("kind", "cycles"), [("fake", 1000), ("command", 150), ("silent", 12)])
def test_reconnects_leave_nothing_behind(kind: str, cycles: int, tmp_path: Path) -> None:
    cycle(kind, 3, tmp_path)  # what is loaded at the first use is no leak
    children = _children()  # of tests before this one, such as multiprocessing's own helper
    gc.collect()
    before = footprint(os.getpid())
    held = cycle(kind, cycles, tmp_path)
    gc.collect()
    after = footprint(os.getpid())
    assert after.descriptors - before.descriptors < _FEW
    assert after.threads - before.threads < _FEW
    settled = held[int(len(held) * _SETTLED)]
    assert after.rss - settled.rss < _MORE_MB
    # While it goes on: one thread that waits, one that reads, and no pile of what came before.
    assert max(one.threads for one in held) - before.threads <= 6
    assert _children() <= children
