"""Brokers that refuse, that nobody listens to, that were away for a day; callbacks that raise."""

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edged.config.sections import JournalConfig
from edged.domain.types import Event, EventKind
from edged.fleet.messages import parse_event
from edged.storage.journal import Journal
from edged.storage.journal_reader import JournalReader
from tests.chaos.ledger import Arrival, balance
from tests.chaos.plan import Plan
from tests.chaos.row import Row
from tests.fakes.collector import Collector
from tests.fakes.mosquitto import Mosquitto, mosquitto
from tests.fakes.mqtt_wire import CountingProxy
from tests.fakes.outbox import event
from tests.integration.fleet.conftest import ALL, Rig, mqtt_config, new_rig

ROOT = Path(__file__).parents[2]
BACKLOG = "broker away while 50,000 events are made"
FORBIDDEN = "events that the ACL refuses (0x87)"
UNHEARD = "events that nobody subscribes to (0x10)"
OVERSIZED = "events larger than the broker takes"
CALLBACKS = "an exception in every callback"

_BACKLOG_EVENTS = 50_000
_BATCH = 500
_WINDOW = 16
# What a full page of pending rows and paho's packets may add to a device that has just started.
_BACKLOG_MORE_MB = 30.0
_WAIT_SECONDS = 60.0
# What the device that delivers the backlog adds to it.
_OF_THE_DEVICE = 3


@dataclass
class Desk:
    """A publisher with a real journal; ``collector`` comes and goes."""

    journal: Journal
    rig: Rig
    broker: Mosquitto
    path: Path
    recorded: int = 0
    collector: Collector | None = None
    seen: list[Arrival] = field(default_factory=list)

    def record(self, *events: Event) -> None:
        """Commit events and wake the publisher."""
        self.journal.submit(list(events)).result()
        self.recorded += len(events)
        self.rig.worker.wake()

    def listen(self, name: str = "collector") -> None:
        """Have somebody listen from now on."""
        self.collector = Collector(self.broker.port, ALL, client_id=name)

    def until_told(self) -> None:
        """Wait until nothing waits in the outbox, save what was set aside."""
        until(lambda: self.journal.outbox().rows == 0, "the outbox is empty")

    def sample(self, name: str, **labels: str) -> float:
        """Return a figure of the publisher."""
        return self.rig.sample(name, **labels)


