import pytest
from hypothesis import given
from hypothesis import strategies as st
from ulid import ULID

from edged.fleet.acks import ACK_RESULTS, MAX_ACK_BYTES, MOST_IDS, ack_payload, parse_ack
from edged.fleet.arrivals import UnheededError
from edged.fleet.connection import Arrived
from edged.metric_labels import ACK_RESULTS as COUNTED

ONE = "01ARZ3NDEKTSV4RRFFQ69G5FAV"


def arrived(payload: bytes, *, retain: bool = False) -> Arrived:
    return Arrived("edged/hq/front/events/ack", payload, len(payload), retain)


def test_what_is_written_is_read_and_the_largest_fits() -> None:
    ids = [str(ULID()) for _ in range(MOST_IDS)]
    assert parse_ack(arrived(ack_payload(ids))).ids == ids


@pytest.mark.parametrize(
    ("payload", "retain", "result"),
    [
        (ack_payload([ONE]), True, "retained"),
        (b" " * (MAX_ACK_BYTES + 1), False, "oversized"),
        (b"", False, "malformed"),
        (b"[" * 9000, False, "malformed"),
        (b'{"v":1,"ids":[]}', False, "malformed"),
        (b'{"v":1,"ids":"*"}', False, "malformed"),
        (b'{"ids":["01ARZ3NDEKTSV4RRFFQ69G5FAV"]}', False, "malformed"),
        (b'{"v":1,"ids":["01ARZ3NDEKTSV4RRFFQ69G5FAV"],"all":true}', False, "malformed"),
        (ack_payload([ONE] * (MOST_IDS + 1)), False, "malformed"),
    ],
    ids=["retained", "spaces", "empty", "brackets", "no-ids", "word", "no-version", "key", "too-many"],
)
def test_what_is_no_acknowledgement_is_refused_by_its_name(payload: bytes, retain: bool, result: str) -> None:
    with pytest.raises(UnheededError) as caught:
        parse_ack(arrived(payload, retain=retain))
    assert caught.value.result == result


@given(st.binary(max_size=300))
def test_any_bytes_end_in_a_declared_error(payload: bytes) -> None:
    with pytest.raises(UnheededError):
        parse_ack(arrived(payload))


def test_each_result_is_counted_from_the_first_day() -> None:
    assert ACK_RESULTS == COUNTED
