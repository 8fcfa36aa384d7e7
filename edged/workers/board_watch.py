"""Let a scrape see the board as it is at that moment."""

import math
from pathlib import Path

from edged.devices.board import Board, free_bytes, size_bytes
from edged.devices.clock import Clock
from edged.metrics import Metrics


def watch_board(metrics: Metrics, clock: Clock, board: Board, folder: Path) -> None:
    """Tie the board's gauges to ``board``, ``clock`` and the disk that holds ``folder``.

    They are read when somebody looks: a value that was set once would hide a clock that came right later.
    """
    metrics.clock_synced.set_function(lambda: math.nan if (word := clock.word()) is None else float(word))
    metrics.temperature.set_function(board.temperature)
    metrics.throttled.set_function(board.throttled)
    metrics.storage_free.set_function(lambda: free_bytes(folder))
    metrics.storage_size.set_function(lambda: size_bytes(folder))
