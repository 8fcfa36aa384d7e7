"""A process that records events without pause and prints the seq of each once it is acknowledged."""

import sys
from itertools import count
from pathlib import Path

from edged.config.sections import JournalConfig
from edged.domain.types import Event, EventKind
from edged.storage.journal import Journal


def main(path: Path) -> None:
    journal = Journal.open(JournalConfig(path=path))
    for number in count():
        event = Event(
            event_id=f"{journal.epoch}-{path.stat().st_ino}-{sys.argv[2]}-{number}",
            kind=EventKind.ACCESS,
            occurred_at=float(number),
            monotonic_at=0.0,
            boot_id=sys.argv[2],
            time_synced=True,
            body={"decision": "denied"},
        )
        (stored,) = journal.submit([event]).result()
        sys.stdout.write(f"{stored.seq} {event.event_id}\n")
        sys.stdout.flush()
        if number % 3 == 0:
            journal.delivered([stored.seq])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
