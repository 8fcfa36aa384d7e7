"""The short form of a payload."""

import json

import pytest

from edged.demo.broker_watch import short


def test_only_the_telling_facts_are_shown() -> None:
    payload = {
        "v": 1,
        "id": "01J",
        "seq": 4,
        "decision": "granted",
        "score": 0.7,
        "live": None,
        "margin": 0.2,
    }
    assert short(json.dumps(payload).encode()) == "decision=granted score=0.7"


@pytest.mark.parametrize("payload", [b"online", b"\xff\xfe", b"[1, 2]", b"{", b""])
def test_anything_else_is_shown_as_it_is(payload: bytes) -> None:
    assert short(payload) == payload.decode(errors="replace")


def test_a_long_payload_is_cut() -> None:
    assert len(short(b"x" * 100_000)) == len(short(json.dumps({"a": "x" * 3000}).encode())) == 120
