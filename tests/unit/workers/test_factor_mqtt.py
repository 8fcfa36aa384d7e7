"""Answers over MQTT against a real clerk: what counts, what is dropped, and what is told of it."""

import logging
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edged.domain.factor_guard import NonsenseGuard
from edged.domain.gallery import GallerySnapshot
from edged.domain.second_factor import FactorKind, FactorOutcome, FactorSource
from edged.domain.types import Outcome, Reason
from edged.fleet.connection import Arrived
from edged.fleet.factor_messages import AnswerGiven, Asked, Ended, FromDoor, Result, Watch, heard_from_door
from edged.fleet.factor_seal import SEALED_BYTES, FactorSeal, Speaker
from edged.fleet.topics import Topics
from edged.storage.factors import Verifier
from edged.workers.factor_mqtt import FactorMqttWorker
from tests.unit.domain.conftest import gallery as gallery_fixture
from tests.unit.workers.test_second_factor import ASK, Bench

gallery = gallery_fixture
TOPICS = Topics("edged", "hq", "front")
SEAL = FactorSeal(bytes(32), TOPICS)
PIN = "482913"


class Plain(Verifier):
    """Compares without a hash, which takes its time."""

    def accepts(self, text: str) -> bool:
        return text == PIN


class Line:
    """A clerk that asks, and the worker beside it without its thread."""

    def __init__(self, gallery: GallerySnapshot) -> None:
        self.bench = Bench(gallery)
        self.bench.pins["p-ada"] = {FactorKind.PIN: Plain(b"", b"")}
        self.published: list[bytes] = []
        self.worker = FactorMqttWorker(
            self.bench.clerk,
            SEAL,
            NonsenseGuard(self.bench.clerk._desk.limits),
            lambda payload, _seconds: self.published.append(payload),
            metrics=self.bench.metrics,
            now=self.bench.clock.monotonic,
        )
        note = self.bench.clerk.on_news
        self.bench.clerk.on_news = lambda news: (note(news), self.worker.tell(news))[0]
        self.request_id = self.bench.ask()

    def sealed(self, secret: str = PIN, request_id: str | None = None, seal: FactorSeal = SEAL) -> bytes:
        answer = AnswerGiven(request_id=request_id or self.request_id, kind=FactorKind.PIN, secret=secret)
        return seal.seal(answer, Speaker.KEYPAD)

    def hear(self, payload: bytes, *, retain: bool = False, dup: bool = False) -> None:
        self.worker.heard(Arrived(TOPICS.factor_keypad, payload, len(payload), retain, dup))
        self.turn()

    def turn(self) -> None:
        while not self.worker._inbox.empty():
            self.worker._serve(self.worker._inbox.get())
        self.worker._say_again()

    def said(self) -> list[FromDoor]:
        told = [heard_from_door(SEAL.opened(one, Speaker.DOOR)) for one in self.published]
        self.published.clear()
        return told

    def dropped(self) -> dict[str, float]:
        family = next(one for one in self.bench.metrics.factor_messages.collect())
        return {
            one.labels["cause"]: one.value
            for one in family.samples
            if one.name.endswith("_total") and one.value
        }

    def done(self) -> list[tuple[Outcome, Reason]]:
        self.bench.clerk.settle(self.bench.state)
        return [(one.outcome, one.reason) for one in self.bench.done]


@pytest.fixture
def line(gallery: GallerySnapshot) -> Line:
    return Line(gallery)


def test_a_sealed_answer_opens_and_says_where_it_came_from(line: Line) -> None:
    line.turn()
    (asked, *again) = line.said()
    assert asked == Asked(
        request_id=line.request_id,
        cause=ASK.factor.cause,
        kinds=(FactorKind.PIN,),
        seconds=10.0,  # type: ignore[union-attr]
    )
    assert again in ([], [asked])
    line.hear(line.sealed("111112"))
    line.hear(line.sealed())
    assert [one.result for one in line.said() if isinstance(one, Result)] == ["wrong", "confirmed"]
    assert line.done() == [(Outcome.GRANT, Reason.MATCHED)]
    factor = line.bench.done[0].factor
    assert factor is not None
    assert (factor.source, factor.wrong, factor.outcome) == (
        FactorSource.MQTT,
        1,
        FactorOutcome.CONFIRMED,
    )
    line.turn()
    assert line.said() == [Ended(request_id=line.request_id, outcome=FactorOutcome.CONFIRMED)]
    assert line.dropped() == {}


