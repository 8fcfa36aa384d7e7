"""How long an event takes to the disk."""

import os
import tempfile
import time
from pathlib import Path

from edged.config.sections import JournalConfig
from edged.domain.types import EventKind, Outcome, Reason
from edged.errors import StoreError
from edged.storage.journal import Journal
from edged.storage.journal_recovery import plain_event

# As large as a door's own: what a decision was taken by is kept with it.
_BODY = {
    "outcome": Outcome.DENY.value, "reason": Reason.MATCHED.value, "model": "bench", "frames": 5,
    "score": 0.512, "threshold": 0.418, "margin": 0.231, "quality": 0.93, "track": "0" * 26,
}  # fmt: skip
# A card that needs 50 ms for each is known well enough by then.
_MOST_SECONDS, _LEAST_APPENDS = 15.0, 10


def time_appends(beside: Path, rounds: int) -> list[float]:
    """Return the seconds of each of ``rounds`` events, from the request until it is on the disk.

    A journal of its own is made, and removed, on the disk of ``beside``, a path that may be absent; SQLite
    writes with ``synchronous=FULL`` as at a door. A slow disk is asked less often. Raises ``StoreError``.
    """
    home = next((one for one in beside.absolute().parents if one.is_dir()), Path("/"))
    if not os.access(home, os.W_OK):
        raise StoreError(f"{home}: cannot be written to, so how long the journal takes there is not known")
    taken: list[float] = []
    with tempfile.TemporaryDirectory(prefix=".edged-bench-", dir=home) as folder:
        journal = Journal.open(JournalConfig(path=Path(folder) / "journal.db"))
        try:
            until = time.monotonic() + _MOST_SECONDS
            while len(taken) < rounds and (len(taken) < _LEAST_APPENDS or time.monotonic() < until):
                event = plain_event(EventKind.ACCESS, _BODY)
                started = time.perf_counter()
                journal.submit([event]).result()
                taken.append(time.perf_counter() - started)
        finally:
            journal.close()
    return taken
