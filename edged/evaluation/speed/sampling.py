"""Where a thread's time goes: its stack looked at again and again from another thread."""

import sys
import threading
import time
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from types import FrameType

# A thousand looks a second tell a stage of a tenth of a millisecond a frame from none within a second.
_PAUSE_SECONDS = 0.001
# Python lets another thread look after 5 ms only, which is longer than most of a frame's stages.
_SWITCH_SECONDS = 0.0001

# Calls from the outermost to the innermost, each ``module.function``, and how often they were seen.
Stacks = Counter[tuple[str, ...]]


@contextmanager
def sampled_stacks(leave_out: Collection[str] = ()) -> Iterator[Stacks]:
    """Count the calling thread's stacks while the block lasts, without calls of modules ``leave_out``.

    Only what is inside the block counts. Time in onnxruntime, OpenCV and NumPy is that of the function that
    called them.
    """
    stacks: Stacks = Counter()
    ended = threading.Event()
    mine, depth = threading.get_ident(), _depth(sys._getframe())  # noqa: SLF001 - there is no other way
    watcher = threading.Thread(
        target=_watch,
        args=(mine, depth, stacks, ended, frozenset(leave_out)),
        name="edged-sampler",
        daemon=True,
    )
    before = sys.getswitchinterval()
    sys.setswitchinterval(_SWITCH_SECONDS)
    watcher.start()
    try:
        yield stacks
    finally:
        ended.set()
        watcher.join()
        sys.setswitchinterval(before)


def _watch(
    thread: int, depth: int, stacks: Stacks, ended: threading.Event, leave_out: frozenset[str]
) -> None:
    while not ended.is_set():
        time.sleep(_PAUSE_SECONDS)
        frame = sys._current_frames().get(thread)  # noqa: SLF001 - as above
        names = _names(frame, depth, leave_out)
        if names and not ended.is_set():
            stacks[names] += 1


def _names(frame: FrameType | None, depth: int, leave_out: frozenset[str]) -> tuple[str, ...]:
    found: list[tuple[str, str]] = []
    while frame is not None:
        found.append((str(frame.f_globals.get("__name__", "?")), frame.f_code.co_qualname))
        frame = frame.f_back
    inner = found[::-1][depth:]
    return tuple(f"{module}.{function}" for module, function in inner if module not in leave_out)


def _depth(frame: FrameType | None) -> int:
    """Return how many calls lie around what the block calls; ``frame`` and ``contextlib`` are not of them."""
    count = 0
    while frame is not None:
        count += 1
        frame = frame.f_back
    return count - 2
