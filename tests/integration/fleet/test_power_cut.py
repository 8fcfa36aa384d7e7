"""A device that is killed while it records and publishes: nothing is lost, everything is in order."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from edged.config.sections import JournalConfig
from edged.storage.journal import Journal
from edged.workers.delivery import Outbox
from tests.fakes.collector import Collector, eventually
from tests.fakes.mosquitto import Mosquitto
from tests.fakes.mqtt_wire import CountingProxy
from tests.fakes.outbox import event
from tests.integration.fleet.conftest import ALL, TOPICS, Rig, mqtt_config

ROOT = Path(__file__).parents[3]
Start = Callable[..., Rig]


def device(journal: Path, port: int, events: int, pause: float) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.integration.fleet.publishing_process", str(journal)]
    return subprocess.Popen(
        [*command, str(port), str(events), str(pause)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )


def test_a_device_killed_three_times_delivers_every_recorded_event_in_order(
    tmp_path: Path, broker: Mosquitto
) -> None:
    journal, recorded = tmp_path / "journal.db", 0
    with Collector(broker.port, ALL) as collector, CountingProxy(broker.port) as proxy:
        for killed_after in (25, 60, 95):
            process = device(journal, proxy.port, 1000, 0.002)
            assert process.stdout is not None
            for line in process.stdout:
                recorded = int(line)
                if recorded >= killed_after:
                    break
            process.kill()
            recorded = max([recorded, *map(int, process.stdout.read().split())])
            process.wait()
            process.stdout.close()
        last = device(journal, proxy.port, 5, 0)
        assert last.wait(60) == 0
        assert last.stdout is not None
        total = max(map(int, last.stdout.read().split()))
        last.stdout.close()
        # A row may have been committed just before the kill cut its report off.
        assert total - 5 >= recorded
        eventually(lambda: len(collector.seqs) >= total)
        assert collector.seqs == list(range(1, total + 1))
        assert len({one.epoch for one in collector.events}) == 1
        eventually(lambda: collector.on(TOPICS.availability)[-1:] == [b"stopped"])
        assert b"offline" in collector.on(TOPICS.availability)
        assert proxy.most_in_flight <= 16


def test_the_journal_drains_after_a_long_outage(tmp_path: Path, broker: Mosquitto, start: Start) -> None:
    journal = Journal.open(JournalConfig(path=tmp_path / "journal.db"))
    outbox: Outbox = journal
    try:
        for _ in range(20):
            journal.submit([event() for _ in range(100)]).result()
        with Collector(broker.port, ALL) as collector:
            rig = start(mqtt_config(broker.port), outbox)
            eventually(lambda: journal.outbox().rows == 0, 60)
            eventually(lambda: collector.seqs == list(range(1, 2001)))
            assert rig.published("delivered") == 2000
            rig.stop()
    finally:
        journal.close()
