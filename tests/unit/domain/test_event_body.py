import json
from datetime import datetime, timedelta, timezone

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edged.domain.attendance import Punch, PunchKind
from edged.domain.event_body import access_body, attendance_body, punch_of
from edged.domain.types import Decision, Event, EventKind, Outcome, Reason

PUNCH = Punch(
    "p-ada",
    PunchKind.OUT,
    1_772_452_800.5,
    datetime.fromtimestamp(1_772_452_800.5, timezone(timedelta(hours=1))),
)


def decision(score: float = 0.61237, *, person_id: str | None = "p-ada") -> Decision:
    return Decision(Outcome.GRANT, Reason.MATCHED, 1, person_id, score, 0.2, 4, 0.875, None)


def test_an_access_body_says_what_was_decided() -> None:
    body = access_body(
        decision(), latency_ms=312.34, gallery_version=7, model="toy/1", direction="toggle", punch=PUNCH
    )
    assert body == {
        "decision": "granted", "reason": "matched", "score": 0.6124, "margin": 0.2, "frames": 4,
        "quality": 0.875, "live": None, "latency_ms": 312.3, "gallery_version": 7, "model": "toy/1",
        "direction": "toggle", "punch": "out",
    }  # fmt: skip


def test_where_nobody_was_compared_there_is_no_score() -> None:
    body = access_body(decision(-1.0, person_id=None), latency_ms=None, gallery_version=0, model="toy/1")
    assert (body["score"], body["margin"], body["latency_ms"], body["punch"]) == (None, None, None, None)


@given(score=st.floats(width=32), latency=st.floats())
def test_any_number_gives_json(score: float, latency: float) -> None:
    body = access_body(
        decision(np.float32(score)),
        latency_ms=latency,
        gallery_version=np.int64(3),
        model="toy/1",  # type: ignore[arg-type]
    )
    assert json.loads(json.dumps(body, allow_nan=False)) == body


def test_a_punch_comes_back_from_its_event() -> None:
    body = attendance_body(PUNCH, direction="toggle", access_event_id="01A")
    assert body == {
        "direction": "toggle", "punch": "out", "access_event_id": "01A", "local_date": "2026-03-02",
        "utc_offset_minutes": 60,
    }  # fmt: skip
    event = Event(
        "01B", EventKind.ATTENDANCE, PUNCH.at, 1.0, "b", time_synced=True, person_id="p-ada", body=body
    )
    assert punch_of(event) == PUNCH


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"punch": "in"},
        {"punch": "sideways", "utc_offset_minutes": 0},
        {"punch": "in", "utc_offset_minutes": 9e9},
    ],
)
def test_another_body_is_no_punch(body: dict[str, object]) -> None:
    event = Event(
        "01B", EventKind.ATTENDANCE, PUNCH.at, 1.0, "b", time_synced=True, person_id="p-ada", body=body
    )
    with pytest.raises(ValueError, match="01B"):
        punch_of(event)


def test_a_punch_of_nobody_is_no_punch() -> None:
    body = attendance_body(PUNCH, direction="in", access_event_id="01A")
    with pytest.raises(ValueError, match="no person"):
        punch_of(Event("01B", EventKind.ATTENDANCE, PUNCH.at, 1.0, "b", time_synced=True, body=body))
