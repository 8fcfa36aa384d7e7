"""The way of an event from its commit to the collector, while everything on it is killed or frozen."""

import contextlib
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from edged.fleet.messages import parse_event
from edged.storage.journal_reader import JournalReader
from tests.chaos.ledger import Arrival, Balance, balance
from tests.chaos.plan import Plan
from tests.chaos.row import Row
from tests.fakes.collector import Collector
from tests.fakes.mosquitto import Mosquitto, mosquitto
from tests.integration.fleet.conftest import ALL

ROOT = Path(__file__).parents[2]
# A device that is killed needs 2 s to come up, a black hole lasts 5 s: 15 minutes on a core of one's own.
FULL = {
    "kill -9 of the device": 200,
    "kill -9 of the broker": 50,
    "network black hole": 20,
    "device stopped and continued": 20,
}
MIXED = "all of these, mixed"
# Some twenty events a second while a device lives, more than 10,000 in twenty minutes. A broker that saves
# what it keeps at every change, as it must here, is slow with ten thousand in its queues: at 300 a second it
# stood still.
_PAUSE_SECONDS = 0.04
# The publisher hears of a silent broker after twice its keep-alive, which is two seconds here.
_FROZEN_SECONDS = 5.0
# Lost is what does not come although nothing else came for so long.
_DRAIN_SECONDS = 90.0
_NO_MORE_SECONDS = 3600.0
# A device has to live long enough to import, connect and record, now and then before it is killed.
_LIFE_SECONDS = (0.05, 1.2)
# Below the life of a device, so that what a broker lost is also sent again without a new connection.
_ACK_SECONDS = 2.0
_EXPECTED = "0 lost, none invented, in order"
# A broker that is killed may lose what it acknowledged, so there only the collector's word counts.
_BROKER_LOSES = frozenset({"kill -9 of the broker", MIXED})


