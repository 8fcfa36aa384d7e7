"""The slot of one."""

import threading
import time

from edged.workers.slot import LatestSlot


def test_the_newest_item_wins_and_is_taken_once() -> None:
    slot: LatestSlot[int] = LatestSlot()
    assert [slot.put(1), slot.put(2), slot.put(3)] == [False, True, True]
    assert slot.take(0) == 3
    assert slot.take(0) is None
    assert slot.put(4) is False


def test_a_put_wakes_the_taker() -> None:
    slot: LatestSlot[str] = LatestSlot()
    threading.Timer(0.05, slot.put, ["x"]).start()
    started_at = time.monotonic()
    assert slot.take(10) == "x"
    assert time.monotonic() - started_at < 5
