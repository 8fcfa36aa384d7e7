"""Which correction an event is read by."""

import math
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edged.domain.clock_correction import Correction, corrected, correction_body, corrections_of
from edged.domain.types import Event, EventKind, StoredEvent


def event(
    body: Mapping[str, Any], *, monotonic_at: float = 100.0, synced: bool = True, boot_id: str = "b"
) -> Event:
    return Event(
        "01ARZ3NDEKTSV4RRFFQ69G5FAV", EventKind.SYSTEM, 30.0, monotonic_at, boot_id, synced, None, body
    )


def read(found: Mapping[str, list[Correction]], monotonic_at: float, *, synced: bool) -> float | None:
    one = event({"type": "x"}, monotonic_at=monotonic_at, synced=synced)
    return corrected(StoredEvent("e", 1, one, ""), found).corrected_at


def test_the_first_correction_after_an_event_is_for_it_and_the_last_for_what_comes_later() -> None:
    found = {"b": [Correction(1000.0, 50.0), Correction(2000.0, 100.0)]}
    assert read(found, 10.0, synced=False) == 1010.0
    assert read(found, 60.0, synced=False) == 2060.0
    assert read(found, 200.0, synced=False) == 2200.0
    assert read(found, 60.0, synced=True) is None
    assert read({"other": found["b"]}, 60.0, synced=False) is None


def test_a_clock_set_back_undoes_what_was_vouched_for_and_what_was_corrected_by_it() -> None:
    found = {"b": [Correction(5000.0, 50.0), Correction(1400.0, 100.0, synced_from=50.0)]}
    assert read(found, 49.0, synced=True) is None  # before that it was another clock
    assert read(found, 60.0, synced=True) == 1460.0
    assert read(found, 10.0, synced=False) == 1410.0
    assert read(found, 101.0, synced=True) is None


def test_what_is_written_is_read_back() -> None:
    body = correction_body(["a", "b"], 1234.5678, -3600.0004, 12.3456)
    assert corrections_of([event(body, monotonic_at=77.0)]) == {
        name: [Correction(1234.568, 77.0, 12.346)] for name in ("a", "b")
    }
    assert "synced_from_monotonic" not in correction_body(["a"], 1.0, None)


@pytest.mark.parametrize("offset", [None, "1", True, math.nan, math.inf])
def test_a_body_that_makes_no_sense_corrects_nothing(offset: object) -> None:
    body = {"type": "clock_corrected", "boot_ids": ["b"], "unix_minus_monotonic": offset}
    assert (
        corrections_of([event(body), event({"type": "clock_corrected", "unix_minus_monotonic": 1.0})]) == {}
    )


@given(
    st.lists(st.tuples(st.floats(1, 1000), st.floats(-7200, -2.1)), min_size=1, max_size=5),
    st.lists(st.floats(0, 5000), min_size=2, max_size=20),
)
def test_a_clock_set_back_any_number_of_times_never_runs_backwards_as_it_is_read(
    steps: list[tuple[float, float]], moments: list[float]
) -> None:
    """The clock is right, as the kernel says, all the time; ``steps`` are waits and steps."""
    offsets, found, now, offset = [(0.0, 1e6)], [], 0.0, 1e6
    for wait, step in steps:
        now, offset = now + wait, offset + step
        offsets.append((now, offset))
        found.append(Correction(offset, now, synced_from=0.0))
    times = []
    for moment in sorted(moments):
        raw = moment + next(offset for since, offset in reversed(offsets) if since <= moment)
        one = Event("id", EventKind.DOOR, raw, moment, "b", True)
        times.append(corrected(StoredEvent("e", 1, one, ""), {"b": found}).happened_at)
    assert all(second - first > -1e-6 for first, second in pairwise(times))