class Messaging:
    """A broker, a durable collector and one device that is started anew whenever it has died."""

    def __init__(self, folder: Path, broker: Mosquitto, collector: Collector, pause: float) -> None:
        self._journal, self._acknowledged = folder / "journal.db", folder / "acknowledged"
        self._broker = broker
        self._collector = collector
        self._pause = pause
        self._device: subprocess.Popen[bytes] | None = None
        self._before = Balance(0, 0, 0, ())
        self.ack_seconds = 0.0

    def start(self, pause: float | None = None) -> None:
        """Start the device and wait until it records; ``pause`` instead of the usual between events."""
        size = self._noted()
        arguments = (
            self._journal,
            self._acknowledged,
            self._broker.port,
            pause or self._pause,
            self.ack_seconds,
        )
        self._device = subprocess.Popen(
            [sys.executable, "-m", "tests.chaos.device", *map(str, arguments)], cwd=ROOT
        )
        deadline = time.monotonic() + 60
        while self._noted() <= size:
            if self._device.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("the device does not record")
            time.sleep(0.01)

    def send(self, number: signal.Signals) -> None:
        """Send the device a signal."""
        assert self._device is not None
        self._device.send_signal(number)

    def end(self, number: signal.Signals) -> None:
        """End the device and wait for it."""
        self.send(number)
        assert self._device is not None
        code = self._device.wait(60)
        self._device = None
        if number == signal.SIGTERM and code != 0:
            raise RuntimeError(f"the device ended with {code}")

    def kill_device(self, chance: random.Random) -> None:
        """Kill -9 at a moment nobody chose."""
        time.sleep(chance.uniform(*_LIFE_SECONDS))
        self.end(signal.SIGKILL)
        self.start()

    def freeze_device(self, chance: random.Random) -> None:
        """Stop the device for a while, as a swapping or starving machine does."""
        self.send(signal.SIGSTOP)
        time.sleep(chance.uniform(0.5, 4.0))
        self.send(signal.SIGCONT)
        time.sleep(0.5)

    def kill_broker(self, chance: random.Random) -> None:
        """Kill -9 of the broker, which saves what it holds at every change."""
        time.sleep(chance.uniform(0.2, 2.0))
        self._broker.kill()
        time.sleep(chance.uniform(0.0, 0.5))
        self._broker.start()

    def black_hole(self, chance: random.Random) -> None:
        """Take the network away without a word: connections stay open and nothing answers."""
        self._broker.freeze()
        time.sleep(_FROZEN_SECONDS * chance.uniform(0.5, 1.2))
        self._broker.thaw()
        time.sleep(chance.uniform(0.5, 2.0))

    def row(self, fault: str, injected: int) -> Row:
        """Wait until all that is recorded has arrived, and say what came of it since the last row."""
        self.end(signal.SIGTERM)
        self.start(_NO_MORE_SECONDS)  # what waits is sent by this one, which adds a single event
        deadline, waiting = time.monotonic() + _DRAIN_SECONDS, self._balance().lost
        while waiting and time.monotonic() < deadline:
            time.sleep(1.0)
            left = self._balance().lost
            if left < waiting:  # a busy machine is slow, and slow is not lost
                deadline, waiting = time.monotonic() + _DRAIN_SECONDS, left
            waiting = min(waiting, left)
        self.end(signal.SIGTERM)
        found = self._balance()
        before, self._before = self._before, found
        new = [each for each in found.breaches if each not in before.breaches and not each.endswith(" lost")]
        lost = max(0, found.lost - before.lost)
        if lost:
            seqs = [str(seq) for _, seq in sorted(set(found.missing) - set(before.missing))]
            new.append(f"{lost} lost: seq {', '.join(seqs[:50]) or 'unknown'}")
        events, again = found.recorded - before.recorded, found.duplicated - before.duplicated
        return Row(fault, injected, _EXPECTED, f"{events} events", lost, again, breaches=tuple(new))

    def close(self) -> None:
        """Leave no process behind, nor a broker that stands still."""
        if self._device is not None and self._device.poll() is None:
            self._device.kill()
            self._device.wait(10)

    def _noted(self) -> int:
        return self._acknowledged.stat().st_size if self._acknowledged.exists() else 0

    def _balance(self) -> Balance:
        time.sleep(0.5)  # the last ones are on their way from the broker
        with JournalReader.open(self._journal) as reader:
            journal = {(one.epoch, one.seq): one.event.event_id for one in reader.events()}
        arrivals = []
        for message in self._collector.messages:
            if "/event/" in message.topic:
                event = parse_event(message.payload)
                arrivals.append(Arrival((event.epoch, event.seq), event.id))
        return balance(journal, self._acknowledged.read_text().split(), arrivals)


@contextlib.contextmanager
def messaging(folder: Path, pause: float) -> Iterator[Messaging]:
    """Start broker and collector; the device is started by the caller."""
    with (
        mosquitto(folder / "broker", "max_queued_messages 0") as broker,
        Collector(broker.port, ALL, acks=True) as collector,
    ):
        running = Messaging(folder, broker, collector, pause)
        try:
            yield running
        finally:
            broker.thaw()
            running.close()


def rows(folder: Path, plan: Plan) -> list[Row]:
    """Inject each fault as often as planned, then all of them mixed once more in a tenth."""
    chosen = [fault for fault in (*FULL, MIXED) if plan.wants(fault)]
    if not chosen:
        return []
    found = []
    folder.mkdir(parents=True, exist_ok=True)
    with messaging(folder, _PAUSE_SECONDS) as running:
        faults: dict[str, Callable[[random.Random], None]] = {
            "kill -9 of the device": running.kill_device,
            "kill -9 of the broker": running.kill_broker,
            "network black hole": running.black_hole,
            "device stopped and continued": running.freeze_device,
        }
        for fault in chosen:
            chance, injected = plan.chance(fault), 0
            mixed = [inject for each, inject in faults.items() for _ in range(-(-FULL[each] // 10))]
            chance.shuffle(mixed)
            loses = fault in _BROKER_LOSES
            running.ack_seconds = _ACK_SECONDS if loses else 0.0
            running.start()
            for number in plan.rounds(fault, FULL.get(fault, len(mixed))):
                (faults.get(fault) or mixed[number])(chance)
                injected += 1
            found.append(plan.done(running.row(fault, injected)))
    return found
