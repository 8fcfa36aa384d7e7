import pytest
from hypothesis import given
from hypothesis import strategies as st

from edged.fleet.arrivals import UnheededError
from edged.fleet.connection import Arrived
from edged.fleet.replay import ReplayRequest, parse_replay, parse_replayed, replay_payload

WORDS = st.from_regex(r"\A[A-Za-z0-9_-]{1,64}\Z")
SEQS = st.integers(1, 2**53 - 1)


def arrived(payload: bytes) -> Arrived:
    return Arrived("edged/hq/front/events/replay", payload, len(payload), False)


@given(WORDS, st.lists(SEQS, min_size=1, max_size=2), st.none() | WORDS)
def test_what_is_written_is_read_and_the_largest_fits(
    request: str, seqs: list[int], epoch: str | None
) -> None:
    first, last = min(seqs), max(seqs) if len(seqs) > 1 else None
    asked = ReplayRequest(v=1, request=request, from_seq=first, to_seq=last, epoch=epoch)
    assert parse_replay(arrived(replay_payload(asked))) == asked


@given(st.binary(max_size=300))
def test_any_bytes_end_in_a_declared_error(payload: bytes) -> None:
    with pytest.raises(UnheededError):
        parse_replay(arrived(payload))
    with pytest.raises(UnheededError):
        parse_replayed(arrived(payload))
