"""The payloads on the wire: JSON, version 1, parsed as strictly as they are written.

A person is an id and never a name, unless the operator asked for names. The state is retained by
the broker for whoever comes later, so it has no field a person could be told from.
"""

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, TypeVar

import msgspec
from msgspec import Meta

from edged.domain.types import EventKind, StoredEvent
from edged.errors import FleetError

# Far above any event of ours, far below what would hurt a small board.
MAX_PAYLOAD_BYTES = 262_144

_TIMESTAMP = r"^[0-9]{4}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-5][0-9]\.[0-9]{3}Z$"
Timestamp = Annotated[str, Meta(pattern=_TIMESTAMP)]
Token = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
Ulid = Annotated[str, Meta(pattern=r"^[0-7][0-9A-HJKMNP-TV-Z]{25}$")]
Word = Annotated[str, Meta(min_length=1, max_length=200)]
Whole = Annotated[int, Meta(ge=0, le=2**53 - 1)]  # JSON readers keep integers up to 2^53 exactly
Fact = bool | int | float | Annotated[str, Meta(max_length=200)] | None

Availability = Literal["online", "offline", "stopped"]
LockWord = Literal["locked", "unlocked", "fault", "unknown"]
LivenessWord = Literal["required", "advisory", "off"]
GestureWord = Literal["look_ahead", "turn_left", "turn_right"]
DoorWord = Literal["open", "shut", "held", "forced", "unknown"]
CameraWord = Literal["up", "down", "frozen", "blind", "ended", "unknown"]


