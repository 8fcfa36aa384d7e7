import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ulid import ULID

from edged.doorway import messages
from edged.doorway.messages import MAX_BYTES, Beat, Happened, Hello, Unlock, encode, from_door, from_reader
from edged.doorway.ulid import new_id
from edged.errors import DoorwayError

EVENT = Happened(
    event=new_id(),
    what="unlocked",
    alarm=False,
    ts=1.5e9,
    at=12.5,
    boot_id="b00",
    time_synced=True,
    cause="face",
)
SAID = [Hello(reader="hq.front"), Unlock(request="R1", cause="face", granted_at=3.5), Beat()]


@pytest.mark.parametrize("message", SAID, ids=lambda message: type(message).__name__)
def test_what_is_said_is_understood(message: messages.FromReader) -> None:
    assert from_reader(encode(message)) == message


def test_an_event_is_understood_and_small() -> None:
    assert from_door(encode(EVENT)) == EVENT
    assert len(encode(EVENT)) < MAX_BYTES / 8


@pytest.mark.parametrize(
    "change",
    [
        {"v": 2}, {"granted_at": -1.0}, {"granted_at": "1"}, {"granted_at": 1e400}, {"request": ""},
        {"request": "a/b"}, {"cause": "friendship"}, {"cause": "exit"}, {"more": 1}, {"type": "welcome"},
    ],
)  # fmt: skip
def test_a_grant_with_anything_wrong_is_none(change: dict[str, object]) -> None:
    given = json.loads(encode(SAID[1])) | change
    with pytest.raises(DoorwayError):
        from_reader(json.dumps(given).replace("Infinity", "1e400").encode())


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_whatever_bytes_come_they_are_understood_or_refused(packet: bytes) -> None:
    for parse in (from_reader, from_door, messages.happened):
        try:
            parse(packet)
        except DoorwayError:
            continue


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=10,
)


@given(
    st.sampled_from(SAID), st.dictionaries(st.sampled_from(["type", "v", "reader", "request", "cause"]), JSON)
)
def test_whatever_is_changed_in_a_message_it_is_understood_or_refused(
    message: messages.FromReader, change: dict[str, object]
) -> None:
    packet = json.dumps(json.loads(encode(message)) | change).encode()
    try:
        understood = from_reader(packet)
    except DoorwayError:
        return
    assert from_reader(encode(understood)) == understood


def test_a_message_that_is_too_large_is_refused_unread() -> None:
    with pytest.raises(DoorwayError, match="at most 4096 bytes"):
        from_reader(b" " * MAX_BYTES + encode(Beat()))


def test_an_id_is_a_ulid_as_the_library_makes_them() -> None:
    made = new_id()
    assert str(ULID.from_str(made)) == made
    assert abs(ULID.from_str(made).timestamp - ULID().timestamp) < 60
    assert len({new_id() for _ in range(1000)}) == 1000
