"""One event as a row, its checksum, and its place in the chain.

``checksum`` is the CRC-32 of the row's canonical text: it tells a worn card from an altered chain.
``digest`` is SHA-256 over the digest of the row before and the same text, so that a row cannot be
taken out, moved or altered without every later digest changing.
"""

import hashlib
import json
import math
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

from edged.domain.types import Event, EventKind, Gate, StoredEvent
from edged.errors import StoreCorruptError, StoreError

# A row of whatever table holds events; ``COLUMNS`` reads it.
EVENT_COLUMNS = """
    seq INTEGER PRIMARY KEY,
    event_id TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    occurred_at REAL NOT NULL,
    monotonic_at REAL NOT NULL,
    boot_id TEXT NOT NULL,
    time_synced INTEGER NOT NULL,
    person_id TEXT,
    body TEXT NOT NULL,
    trace TEXT NOT NULL,
    checksum INTEGER NOT NULL,
    digest BLOB NOT NULL"""
COLUMNS = (
    "e.seq, e.event_id, e.kind, e.occurred_at, e.monotonic_at, e.boot_id, e.time_synced, e.person_id,"
    " e.body, e.trace, e.checksum, e.digest"
)
# The columns that the checksum and the digest cover: all but these two themselves, and the seq.
_COVERED = slice(1, 10)
_TEXT_OR_NONE = (str, type(None))
_TYPES: tuple[type | tuple[type, ...], ...] = (str, str, float, float, str, int, _TEXT_OR_NONE, str, str)


def encode(event: Event) -> tuple[Any, ...]:
    """Return the covered columns of ``event``.

    Raises ``StoreError`` where the body is not JSON or a time is not finite.
    """
    trace = [_step(gate) for gate in event.trace]
    times = event.occurred_at, event.monotonic_at
    try:
        if not all(math.isfinite(time) for time in times):
            raise ValueError(f"times {times}")  # noqa: TRY301 - one message for all that is not JSON
        body, steps = _json(event.body), _json(trace)
        # Half a surrogate pair, out of a file's name perhaps, is text in Python alone.
        f"{event.event_id}{event.boot_id}{event.person_id}{body}{steps}".encode()
    except (ValueError, TypeError) as exc:
        raise StoreError(f"event {event.event_id}: expected JSON values, got {str(exc)[:200]}") from exc
    # Adding zero turns -0.0 into 0.0, which is what SQLite gives back.
    return (
        event.event_id, event.kind.value, float(times[0]) + 0.0, float(times[1]) + 0.0, event.boot_id,
        int(event.time_synced), event.person_id, body, steps,
    )  # fmt: skip


def checksum(epoch: str, seq: int, covered: Sequence[Any]) -> int:
    """Return the CRC-32 of a row."""
    return zlib.crc32(_canonical(epoch, seq, covered))


def digest(previous: bytes, epoch: str, seq: int, covered: Sequence[Any]) -> bytes:
    """Return the SHA-256 that chains a row to the one before."""
    return hashlib.sha256(previous + _canonical(epoch, seq, covered)).digest()


def covered_columns(row: Sequence[Any]) -> Sequence[Any]:
    """Return what checksum and digest cover of a row of ``COLUMNS``."""
    return row[_COVERED]


def decode(epoch: str, row: Sequence[Any]) -> StoredEvent:
    """Return the event of a row of ``COLUMNS``. Raises ``StoreCorruptError`` naming its seq."""
    seq, covered = row[0], covered_columns(row)
    if checksum(epoch, seq, covered) != row[10] or not isinstance(row[11], bytes):
        raise StoreCorruptError(f"event number {seq}: the row fails its checksum")
    return stored(epoch, seq, covered, row[11])


def stored(epoch: str, seq: int, covered: Sequence[Any], row_digest: bytes) -> StoredEvent:
    """Return the event of columns that were checked or just made. Raises ``StoreCorruptError``.

    A right checksum says that a row is as it was written, not that this program wrote it.
    """
    try:
        return StoredEvent(epoch, seq, _event(covered), row_digest.hex())
    except (ValueError, TypeError, RecursionError) as exc:
        raise StoreCorruptError(f"event number {seq}: what the row holds is no event") from exc


def is_storable(covered: Sequence[Any]) -> bool:
    """Whether a journal takes covered columns. What they say is not asked: a newer version knows more."""
    try:
        _check_columns(covered)
    except (ValueError, TypeError):
        return False
    return True


def _check_columns(covered: Sequence[Any]) -> None:
    for value, kinds in zip(covered, _TYPES, strict=True):
        if not isinstance(value, kinds):
            raise TypeError(f"a column of type {type(value).__name__}")
        if isinstance(value, str):
            value.encode()  # a damaged text is read with surrogates in it
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError("a time that is not finite")


def _event(covered: Sequence[Any]) -> Event:
    _check_columns(covered)
    event_id, kind, occurred_at, monotonic_at, boot_id, time_synced, person_id, body, trace = covered
    content = json.loads(body)
    if not isinstance(content, dict):
        raise TypeError("a body that is no mapping")
    return Event(
        event_id=event_id,
        kind=EventKind(kind),
        occurred_at=occurred_at,
        monotonic_at=monotonic_at,
        boot_id=boot_id,
        time_synced=bool(time_synced),
        person_id=person_id,
        body=content,
        trace=tuple(Gate(*gate) for gate in json.loads(trace)),
    )


def _canonical(epoch: str, seq: int, covered: Sequence[Any]) -> bytes:
    # Columns as they stand in the row, bodies as text: nothing is parsed before it is checked.
    # A damaged row may hold anything, so what is not JSON is spelt out.
    return json.dumps([epoch, seq, *covered], separators=(",", ":"), default=repr).encode("ascii")


def _json(value: Mapping[str, Any] | list[Any]) -> str:
    return json.dumps(value, separators=(",", ":"), sort_keys=True, ensure_ascii=False, allow_nan=False)


def _step(gate: Gate) -> list[Any]:
    """Return a gate as JSON; of whom its value tells only where it tells of somebody."""
    step = [gate.name, _number(gate.value), _number(gate.limit), bool(gate.passed)]
    return step if gate.who is None else [*step, gate.who]


def _number(value: object) -> float | str | None:
    """Return a gate's value as JSON; numpy's numbers too, and what is not finite as a word."""
    if value is None or isinstance(value, str):
        return value
    number = float(value)  # type: ignore[arg-type]
    return number if math.isfinite(number) else str(number)
