"""Who asks a door for what is missing, when, and what its answer settles; the database is a file."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from edged.collecting.event_store import EventStore
from edged.collecting.figures import Figures
from edged.collecting.gaps import Gap, Gaps
from edged.collecting.incoming import read
from edged.collecting.links import Link, open_link
from edged.collecting.refill import Refill
from edged.domain.types import EventKind, StoredEvent
from edged.errors import FleetError
from edged.fleet.connection import Arrived
from edged.fleet.messages import event_payload
from edged.fleet.replay import ReplayResult
from edged.fleet.replay_asking import Wanted
from tests.fakes.outbox import EPOCH, event


@dataclass
class Bench:
    """``answers`` are what doors say, in turn; an error is raised."""

    url: str
    link: Link
    now: float = 1_800_000_000.0
    asked: list[tuple[str, Wanted]] = field(default_factory=list)
    answers: list[ReplayResult | Exception] = field(default_factory=list)
    figures: Figures = field(default_factory=lambda: Figures(CollectorRegistry()))

    def refill(self, holder: str = "one", site: str | None = "hq") -> Refill:
        return Refill(
            lambda: open_link(self.url), lambda _site, door: Asking(self, door), self.figures,
            holder=holder, site=site, grace_seconds=60, wall_clock=lambda: self.now,
        )  # fmt: skip

    def add(self, *seqs: int, door: str = "front") -> None:
        store = EventStore(self.link)
        for seq in seqs:
            content = event_payload(StoredEvent(EPOCH, seq, event(EventKind.ACCESS), ""))
            one = read(
                Arrived(f"edged/hq/{door}/event/access", content, len(content), False, handle=1), "edged"
            )
            assert one is not None
            store.store([one], self.now)

    def gaps(self) -> list[Gap]:
        return Gaps(self.link).open()

    def missing(self) -> float | None:
        return self.figures.registry.get_sample_value("edged_collect_missing_events")


@dataclass
class Asking:
    bench: Bench
    door: str

    def results(self, wanted: Wanted) -> Iterator[ReplayResult]:
        self.bench.asked.append((self.door, wanted))
        answer = self.bench.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        yield answer


def result(**changes: Any) -> ReplayResult:
    fields: dict[str, Any] = {"v": 1, "request": "r", "result": "done", "epoch": EPOCH, "oldest_seq": 1}
    return ReplayResult(**(fields | changes))


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    url = f"sqlite:{tmp_path / 'events.db'}"
    link = open_link(url)
    yield Bench(url, link)
    link.close()


def test_a_gap_is_asked_for_once_it_has_stood_for_the_grace(bench: Bench) -> None:
    bench.add(1, 5)
    refill = bench.refill()
    bench.now += 59
    refill.check()
    assert bench.asked == []
    assert bench.missing() == 3
    bench.now += 1
    bench.answers = [result(sent=3)]
    refill.check()
    assert bench.asked == [("front", Wanted(2, 4, EPOCH))]
    assert (bench.gaps()[0].times, bench.gaps()[0].answer) == (1, "done, sent 3")


def test_a_door_that_does_not_send_is_asked_ever_more_seldom(bench: Bench) -> None:
    bench.add(2)
    bench.now += 60
    refill, began = bench.refill(), bench.now
    bench.answers = [FleetError("nobody hears")] * 100
    moments = []
    for _ in range(4 * 3600 // 60):
        before = len(bench.asked)
        refill.check()
        moments += [bench.now - began] * (len(bench.asked) - before)
        bench.now += 60
    assert moments[:5] == [0, 120, 360, 840, 1800]
    assert moments[6] - moments[5] == 3600
    assert bench.gaps()[0].answer == "nobody hears"


def test_a_door_that_is_away_is_asked_for_one_gap_and_another_has_its_turn(bench: Bench) -> None:
    bench.add(2, 4, 6, door="back")
    bench.add(2)
    bench.now += 60
    bench.answers = [FleetError("nobody hears"), result(sent=1)]
    bench.refill().check()
    assert [door for door, _ in bench.asked] == ["back", "front"]


def test_what_the_journal_has_no_more_is_noted_and_not_waited_for(bench: Bench) -> None:
    bench.add(10)
    bench.now += 60
    bench.answers = [result(gone=6, oldest_seq=7, sent=3)]
    bench.refill().check()
    assert [(gap.from_seq, gap.to_seq) for gap in bench.gaps()] == [(7, 9)]
    ((*_, reason),) = Gaps(bench.link).given_up()
    assert reason == "the door's journal begins at 7"


def test_a_door_with_another_journal_has_no_more_of_the_old_one(bench: Bench) -> None:
    bench.add(3)
    bench.now += 60
    bench.answers = [result(result="epoch", epoch="other", oldest_seq=1)]
    bench.refill().check()
    assert bench.gaps() == []
    assert Gaps(bench.link).given_up()[0][3:5] == (1, 2)


def test_a_result_of_another_journal_takes_nothing_away(bench: Bench) -> None:
    bench.add(3)
    bench.now += 60
    bench.answers = [result(epoch="other", oldest_seq=100)]
    bench.refill().check()
    assert bench.gaps()[0].missing == 2


def test_only_one_of_two_collectors_asks(bench: Bench) -> None:
    bench.add(2)
    bench.now += 60
    assert Gaps(bench.link).lease("two", bench.now, 60)
    bench.refill().check()
    assert bench.asked == []
    assert bench.missing() == 1


def test_doors_of_other_sites_are_not_asked(bench: Bench) -> None:
    bench.add(2)
    bench.now += 60
    bench.refill(site="elsewhere").check()
    assert bench.asked == []
