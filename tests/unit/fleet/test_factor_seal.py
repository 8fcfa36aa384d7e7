"""What passes a broker that is trusted with nothing."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edged.domain.factor_desk import AnswerResult
from edged.domain.second_factor import FactorCause, FactorKind
from edged.errors import FleetError
from edged.fleet.factor_messages import (
    AnswerGiven,
    Asked,
    FromDoor,
    FromKeypad,
    Result,
    Watch,
    heard_from_door,
    heard_from_keypad,
    line_of,
)
from edged.fleet.factor_seal import SEALED_BYTES, FactorSeal, ForgedError, NotSealedError, Speaker, nonce_of
from edged.fleet.topics import Topics

KEY, OTHER = bytes(range(32)), bytes(32)
TOPICS = Topics("edged", "hq", "front")
SEAL = FactorSeal(KEY, TOPICS)
ANSWER = AnswerGiven(request_id="r1", kind=FactorKind.PIN, secret="482913")
ids = st.from_regex(r"[A-Za-z0-9_-]{1,64}", fullmatch=True)
secrets = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=64)
answers = st.builds(AnswerGiven, request_id=ids, kind=st.sampled_from(FactorKind), secret=secrets)


@given(answers)
def test_an_answer_comes_out_as_it_went_in_and_its_length_tells_nothing(answer: AnswerGiven) -> None:
    payload = SEAL.seal(answer, Speaker.KEYPAD)
    assert len(payload) == SEALED_BYTES
    assert answer.secret.encode() not in payload or len(answer.secret.encode()) < 4
    assert heard_from_keypad(SEAL.opened(payload, Speaker.KEYPAD)) == answer


@pytest.mark.parametrize(
    "message",
    [
        Watch(),
        Asked(request_id="r1", cause=FactorCause.RISK, kinds=tuple(FactorKind), seconds=1.25),
        Result(request_id="r1", result=AnswerResult.WRONG),
    ],
)
def test_all_messages_have_one_length(message: FromKeypad | FromDoor) -> None:
    payload = SEAL.seal(message, Speaker.DOOR)
    assert len(payload) == len(SEAL.seal(ANSWER, Speaker.KEYPAD))
    assert SEAL.opened(payload, Speaker.DOOR) == line_of(message).rstrip()


def test_the_same_message_never_looks_the_same_twice() -> None:
    sealed = {SEAL.seal(ANSWER, Speaker.KEYPAD) for _ in range(100)}
    assert len(sealed) == len({nonce_of(one) for one in sealed}) == 100


@given(answers, st.data())
def test_what_was_changed_anywhere_opens_nothing(answer: AnswerGiven, data: st.DataObject) -> None:
    payload = bytearray(SEAL.seal(answer, Speaker.KEYPAD))
    at = data.draw(st.integers(0, len(payload) - 1))
    payload[at] ^= data.draw(st.integers(1, 255))
    with pytest.raises((ForgedError, NotSealedError)):
        SEAL.opened(bytes(payload), Speaker.KEYPAD)


@given(st.binary(max_size=SEALED_BYTES + 3) | st.binary(min_size=SEALED_BYTES, max_size=SEALED_BYTES))
def test_bytes_of_anybody_open_nothing(payload: bytes) -> None:
    with pytest.raises((ForgedError, NotSealedError)):
        SEAL.opened(payload, Speaker.KEYPAD)


@pytest.mark.parametrize(
    ("seal", "speaker"),
    [
        (FactorSeal(OTHER, TOPICS), Speaker.KEYPAD),
        (FactorSeal(KEY, Topics("edged", "hq", "back")), Speaker.KEYPAD),
        (FactorSeal(KEY, Topics("edged", "other", "front")), Speaker.KEYPAD),
        (SEAL, Speaker.DOOR),  # what a keypad said is nothing that a door says, and the other way round
    ],
)
def test_another_key_door_or_speaker_opens_nothing(seal: FactorSeal, speaker: Speaker) -> None:
    with pytest.raises(ForgedError) as caught:
        seal.opened(SEAL.seal(ANSWER, Speaker.KEYPAD), speaker)
    assert "482913" not in str(caught.value)


def test_a_message_that_is_too_long_is_not_cut() -> None:
    long = msgspec.structs.replace(ANSWER, secret="1" * 2000)
    with pytest.raises(FleetError, match="bytes") as caught:
        SEAL.seal(long, Speaker.KEYPAD)
    assert "1111" not in str(caught.value)
    with pytest.raises(FleetError):
        heard_from_door(line_of(ANSWER))
