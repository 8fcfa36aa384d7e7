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
from tests.chaos.row import Row
from tests.fakes.collector import Collector
from tests.fakes.mosquitto import Mosquitto, mosquitto
from tests.integration.fleet.conftest import ALL

ROOT = Path(__file__).parents[2]
# The publisher hears of a silent broker after twice its keep-alive, which is two seconds here.
_FROZEN_SECONDS = 5.0
_DRAIN_SECONDS = 90.0
# A device has to live long enough to import, connect and record, now and then before it is killed.
_LIFE_SECONDS = (0.05, 1.2)
_EXPECTED = "0 lost, none invented, in order"


class Messaging:
    """A broker, a durable collector and one device that is started anew whenever it has died."""

    def __init__(self, folder: Path, broker: Mosquitto, collector: Collector, pause: float) -> None:
        self._journal, self._acknowledged = folder / "journal.db", folder / "acknowledged"
        self._broker = broker
        self._collector = collector
        self._pause = pause
        self._device: subprocess.Popen[bytes] | None = None
        self._before = Balance(0, 0, 0, ())

    def start(self) -> None:
        """Start the device and wait until it records."""
        size = self._noted()
        arguments = (self._journal, self._acknowledged, self._broker.port, self._pause)
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
        deadline = time.monotonic() + _DRAIN_SECONDS
        self.end(signal.SIGTERM)  # what waits is sent by the next one
        self.start()
        self.end(signal.SIGTERM)
        found = self._balance()
        while found.lost and time.monotonic() < deadline:
            self.start()
            time.sleep(2.0)
            self.end(signal.SIGTERM)
            found = self._balance()
        before, self._before = self._before, found
        new = tuple(breach for breach in found.breaches if breach not in before.breaches)
        events, again = found.recorded - before.recorded, found.duplicated - before.duplicated
        return Row(fault, injected, _EXPECTED, f"{events} events", found.lost, again, breaches=new)

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
        Collector(broker.port, ALL) as collector,
    ):
        running = Messaging(folder, broker, collector, pause)
        try:
            yield running
        finally:
            broker.thaw()
            running.close()


def rows(
    folder: Path, counts: dict[str, int], *, pause: float, seed: int, told: Callable[[Row], None]
) -> list[Row]:
    """Inject each fault so often as ``counts`` says, then all of them mixed once more in a tenth."""
    chance, found = random.Random(seed), []
    with messaging(folder, pause) as running:
        faults: dict[str, Callable[[random.Random], None]] = {
            "kill -9 of the device": running.kill_device,
            "kill -9 of the broker": running.kill_broker,
            "network black hole": running.black_hole,
            "device stopped and continued": running.freeze_device,
        }
        for fault, inject in faults.items():
            running.start()
            for _ in range(counts[fault]):
                inject(chance)
            found.append(running.row(fault, counts[fault]))
            told(found[-1])
        running.start()
        mixed = [inject for fault, inject in faults.items() for _ in range(-(-counts[fault] // 10))]
        chance.shuffle(mixed)
        for inject in mixed:
            inject(chance)
        found.append(running.row("all of these, mixed", len(mixed)))
        told(found[-1])
    return found