@contextlib.contextmanager
def desk(folder: Path, *options: str) -> Iterator[Desk]:
    """Start a broker with ``options`` and a publisher before it.

    The queues are bounded: without a bound mosquitto 2.0.11 hangs up on who publishes what its ACL refuses.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with mosquitto(folder / "broker", "max_queued_messages 10000", *options) as broker:
        journal = Journal.open(JournalConfig(path=folder / "journal.db"))
        rig = new_rig(mqtt_config(broker.port), journal)
        rig.worker.start()
        one = Desk(journal, rig, broker, folder / "journal.db")
        try:
            until(lambda: rig.worker.connected, "the publisher connects")
            yield one
        finally:
            if one.collector is not None:
                one.collector.close()
            rig.stop()
            journal.close()


def _forbidden(folder: Path, chance: random.Random) -> tuple[Desk, str, list[str]]:
    acl = folder / "acl"
    mistaken = "topic read #\ntopic write edged/hq/front/event/access\ntopic write edged/hq/front/state\n"
    acl.write_text(mistaken)
    with desk(folder, f"acl_file {acl}") as one:
        one.listen()
        kinds = [EventKind.ALARM] * 20 + [EventKind.ACCESS] * 20
        chance.shuffle(kinds)
        one.record(*(event(kind) for kind in kinds))
        allowed = [seq for seq, kind in enumerate(kinds, 1) if kind is EventKind.ACCESS]
        until(lambda: _seqs(one) == allowed, "what is allowed passes what is not")
        until(lambda: one.sample("edged_mqtt_publishes_total", result="refused") >= 1, "it is counted")
        acl.write_text("topic readwrite #\n")
        one.broker.reload()
        one.until_told()
        breaches = ["the connection was lost"] if one.sample("edged_mqtt_reconnects_total") else []
        return one, "head of the queue free, delivered once allowed", breaches + _judged(one)


def _unheard(folder: Path, chance: random.Random) -> tuple[Desk, str, list[str]]:
    with desk(folder) as one:
        one.record(*(event() for _ in range(chance.randrange(1, 40))))
        until(lambda: one.sample("edged_mqtt_publishes_total", result="nobody") >= 1, "it is counted")
        breaches = [] if one.journal.outbox().rows == one.recorded else ["an event nobody heard was let go"]
        one.listen()
        one.until_told()
        return one, "kept until somebody listens", breaches + _judged(one)


def _oversized(folder: Path, chance: random.Random) -> tuple[Desk, str, list[str]]:
    with desk(folder, "max_packet_size 65536") as one:
        one.listen()
        large = sorted(chance.sample(range(30), 3))
        for number in range(30):
            one.record(event(body={"x": "y" * (100_000 if number in large else 50)}))
        one.until_told()
        aside = one.journal.outbox().quarantined
        breaches = [] if aside == len(large) else [f"{aside} set aside of {len(large)}"]
        if one.broker.log.count("as edged-hq-front") != 1:
            breaches.append("the broker hung up")
        return one, "set aside, the others pass", breaches + _judged(one, aside)


def _callbacks(folder: Path, chance: random.Random) -> tuple[Desk, str, list[str]]:
    def fail(*_: object) -> None:
        raise RuntimeError("callback")

    with desk(folder) as one:
        one.listen()
        names = ["on_connect", "on_disconnect", "on_log", "on_publish", "on_message"]
        worst = 0.0
        for name in names:
            until(lambda: one.rig.worker.connected, "it is connected")
            connection = one.rig.client._connection
            if connection is None:
                continue
            setattr(connection._client, name, fail)
            one.record(*(event() for _ in range(chance.randrange(1, 20))))
            one.broker.kill()
            one.broker.start()
            began_at = time.monotonic()
            one.record(event())
            one.until_told()
            worst = max(worst, time.monotonic() - began_at)
        breaches = [] if one.rig.worker.alive else ["the publisher died"]
        # A broker that is killed may lose what it acknowledged; here the publisher is on trial.
        return one, f"delivering again ≤ {1000 * worst:.0f} ms", breaches


def _judged(one: Desk, aside: int = 0) -> list[str]:
    """Hold the journal against what arrived; ``aside`` events are in the quarantine."""
    until(lambda: len(set(_seqs(one))) >= one.recorded - aside, "all arrive")
    with JournalReader.open(one.path) as reader:
        journal = {(each.epoch, each.seq): each.event.event_id for each in reader.events()}
    messages = [] if one.collector is None else one.collector.messages
    events = [parse_event(message.payload) for message in messages if "/event/" in message.topic]
    one.seen = [Arrival((each.epoch, each.seq), each.id) for each in events]
    found = balance(journal, (), one.seen)
    breaches = [breach for breach in found.breaches if not breach.endswith(" lost")]
    # What waited for another topic's right is late; each topic for itself is in order.
    breaches = [breach for breach in breaches if breach != "first arrivals out of order"]
    by_kind: dict[str, list[int]] = {}
    for message, each in zip([m for m in messages if "/event/" in m.topic], events, strict=True):
        by_kind.setdefault(message.topic, []).append(each.seq)
    for topic, seqs in by_kind.items():
        first = list(dict.fromkeys(seqs))
        if first != sorted(first):
            breaches.append(f"{topic.rpartition('/')[2]} out of order")
    if found.lost > aside:
        breaches.append(f"{found.lost - aside} lost")
    return breaches


Round = Callable[[Path, random.Random], tuple[Desk, str, list[str]]]
_ROUNDS: tuple[tuple[str, int, str, Round], ...] = (
    (FORBIDDEN, 5, "kept, counted, others pass, 0 lost", _forbidden),
    (UNHEARD, 5, "kept, counted, 0 lost", _unheard),
    (OVERSIZED, 5, "set aside, no disconnect", _oversized),
    (CALLBACKS, 3, "thread lives, delivers again", _callbacks),
)


def rows(folder: Path, plan: Plan) -> list[Row]:
    """Run the rows that are wanted."""
    found = [_backlog(folder / "backlog", plan)] if plan.wants(BACKLOG) else []
    for fault, full, expected, play in _ROUNDS:
        if not plan.wants(fault):
            continue
        chance, breaches, events, again, text, injected = plan.chance(fault), [], 0, 0, "", 0
        for number in plan.rounds(fault, full):
            one, text, wrong = play(_made(folder / f"{play.__name__}-{number}"), chance)
            breaches += wrong
            events += one.recorded
            again += len(one.seen) - len({arrival.place for arrival in one.seen})
            injected += 1
        lost = sum(int(breach.split()[0]) for breach in breaches if breach.endswith(" lost"))
        told = Row(fault, injected, expected, f"{events} events, {text}", lost, again, None, tuple(breaches))
        found.append(plan.done(told))
    return found


def _backlog(folder: Path, plan: Plan) -> Row:
    """Make a journal full of events, then let the broker come back."""
    wanted, path = plan.times(_BACKLOG_EVENTS), _made(folder) / "journal.db"
    journal, began_at = Journal.open(JournalConfig(path=path)), time.monotonic()
    for number, start in enumerate(range(0, wanted, _BATCH)):
        plan.step(BACKLOG, number, -(-wanted // _BATCH))
        journal.submit([event() for _ in range(min(_BATCH, wanted - start))]).result()
    journal.close()
    with (
        mosquitto(folder / "broker", "max_queued_messages 0", "autosave_on_changes false") as broker,
        Collector(broker.port, ALL) as collector,
        CountingProxy(broker.port) as proxy,
    ):
        broker.stop()
        arguments = [path, folder / "acknowledged", proxy.port, 3600, 0]
        device = subprocess.Popen(
            [sys.executable, "-m", "tests.chaos.device", *map(str, arguments)], cwd=ROOT, env=_environment()
        )
        try:
            until((folder / "acknowledged").exists, "the device runs")
            time.sleep(1.0)
            before = worst = rss_mb(device.pid)
            broker.start()
            began_at = time.monotonic()
            while (
                _count(collector) < wanted + _OF_THE_DEVICE and time.monotonic() - began_at < 60 + wanted / 50
            ):
                worst = max(worst, rss_mb(device.pid))
                time.sleep(0.2)
            seconds = time.monotonic() - began_at
            device.send_signal(signal.SIGTERM)
            code = device.wait(60)
        finally:
            if device.poll() is None:
                device.kill()
                device.wait()
        seqs = [each.seq for each in collector.events]
        in_flight = proxy.most_in_flight
    first = list(dict.fromkeys(seqs))
    lost = wanted + _OF_THE_DEVICE - len(first)
    wrong = {
        f"{lost} lost": lost > 0,
        "out of order": first != sorted(first),
        f"{in_flight} in flight": in_flight > _WINDOW,
        f"{worst - before:.0f} MB more": worst - before > _BACKLOG_MORE_MB,
        f"the device ended with {code}": code != 0,
    }
    text = (
        f"{len(first)} events in {seconds:.0f} s, ≤ {in_flight} in flight, "
        f"RSS {before:.0f} → ≤ {worst:.0f} MB"
    )
    breaches = tuple(what for what, is_so in wrong.items() if is_so)
    expected = f"in order, ≤ {_WINDOW} in flight, RSS bounded"
    return plan.done(Row(BACKLOG, 1, expected, text, lost, len(seqs) - len(first), None, breaches))


def rss_mb(pid: int) -> float:
    """Return the resident memory of a process in MB, 0 once it has ended."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, IndexError):
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def until(condition: Callable[[], object], what: str, seconds: float = _WAIT_SECONDS) -> None:
    """Wait until it holds. Raises ``RuntimeError``."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise RuntimeError(f"not within {seconds:g} s: {what}")
        time.sleep(0.02)


def _seqs(one: Desk) -> list[int]:
    return [] if one.collector is None else one.collector.seqs


def _count(collector: Collector) -> int:
    return sum("/event/" in message.topic for message in collector.messages)


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _environment() -> dict[str, Any]:
    return {**os.environ, "PYTHONPATH": str(ROOT)}