class _Message(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    v: Literal[1] = 1


class EventMessage(_Message, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One journal row. ``epoch`` and ``seq`` show a collector its gaps, ``id`` its duplicates.

    ``ts`` is UTC and worth as much as ``time_synced`` says; ``mono_ms`` orders events of one
    ``boot_id``. ``historical`` marks what was stored before it was sent. On the wire the keys of
    ``body`` stand beside these.
    """

    id: Ulid
    epoch: Token
    seq: Annotated[int, Meta(ge=1, le=2**53 - 1)]
    boot_id: Token
    ts: Timestamp
    mono_ms: Whole
    time_synced: bool
    kind: EventKind
    historical: bool
    person_id: Annotated[str, Meta(min_length=1, max_length=200)] | None = None
    name: Annotated[str, Meta(max_length=200)] | None = None
    body: dict[str, Any] = {}


class StateMessage(_Message, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the door is now; no person data, since the broker keeps it.

    ``asks`` is what whoever stands there is asked to do, for a display beside the door; ``locked_down``:
    nobody is let in until a command releases the door. ``door`` is what its contact says, None without one;
    ``emergency``: the fire input released the lock. All of these are absent in what older versions sent.
    """

    lock: LockWord
    camera: CameraWord
    armed: bool
    time_synced: bool
    asks: GestureWord | None = None
    locked_down: bool = False
    door: DoorWord | None = None
    tampered: bool = False
    emergency: bool = False


class BirthMessage(_Message, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What runs at the door; ``models`` maps a task to a pack, ``config_digest`` tells drift.

    ``liveness`` is what a face's liveness means there; absent in what older versions sent.
    """

    boot_id: Token
    version: Word
    models: dict[str, Word]
    gallery_version: Whole
    config_digest: Annotated[str, Meta(max_length=128)]
    liveness: LivenessWord = "off"


class HealthMessage(_Message, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Vital signs. ``outbox_oldest`` is the time of the oldest event not yet delivered.

    ``facts`` are numbers and words of the moment, such as a frame age; never about a person.
    """

    boot_id: Token
    ts: Timestamp
    uptime_seconds: float
    outbox_rows: Whole
    outbox_oldest: Timestamp | None = None
    facts: dict[str, Fact] = {}


T = TypeVar("T")

_HEADER = frozenset(EventMessage.__struct_fields__) - {"body"}


def timestamp(seconds: float) -> str:
    """Return Unix ``seconds`` as RFC 3339 UTC with milliseconds.

    Raises ``FleetError`` outside the years 1 to 9999.
    """
    try:
        moment = datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError) as exc:
        raise FleetError(f"time {seconds!r}: expected Unix seconds") from exc
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def event_payload(stored: StoredEvent, name: str | None = None, *, historical: bool = False) -> bytes:
    """Return the JSON of one event; ``name`` only where the operator asked for names.

    Raises ``FleetError`` when the event cannot stand on the wire: such a row will never be sendable.
    """
    event = stored.event
    clash = sorted(_HEADER & event.body.keys())
    if clash:
        raise FleetError(f"event {event.event_id!r}: body may not hold {', '.join(clash)}")
    if not (math.isfinite(event.monotonic_at) and event.monotonic_at >= 0):
        raise FleetError(f"event {event.event_id!r}: monotonic time {event.monotonic_at!r} is no time")
    header: dict[str, Any] = {
        "v": 1,
        "id": event.event_id,
        "epoch": stored.epoch,
        "seq": stored.seq,
        "boot_id": event.boot_id,
        "ts": timestamp(event.occurred_at),
        "mono_ms": round(event.monotonic_at * 1000),
        "time_synced": event.time_synced,
        "kind": event.kind.value,
        "historical": historical,
        "person_id": event.person_id,
    }
    if name is not None:
        header["name"] = name[:200]
    _convert(header, EventMessage, "event")
    return _encode(header | dict(event.body), "event")


def parse_event(payload: bytes) -> EventMessage:
    """Return the event of a payload. Raises ``FleetError``."""
    fields = _fields(payload, "event")
    header = {key: value for key, value in fields.items() if key in _HEADER}
    body = {key: value for key, value in fields.items() if key not in _HEADER}
    return _convert({**header, "body": body}, EventMessage, "event")


def availability_payload(availability: Availability) -> bytes:
    """Return the plain word, as Home Assistant and its like expect it."""
    return availability.encode()


def parse_availability(payload: bytes) -> Availability:
    """Return the word of a payload. Raises ``FleetError``."""
    words: dict[bytes, Availability] = {b"online": "online", b"offline": "offline", b"stopped": "stopped"}
    if payload not in words:
        raise FleetError(f"availability: expected online, offline or stopped, got {payload[:60]!r}")
    return words[payload]


def state_payload(state: StateMessage) -> bytes:
    """Return the JSON of the state."""
    return _encode(state, "state")


def parse_state(payload: bytes) -> StateMessage:
    """Return the state of a payload. Raises ``FleetError``."""
    return _convert(_fields(payload, "state"), StateMessage, "state")


def birth_payload(birth: BirthMessage) -> bytes:
    """Return the JSON of the birth."""
    return _encode(birth, "birth")


def parse_birth(payload: bytes) -> BirthMessage:
    """Return the birth of a payload. Raises ``FleetError``."""
    return _convert(_fields(payload, "birth"), BirthMessage, "birth")


def health_payload(health: HealthMessage) -> bytes:
    """Return the JSON of the health."""
    return _encode(health, "health")


def parse_health(payload: bytes) -> HealthMessage:
    """Return the health of a payload. Raises ``FleetError``."""
    return _convert(_fields(payload, "health"), HealthMessage, "health")


def _encode(value: object, what: str) -> bytes:
    try:
        return msgspec.json.encode(value)
    except (msgspec.MsgspecError, TypeError, ValueError, RecursionError, OverflowError) as exc:
        raise FleetError(f"{what}: not JSON: {_bounded(exc)}") from exc


def _fields(payload: bytes, what: str) -> dict[str, Any]:
    if len(payload) > MAX_PAYLOAD_BYTES:
        raise FleetError(f"{what}: {len(payload)} bytes, expected at most {MAX_PAYLOAD_BYTES}")
    try:
        fields = msgspec.json.decode(payload, type=dict[str, Any])
    except (msgspec.MsgspecError, ValueError, RecursionError) as exc:
        raise FleetError(f"{what}: {_bounded(exc)} in {payload[:60]!r}") from exc
    if "v" not in fields:  # the struct's default would take silence for version 1
        raise FleetError(f"{what}: no version 'v' in {payload[:60]!r}")
    return fields


def _convert(fields: Mapping[str, Any], kind: type[T], what: str) -> T:
    try:
        return msgspec.convert(fields, kind, strict=True)
    except (msgspec.MsgspecError, RecursionError) as exc:
        raise FleetError(f"{what}: {_bounded(exc)}") from exc


def _bounded(exc: BaseException) -> str:
    """Return what is wrong; a peer may have written part of it."""
    text = str(exc)
    return re.sub(r"[^\x20-\x7e]", "?", text[:200])
