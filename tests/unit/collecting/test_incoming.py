import json

import pytest

from edged.collecting.incoming import Heard, Unfit, read
from edged.domain.types import EventKind, StoredEvent
from edged.fleet.connection import Arrived
from edged.fleet.messages import event_payload
from tests.fakes.outbox import EPOCH, event

TOPIC = "edged/hq/front/event/access"


def payload(**changes: object) -> bytes:
    stored = StoredEvent(EPOCH, 7, event(EventKind.ACCESS), "")
    fields = json.loads(event_payload(stored)) | changes
    return json.dumps(fields).encode()


def arrived(content: bytes, topic: str = TOPIC, *, size: int | None = None, retain: bool = False) -> Arrived:
    return Arrived(topic, content, len(content) if size is None else size, retain, handle=5)


def test_an_event_is_of_the_door_whose_topic_it_came_on() -> None:
    one = read(arrived(payload()), "edged")
    assert isinstance(one, Heard)
    assert (one.site, one.door, one.root, one.message.seq, one.handle) == (
        "hq", "front", "edged/hq/front", 7, 5
    )  # fmt: skip


def test_a_prefix_of_several_words_is_one_prefix() -> None:
    one = read(arrived(payload(), "a/b/hq/front/event/access"), "a/b")
    assert isinstance(one, Heard)
    assert one.site == "hq"


def test_a_trial_of_the_broker_is_no_event() -> None:
    assert read(arrived(b'{"v":1,"check":true}', "edged/hq/front/event/check"), "edged") is None


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (arrived(payload(), retain=True), "retained"),
        (arrived(payload(), size=1_000_000), "oversized"),
        (arrived(b"\xff"), "malformed"),
        (arrived(b"[]"), "malformed"),
        (arrived(payload(v=2)), "malformed"),
        (arrived(payload(seq=0)), "malformed"),
        (arrived(payload(kind="dance")), "malformed"),
        (arrived(payload(ts="2026-19-39T29:00:00.000Z")), "malformed"),
        (arrived(payload(), "edged/hq/front/event/door"), "malformed"),
        (arrived(payload(), "edged/hq/front/extra/event/access"), "malformed"),
        (arrived(payload(), "other/hq/front/event/access"), "malformed"),
        (arrived(payload(), f"edged/hq/{'x' * 129}/event/access"), "malformed"),
        (arrived(payload(person_id="a\0b")), "unstorable"),
        (arrived(payload(text="\\\0")), "unstorable"),
        (arrived(payload(deep=[{"x\0": 1}])), "unstorable"),
    ],
)
def test_what_is_no_event_says_why(message: Arrived, reason: str) -> None:
    one = read(message, "edged")
    assert isinstance(one, Unfit)
    assert (one.reason, one.whole) == (reason, reason != "oversized")


def test_a_backslash_before_u0000_is_no_nul() -> None:
    assert isinstance(read(arrived(payload(text="\\u0000")), "edged"), Heard)


def test_the_id_of_an_event_of_a_newer_version_is_still_found() -> None:
    content = payload(v=2)
    one = read(arrived(content), "edged")
    assert isinstance(one, Unfit)
    assert one.event_id == json.loads(content)["id"]
