import json
import math
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edged.domain.event_body import access_body
from edged.domain.types import Decision, EventKind, Gate, Outcome, Reason, StoredEvent
from edged.errors import FleetError
from edged.fleet import messages
from edged.fleet.messages import BirthMessage, HealthMessage, StateMessage
from tests.fakes.outbox import EPOCH, event

BODY_KEYS = st.text(min_size=1, max_size=12).filter(lambda key: key not in messages._HEADER)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=20)
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)  # fmt: skip
STATE = StateMessage(lock="locked", camera="up", armed=True, time_synced=True)
BIRTH = BirthMessage(
    boot_id="boot-1",
    version="1.0",
    models={"detector": "yunet", "liveness": "minifasnet"},
    gallery_version=3,
    config_digest="ab",
    liveness="required",
)
HEALTH = HealthMessage(boot_id="boot-1", ts="2027-01-15T08:00:00.000Z", uptime_seconds=1.5, outbox_rows=0)
PARSERS = [
    messages.parse_event, messages.parse_state, messages.parse_birth, messages.parse_health,
    messages.parse_availability,
]  # fmt: skip


def refusal(parse: Callable[[bytes], object], payload: bytes) -> str | None:
    try:
        parse(payload)
    except FleetError as exc:
        return str(exc)
    return None


def stored(**changes: object) -> StoredEvent:
    return StoredEvent(EPOCH, 7, replace(event(), **changes), "0" * 64)  # type: ignore[arg-type]


def test_an_event_says_who_when_and_in_which_order() -> None:
    row = stored(body={"decision": "granted", "score": 0.61})
    raw = json.loads(messages.event_payload(row, historical=True))
    assert raw == {
        "v": 1, "id": row.event.event_id, "epoch": EPOCH, "seq": 7, "boot_id": "boot-1",
        "ts": "2027-01-15T08:00:00.000Z", "mono_ms": 1000, "time_synced": True, "kind": "access",
        "historical": True, "person_id": "p1", "decision": "granted", "score": 0.61,
    }  # fmt: skip


def test_a_name_travels_only_when_it_is_given() -> None:
    assert b"name" not in messages.event_payload(stored())
    assert messages.parse_event(messages.event_payload(stored(), "Ada")).name == "Ada"


def test_whom_a_face_came_near_is_not_on_the_wire() -> None:
    trace = (Gate("nearest", 0.31, None, True, "p-ada"), Gate("lookalike", 0.5, None, True, "p-ben"))
    body = access_body(
        Decision(Outcome.DENY, Reason.UNKNOWN, 1, score=0.31, trace=trace),
        latency_ms=1.0, gallery_version=1, model="toy/1",
    )  # fmt: skip
    payload = messages.event_payload(stored(person_id=None, body=body, trace=trace))
    assert b"p-ada" not in payload
    assert b"p-ben" not in payload


@pytest.mark.parametrize("key", ["name", "seq", "id", "v", "person_id"])
def test_a_body_cannot_replace_what_the_header_says(key: str) -> None:
    with pytest.raises(FleetError, match=key):
        messages.event_payload(stored(body={key: "x"}))


@pytest.mark.parametrize(
    "changes",
    [
        {"event_id": "nonsense"}, {"boot_id": "a b"}, {"occurred_at": math.nan}, {"occurred_at": 1e18},
        {"monotonic_at": math.inf}, {"monotonic_at": -1.0}, {"body": {"x": object()}},
        {"person_id": ""},
    ],
    ids=lambda changes: next(iter(changes)),
)  # fmt: skip
def test_an_event_that_cannot_be_parsed_again_is_not_written(changes: dict[str, object]) -> None:
    with pytest.raises(FleetError):
        messages.parse_event(messages.event_payload(stored(**changes)))


@given(
    st.dictionaries(BODY_KEYS, JSON, max_size=5),
    st.sampled_from(EventKind),
    st.floats(0, 4e9),
    st.floats(0, 1e9),
    st.booleans(),
)
def test_what_is_written_is_read_back(
    body: dict[str, object], kind: EventKind, at: float, mono: float, historical: bool
) -> None:
    row = stored(body=body, kind=kind, occurred_at=at, monotonic_at=mono)
    read = messages.parse_event(messages.event_payload(row, historical=historical))
    assert (read.id, read.kind, read.seq, read.historical) == (row.event.event_id, kind, 7, historical)
    assert read.body == body
    assert abs(read.mono_ms - mono * 1000) <= 0.5
    assert read.ts == messages.timestamp(at)


def test_state_birth_and_health_are_read_back() -> None:
    assert messages.parse_state(messages.state_payload(STATE)) == STATE
    assert messages.parse_birth(messages.birth_payload(BIRTH)) == BIRTH
    assert messages.parse_health(messages.health_payload(HEALTH)) == HEALTH
    for word in ("online", "offline", "stopped"):
        assert messages.parse_availability(messages.availability_payload(word)) == word


def test_the_retained_state_has_no_room_for_a_person() -> None:
    assert set(json.loads(messages.state_payload(STATE))) == {
        "v", "lock", "camera", "armed", "time_synced", "asks", "locked_down", "door", "tampered",
        "emergency",
    }  # fmt: skip
    for key in ("person_id", "name", "score"):
        with pytest.raises(FleetError, match=key):
            messages.parse_state(json.dumps(json.loads(messages.state_payload(STATE)) | {key: "x"}).encode())


@pytest.mark.parametrize("parse", PARSERS)
@pytest.mark.parametrize(
    "payload",
    [
        b"", b"null", b"[]", b"1", b"{", b'{"v":1}', b"\xff\xfe", b'{"v":2}', b'"online"', b" online",
        b'{"v":1,"v":1}', b"[" * 100_000, b'{"a":' * 50_000, b"x" * 300_000, b'{"\\ud800":1}',
    ],
    ids=lambda payload: repr(payload[:12]),
)  # fmt: skip
def test_a_hostile_payload_is_refused_in_few_words(parse: object, payload: bytes) -> None:
    with pytest.raises(FleetError) as caught:
        parse(payload)  # type: ignore[operator]
    assert len(str(caught.value)) < 600


@given(st.binary(max_size=200) | JSON.map(lambda value: json.dumps(value).encode()))
def test_no_bytes_do_more_than_be_refused(payload: bytes) -> None:
    for parse in PARSERS:
        text = refusal(parse, payload)
        assert text is None or (len(text) < 600 and "\n" not in text)


@given(st.data())
def test_a_field_changed_by_a_peer_is_read_strictly(data: st.DataObject) -> None:
    raw = json.loads(messages.event_payload(stored()))
    key = data.draw(st.sampled_from(sorted(messages._HEADER - {"person_id", "name"})))
    value = data.draw(JSON)
    try:
        read = messages.parse_event(json.dumps(raw | {key: value}).encode())
    except FleetError:
        return
    assert getattr(read, key) == value
    assert type(getattr(read, key)) in (type(value), EventKind)


@pytest.mark.parametrize("payload", [b'{"lock":"locked","camera":"up","armed":true,"time_synced":true}'])
def test_a_payload_without_a_version_is_refused(payload: bytes) -> None:
    with pytest.raises(FleetError, match="version"):
        messages.parse_state(payload)
