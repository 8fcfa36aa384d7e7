"""A reader's link to a door whose words and whose clock a test says."""

from collections.abc import Iterator, Sequence
from concurrent.futures import Future

import pytest
from prometheus_client import CollectorRegistry

from edged.config.sections import DoorConfig, FakeLockConfig
from edged.domain.types import Event, StoredEvent
from edged.doorway.channel import Channel, pair
from edged.doorway.messages import SILENCE_SECONDS, Status, Welcome
from edged.metrics import Metrics
from edged.workers.door_journal import DoorJournal
from edged.workers.door_line import HUNG_SECONDS
from edged.workers.door_link import DoorLink

BEGAN = 1000.0


class NoRecorder:
    """A journal that nothing is to reach."""

    def submit(self, events: Sequence[Event]) -> Future[tuple[StoredEvent, ...]]:
        raise AssertionError(events)


class Bench:
    """The link, never started: a test turns it; ``door`` is the other end."""

    def __init__(self) -> None:
        self.now = BEGAN
        ours, theirs = pair()
        self.door = Channel(theirs)
        self.link = DoorLink(
            lambda: ours, reader="t.front", config=DoorConfig(lock=FakeLockConfig()),
            metrics=Metrics(CollectorRegistry()), journal=DoorJournal(NoRecorder(), lambda _id: False),
            on_change=lambda _change: None, clock=lambda: self.now,
        )  # fmt: skip

    def says(self, *messages: Welcome | Status) -> None:
        for message in messages:
            self.door.send(message)
        self.link.turn()

    def close(self) -> None:
        self.link.close_unstarted()
        self.door.close()


@pytest.fixture
def bench() -> Iterator[Bench]:
    made = Bench()
    yield made
    made.close()


def test_a_door_that_is_silent_is_asked_for_nothing_before_it_counts_as_hung(bench: Bench) -> None:
    status = Status(condition="locked", released=False)
    bench.says(Welcome(version="1", boot_id="b", lock="a line"), status)
    bench.now = BEGAN + 0.9 * SILENCE_SECONDS
    assert bench.link.refusal(bench.now) is None
    bench.now = BEGAN + 1.1 * SILENCE_SECONDS
    assert SILENCE_SECONDS < bench.now - BEGAN < HUNG_SECONDS
    assert bench.link.refusal(bench.now) == "away"
    bench.says(status)  # it was held up, and goes on
    assert bench.link.refusal(bench.now) is None
