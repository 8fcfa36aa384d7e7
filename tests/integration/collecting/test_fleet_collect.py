"""Collectors as processes: a real broker, a real database, doors' own journals and publishers."""

import json
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from edged.collecting.links import open_link
from edged.config.sections import MqttConfig
from edged.publishing.founding import found, keyring
from edged.publishing.release import FleetFolder
from tests.fakes.collector import Collector as Listener
from tests.fakes.collector import eventually
from tests.fakes.mosquitto import Mosquitto, free_port
from tests.fakes.outbox import event
from tests.fakes.postgres import Postgres
from tests.integration.collecting.conftest import CollectorProcess, Door

Begin = Callable[..., CollectorProcess]
NewDoor = Callable[..., Door]


def ids(url: str) -> list[str]:
    link = open_link(url)
    try:
        return [row[0] for row in link.execute("SELECT event_id FROM events")]
    finally:
        link.close()


def settled(doors: list[Door]) -> Callable[[], bool]:
    return lambda: not any(one.waiting for one in doors)


def test_two_collectors_share_2000_events_of_three_doors_and_one_is_killed(
    cluster: Postgres, collector: Begin, door: NewDoor
) -> None:
    url = cluster.new_database()
    first, second = collector(url, "first"), collector(url, "second")
    eventually(lambda: first.running and second.running)
    doors = [door(name) for name in ("front", "back", "yard")]
    expected = [
        event_id
        for one, count in zip(doors, (667, 667, 666), strict=True)
        for event_id in one.record(*(event() for _ in range(count)))
    ]
    eventually(lambda: len(ids(url)) > 300)
    second.kill()
    eventually(lambda: len(ids(url)) > 900)
    second = collector(url, "second")
    eventually(settled(doors), 60)
    assert Counter(ids(url)) == Counter(expected)
    counts = [first.stop(), second.stop()]
    assert all(one["stored"] > 0 for one in counts), counts


def test_a_database_that_stops_costs_nothing_and_frees_no_door(
    cluster: Postgres, collector: Begin, door: NewDoor
) -> None:
    url = cluster.new_database()
    running = collector(url, "only")
    eventually(lambda: running.running)
    front = door()
    expected = front.record(*(event() for _ in range(50)))
    eventually(settled([front]))
    cluster.stop()
    try:
        expected += front.record(*(event() for _ in range(50)))
        eventually(lambda: "no database" in running.log)
        assert front.waiting == 50
    finally:
        cluster.start()
    eventually(settled([front]), 60)
    assert Counter(ids(url)) == Counter(expected)
    assert running.stop()["stored"] == 100


def test_the_desk_of_a_fleet_collects_with_the_file_that_it_has(
    tmp_path: Path, broker: Mosquitto, door: NewDoor
) -> None:
    folder = FleetFolder(tmp_path / "fleet", keyring(tmp_path / "fleet", b"a passphrase"))
    found(
        folder, site="hq", prefix="edged", broker=MqttConfig(port=broker.port), root_keys=1, threshold=1,
        group="doors", models={},
    )  # fmt: skip
    url, front = f"sqlite:{tmp_path / 'events.db'}", door()
    running = CollectorProcess(tmp_path / "fleet/config.yaml", tmp_path / "log", url, "desk")
    try:
        expected = front.record(*(event() for _ in range(20)))
        eventually(settled([front]), 60)
        assert Counter(ids(url)) == Counter(expected)
    finally:
        counts = running.stop()
    assert counts == {"stored": 20, "duplicate": 0}


