"""Threads that publish under a lock that the answers take too: paho's own deadlock (its issue 226).

Each round is one door's publisher at a real broker, and 50 threads of 10 events each. A run of twenty minutes
has ten minutes of it.
"""

import threading
import time
from pathlib import Path
from typing import Any

from tests.chaos.plan import FULL_MINUTES, Plan
from tests.chaos.row import Row
from tests.fakes.collector import Collector
from tests.fakes.mosquitto import mosquitto
from tests.fakes.outbox import FakeOutbox, event
from tests.integration.fleet.conftest import ALL, STATE, mqtt_config, new_rig

FAULT = "500 publishes by 50 threads under the answers' lock"
_THREADS, _EACH = 50, 10
_FULL_SECONDS = 600.0
# Far beyond what a round takes on a busy machine: what has not ended then will not end.
_STUCK_SECONDS = 120.0
_REST = 4.0


class LockingOutbox(FakeOutbox):
    """Takes the lock of those who publish when something was delivered, as a careless owner does."""

    def __init__(self) -> None:
        super().__init__()
        self.theirs = threading.Lock()

    def delivered(self, seqs: Any) -> None:
        with self.theirs:
            super().delivered(seqs)


def rows(folder: Path, plan: Plan) -> list[Row]:
    """Publish in rounds until the time is up, at least once."""
    if not plan.wants(FAULT):
        return []
    folder.mkdir(parents=True, exist_ok=True)
    ends_at = time.monotonic() + _FULL_SECONDS * plan.minutes / FULL_MINUTES
    done, lost, breaches = 0, 0, list[str]()
    with mosquitto(folder / "broker") as broker, Collector(broker.port, ALL):
        while not breaches and (done == 0 or time.monotonic() < ends_at):
            began_at = time.monotonic()
            missing, breaches = one_round(broker.port)
            done, lost = done + 1, lost + missing
            # The other lanes measure milliseconds: leave most of the time to them.
            rest = _REST * (time.monotonic() - began_at)
            time.sleep(max(0.0, min(rest, ends_at - time.monotonic())))
    text = f"{done * _THREADS * _EACH} published"
    return [plan.done(Row(FAULT, done, "no deadlock, 0 lost", text, lost, breaches=tuple(breaches)))]


def one_round(port: int) -> tuple[int, list[str]]:
    """Return how many events were not acknowledged, and what must not have happened."""
    outbox = LockingOutbox()
    rig = new_rig(mqtt_config(port), outbox)

    def publish() -> None:
        for _ in range(_EACH):
            with outbox.theirs:
                outbox.add(event())
                rig.worker.set_state(STATE)
                rig.worker.wake()

    rig.worker.start()
    threads = [threading.Thread(target=publish, daemon=True) for _ in range(_THREADS)]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + _STUCK_SECONDS
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    while len(outbox.removed) < _THREADS * _EACH and time.monotonic() < deadline and rig.worker.alive:
        time.sleep(0.01)
    missing = _THREADS * _EACH - len(set(outbox.removed))
    wrong = {
        "a publishing thread is stuck": any(thread.is_alive() for thread in threads),
        "the publisher died": not rig.worker.alive,
        f"{missing} events without an acknowledgement": missing > 0,
    }
    rig.worker.stop()
    wrong["the publisher does not end"] = not rig.worker.join(10)
    return missing, [what for what, is_so in wrong.items() if is_so]
