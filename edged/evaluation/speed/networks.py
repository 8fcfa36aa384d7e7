"""The time inside onnxruntime, so that what is left of a frame is edged's own."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import onnxruntime

# Every way in which a session runs a network and waits for it.
_RUNS = ("run", "run_with_iobinding", "run_with_ort_values")


@dataclass(slots=True)
class NetworkClock:
    """``seconds`` that networks have run since the clock was made, on all threads that call them."""

    seconds: float = 0.0


@contextmanager
def network_time() -> Iterator[NetworkClock]:
    """Count, while the block lasts, the time that any session's runs take.

    Measured from outside, so that a door pays nothing for it. Not for two blocks at once.
    """
    clock = NetworkClock()
    session = onnxruntime.InferenceSession
    before = {name: getattr(session, name) for name in _RUNS if hasattr(session, name)}
    for name, run in before.items():
        setattr(session, name, _counted(run, clock))
    try:
        yield clock
    finally:
        for name, run in before.items():
            setattr(session, name, run)


def _counted(run: Callable[..., Any], clock: NetworkClock) -> Callable[..., Any]:
    def counted(*args: Any, **kwargs: Any) -> Any:
        started = time.perf_counter()
        try:
            return run(*args, **kwargs)
        finally:
            clock.seconds += time.perf_counter() - started

    return counted