def test_a_gap_is_found_and_filled_by_a_replay(tmp_path: Path, collector: Begin, door: NewDoor) -> None:
    """A broker's word was enough for this door, and who was told lost the events."""
    front = door(app_ack=False)
    url = f"sqlite:{tmp_path / 'events.db'}"
    with Listener(front.port, f"{front.topics.root}/#"):
        expected = front.record(*(event() for _ in range(40)))
        eventually(settled([front]))
    running = collector(url, "only", "--gap-seconds", "0.2", "--check-seconds", "0.2", "--metrics-port", "0")
    eventually(lambda: running.running)
    expected += front.record(event())
    eventually(lambda: len(ids(url)) == 41, 60)
    assert Counter(ids(url)) == Counter(expected)
    assert "events missing site=hq door=front" in running.log
    done = subprocess.run(
        [sys.executable, "-m", "edged", "fleet", "gaps", "--from", url, "--json"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert json.loads(done.stdout)["missing"] == []


def test_a_collector_that_leaves_takes_nothing_with_it(
    tmp_path: Path, collector: Begin, door: NewDoor
) -> None:
    """The door believes the broker, which says that nobody listens any more."""
    url, front = f"sqlite:{tmp_path / 'events.db'}", door(app_ack=False)
    first = collector(url, "only")
    eventually(lambda: first.running)
    expected = front.record(*(event() for _ in range(30)))
    eventually(settled([front]))
    assert first.stop() == {"stored": 30, "duplicate": 0}
    expected += front.record(*(event() for _ in range(30)))
    time.sleep(0.5)
    assert front.waiting == 30
    second = collector(url, "only")
    eventually(settled([front]))
    assert second.stop()["stored"] == 30
    assert Counter(ids(url)) == Counter(expected)


def test_what_is_no_event_is_set_aside_and_the_rest_goes_on(
    tmp_path: Path, collector: Begin, door: NewDoor
) -> None:
    url, front = f"sqlite:{tmp_path / 'events.db'}", door()
    running = collector(url, "only", "--metrics-port", str(port := free_port()))
    eventually(lambda: running.running)
    with Listener(front.port, "elsewhere") as other:
        topic = front.topics.event("access")
        # The last is larger than what the broker was told to send us: it does not.
        for payload in (b"\xff", b"\xff", b'{"v":2}', b"x" * 300_000):
            other.say(topic, payload)
        other.say(front.topics.event("check"), b'{"v":1,"check":true}')
        other.say(topic, b"retained", retain=True)
    expected = front.record(event())
    eventually(settled([front]))
    assert ids(url) == expected
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=60) as page:
        assert 'edged_collect_events_total{result="stored"} 1.0' in page.read().decode()
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=60) as page:
        assert json.load(page)["status"] == "ok"
    assert running.stop() == {
        "stored": 1, "duplicate": 0, "check": 1, "retained": 1, "malformed": 3,
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-m", "edged", "fleet", "gaps", "--from", url, "--json"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert [row[1:] for row in json.loads(done.stdout)["rejected"]] == [
        ["malformed", 2, 3], ["retained", 1, 1],
    ]  # fmt: skip


def test_a_broker_that_lost_all_it_acknowledged_costs_nothing(
    tmp_path: Path, broker: Mosquitto, collector: Begin, door: NewDoor
) -> None:
    url, front = f"sqlite:{tmp_path / 'events.db'}", door()
    running = collector(url, "only")
    eventually(lambda: running.running)
    expected = front.record(*(event() for _ in range(20)))
    eventually(settled([front]))
    running.kill()
    expected += front.record(*(event() for _ in range(20)))
    time.sleep(0.3)
    broker.kill()
    broker.start()
    running = collector(url, "only")
    eventually(settled([front]), 60)
    assert Counter(ids(url)) == Counter(expected)


def test_what_was_heard_and_not_stored_comes_again_after_a_kill(
    cluster: Postgres, collector: Begin, door: NewDoor
) -> None:
    """The broker's word is enough for this door, so the broker must not have been told."""
    url, front = cluster.new_database(), door(app_ack=False)
    running = collector(url, "only", "--no-refill")
    eventually(lambda: running.running)
    cluster.stop()
    try:
        expected = front.record(*(event() for _ in range(50)))
        eventually(lambda: "no database" in running.log)
        eventually(lambda: front.waiting < 50)
        running.kill()
    finally:
        cluster.start()
    collector(url, "only", "--no-refill")
    eventually(lambda: len(ids(url)) == 50)
    assert Counter(ids(url)) == Counter(expected)
