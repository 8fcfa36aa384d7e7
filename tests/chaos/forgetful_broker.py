"""A broker in its default configuration loses what it acknowledged; the collector asks the door again."""

import random
import time
from pathlib import Path

from edged.config.sections import JournalConfig
from edged.fleet.replay_asking import ReplayAsking, Wanted
from edged.storage.journal import Journal
from edged.storage.journal_reader import JournalReader
from tests.chaos.row import Row
from tests.fakes.collector import Collector, eventually
from tests.fakes.mosquitto import mosquitto
from tests.fakes.outbox import event
from tests.integration.fleet.conftest import ALL, TOPICS, mqtt_config, new_rig

FAULT = "kill -9 of a broker that forgets"
_AWAY = 25
_DRAIN_SECONDS = 60.0


def row(folder: Path, times: int, seed: int) -> Row:
    """Kill the broker while it holds events for a collector that is away, then ask for what is missing."""
    chance, path = random.Random(seed), folder / "journal.db"
    seen: dict[int, str] = {}
    with mosquitto(folder / "broker", "autosave_interval 1800", "autosave_on_changes false") as broker:
        journal = Journal.open(JournalConfig(path=path))
        config = mqtt_config(broker.port, replay=True)
        rig = new_rig(config, journal)
        rig.worker.start()
        try:
            for _ in range(times):
                with Collector(broker.port, ALL) as collector:
                    _record(journal, chance.randint(1, 5))
                    eventually(lambda: journal.outbox().rows == 0, _DRAIN_SECONDS)
                    time.sleep(0.2)
                seen |= _got(collector)
                _record(journal, chance.randint(1, _AWAY))
                eventually(lambda: journal.outbox().rows == 0, _DRAIN_SECONDS)
                broker.kill()
                broker.start()
                eventually(lambda: rig.worker.connected, _DRAIN_SECONDS)
            with Collector(broker.port, ALL) as collector:
                with JournalReader.open(path) as reader:
                    recorded = {one.seq: one.event.event_id for one in reader.events()}
                missing = sorted(set(recorded) - set(seen))
                asking = ReplayAsking(config, TOPICS, "chaos", patience_seconds=_DRAIN_SECONDS)
                ends = list(asking.results(Wanted(missing[0], missing[-1], journal.epoch)))
                time.sleep(1.0)
                again = _got(collector)
        finally:
            rig.stop()
            journal.close()
    found = seen | again
    wrong = sum(recorded.get(seq) != event_id for seq, event_id in found.items())
    lost = len(set(recorded) - set(found))
    breaches = [f"{wrong} under another id"] if wrong else []
    breaches += [f"{lost} lost"] if lost else []
    breaches += [f"a replay ended as {end.result}" for end in ends if end.result != "done"]
    return Row(
        FAULT, times, "0 lost after a replay",
        f"{len(recorded)} events, {len(missing)} were missing", lost, len(set(seen) & set(again)),
        breaches=tuple(breaches),
    )  # fmt: skip


def _record(journal: Journal, count: int) -> None:
    journal.submit([event() for _ in range(count)]).result()


def _got(collector: Collector) -> dict[int, str]:
    return {one.seq: one.id for one in collector.events}