def test_whoever_is_asked_is_said_again_until_it_ends(line: Line) -> None:
    line.turn()
    line.said()
    for _ in range(3):
        line.bench.clock.now += 1
        line.turn()
    assert [type(one) for one in line.said()] == [Asked] * 3
    line.bench.clock.now += 8
    line.done()
    line.turn()
    assert line.said() == [Ended(request_id=line.request_id, outcome=FactorOutcome.UNANSWERED)]


def test_a_wrong_answer_that_is_sent_again_and_again_counts_once(line: Line) -> None:
    wrong = line.sealed("111112")
    for _ in range(20):
        line.hear(wrong)
    assert line.dropped() == {"duplicate": 19}
    line.hear(line.sealed())
    assert line.done() == [(Outcome.GRANT, Reason.MATCHED)]


def test_a_right_answer_counts_for_its_own_request_alone(line: Line) -> None:
    right = line.sealed()
    line.hear(right)
    line.done()
    line.bench.done.clear()
    line.bench.ask()
    for _ in range(3):
        line.hear(right)
    assert line.done() == []
    assert line.dropped() == {"unknown": 3}


@pytest.mark.parametrize(("retain", "dup", "cause"), [(True, False, "retained"), (False, True, "duplicate")])
def test_a_retained_answer_and_a_duplicate_are_never_taken(
    line: Line, retain: bool, dup: bool, cause: str
) -> None:
    line.hear(line.sealed(), retain=retain, dup=dup)
    assert line.done() == []
    assert line.dropped() == {cause: 1}


def test_a_late_answer_is_none(line: Line) -> None:
    line.bench.clock.now += 10.1
    line.hear(line.sealed())
    assert line.done() == [(Outcome.DENY, Reason.SECOND_FACTOR_UNANSWERED)]


def test_wrong_answers_lock_out_as_over_the_socket(line: Line) -> None:
    for _ in range(3):
        line.hear(line.sealed("111112"))
    assert line.done() == [(Outcome.DENY, Reason.SECOND_FACTOR_WRONG)]
    line.hear(line.sealed())
    assert line.dropped() == {"unknown": 1}


def test_too_much_nonsense_shuts_this_way_and_no_other(line: Line, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    forged = line.sealed(seal=FactorSeal(bytes(31) + b"\1", TOPICS))
    for _ in range(9):
        line.hear(forged)
    line.hear(b"{}")
    line.hear(line.sealed())
    assert line.done() == []
    assert line.dropped() == {"forged": 9, "malformed": 1, "shut": 1}
    assert "none is taken over mqtt" in caplog.text
    assert PIN not in caplog.text
    assert line.bench.answer(line.request_id) == "confirmed"
    assert line.done() == [(Outcome.GRANT, Reason.MATCHED)]


def test_watching_is_no_answer_and_no_nonsense(line: Line) -> None:
    line.hear(SEAL.seal(Watch(), Speaker.KEYPAD))
    assert line.dropped() == {}


def test_a_flood_is_dropped_and_counted(line: Line) -> None:
    for _ in range(200):
        line.worker.heard(Arrived(TOPICS.factor_keypad, bytes(SEALED_BYTES), SEALED_BYTES, retain=False))
    assert line.dropped()["too_many"] >= 100


HOSTILE = st.one_of(
    st.binary(max_size=40),
    st.binary(min_size=SEALED_BYTES, max_size=SEALED_BYTES),
    st.sampled_from(["replayed", "other door", "other key", "door's own", "retained", "dup", "flipped"]),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
@given(st.lists(HOSTILE, max_size=8))
def test_whoever_owns_the_broker_opens_nothing(gallery: GallerySnapshot, sent: list[bytes | str]) -> None:
    """They saw the answer to an earlier request, and hold back the one to this; they send what they like."""
    line = Line(gallery)
    earlier = line.sealed()
    line.hear(earlier)
    line.done()
    line.bench.done.clear()
    line.bench.clerk.decide(replace(ASK, track_id=2), line.bench.state)
    held_back = line.sealed(request_id=line.bench.news[-1].request.request_id)
    for one in sent:
        match one:
            case "replayed":
                line.hear(earlier)
            case "other door":
                line.hear(line.sealed(seal=FactorSeal(bytes(32), Topics("edged", "hq", "back"))))
            case "other key":
                line.hear(line.sealed(seal=FactorSeal(b"k" * 32, TOPICS)))
            case "door's own":
                line.turn()
                line.hear(line.published[-1])
            case "retained" | "dup":
                line.hear(held_back, retain=one == "retained", dup=one == "dup")
            case "flipped":
                line.hear(held_back[:-1] + bytes([held_back[-1] ^ 1]))
            case bytes():
                line.hear(one)
    line.bench.clock.now += 20
    line.hear(held_back)  # too late
    assert line.done() == [(Outcome.DENY, Reason.SECOND_FACTOR_UNANSWERED)]
