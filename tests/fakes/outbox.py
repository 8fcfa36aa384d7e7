"""An outbox in memory that obeys the journal's rules: gapless seqs, idempotent removal, thread-safe."""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ulid import ULID

from edged.domain.types import Event, EventKind, StoredEvent
from edged.errors import StoreError
from edged.storage.journal_replay import Recorded

EPOCH = "0123456789abcdef"


@dataclass(frozen=True, slots=True)
class FakeOutboxState:
    rows: int
    oldest_occurred_at: float | None
    quarantined: int


def event(
    kind: EventKind = EventKind.ACCESS,
    body: Mapping[str, Any] | None = None,
    *,
    monotonic_at: float = 1.0,
    occurred_at: float = 1_800_000_000.0,
    boot_id: str = "boot-1",
    person_id: str | None = "p1",
) -> Event:
    return Event(
        str(ULID()),
        kind,
        occurred_at,
        monotonic_at,
        boot_id,
        True,
        person_id,
        body or {"decision": "granted"},
    )


class FakeOutbox:
    """``down`` makes every call fail as a full or dead disk does; ``removed`` keeps the order of removal."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rows: dict[int, StoredEvent] = {}
        self._seq = 0
        self._journal: dict[int, StoredEvent] = {}
        self.epoch = EPOCH
        self.quarantined: dict[int, str] = {}
        self.removed: list[int] = []
        self.down = False
        self.asked: list[int] = []
        self._aside: dict[int, StoredEvent] = {}

    def add(self, *events: Event) -> list[StoredEvent]:
        with self._lock:
            stored = []
            for one in events:
                self._seq += 1
                stored.append(StoredEvent(EPOCH, self._seq, one, f"{self._seq:064x}"))
                self._rows[self._seq] = self._journal[self._seq] = stored[-1]
            return stored

    def pending(self, after_seq: int, limit: int) -> list[StoredEvent]:
        self._check()
        with self._lock:
            return [self._rows[seq] for seq in sorted(self._rows) if seq > after_seq][:limit]

    def prune(self, upto: int) -> None:
        """Forget the oldest events, as the journal does to make room."""
        with self._lock:
            for seq in range(1, upto + 1):
                self._journal.pop(seq, None)

    def recorded(self, after_seq: int, upto: int | None, limit: int) -> Recorded:
        self._check()
        with self._lock:
            last = self._seq if upto is None else min(upto, self._seq)
            rows = [self._journal[seq] for seq in sorted(self._journal) if after_seq < seq <= last][:limit]
            reached = rows[-1].seq if len(rows) == limit else max(after_seq, last)
            oldest = min(self._journal, default=self._seq + 1)
            gone = reached - after_seq - len(rows)
            return Recorded(self.epoch, oldest, self._seq, reached, tuple(rows), 0, gone)

    def delivered(self, seqs: Sequence[int]) -> None:
        self._check()
        with self._lock:
            self.removed += [seq for seq in seqs if self._rows.pop(seq, None) is not None]

    def quarantine(self, seq: int, reason: str) -> None:
        self._check()
        with self._lock:
            row = self._rows.pop(seq, None)
            if row is not None:
                self._aside[seq] = row
                self.quarantined[seq] = reason

    def put_back_asked(self) -> list[int]:
        self._check()
        with self._lock:
            moved, self.asked = self.asked, []
            for seq in moved:
                self._rows[seq] = self._aside.pop(seq)
                del self.quarantined[seq]
            return moved

    def outbox(self) -> FakeOutboxState:
        self._check()
        with self._lock:
            oldest = self._rows[min(self._rows)].event.occurred_at if self._rows else None
            return FakeOutboxState(len(self._rows), oldest, len(self.quarantined))

    def _check(self) -> None:
        if self.down:
            raise StoreError("disk I/O error")
