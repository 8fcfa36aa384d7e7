"""A door without eyes: a real journal, publisher and broker client, that records until it is told to stop.

Models cannot make thousands of events in minutes; everything behind the decision is the program's own.
Arguments: journal, file that receives the id of each event once its commit was acknowledged, broker port,
seconds between events, seconds the collector has to acknowledge (0: the broker is trusted).
SIGTERM: stop as the daemon does.
"""

import os
import signal
import sys
import threading
import time
from pathlib import Path

from edged.config.sections import JournalConfig
from edged.storage.journal import Journal
from tests.fakes.outbox import event
from tests.integration.fleet.conftest import mqtt_config, new_rig

# A visit is some events too: the grant, the punch, the door.
_EVENTS_A_TURN = 3


def main() -> None:
    path, acknowledged, port, pause = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), float(sys.argv[4])
    acks = float(sys.argv[5])
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    journal = Journal.open(JournalConfig(path=path), wait_seconds=10.0)
    # One write a line: a kill can cut the file between two ids and never inside one.
    note = os.open(acknowledged, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    rig = new_rig(
        mqtt_config(port, keepalive_seconds=2, app_ack=acks > 0, app_ack_seconds=acks or 30.0), journal
    )
    rig.worker.start()
    while not stop.is_set():
        made = [event(monotonic_at=time.monotonic()) for _ in range(_EVENTS_A_TURN)]
        stored = journal.submit(made).result()
        os.write(note, "".join(f"{one.event.event_id}\n" for one in stored).encode())
        rig.worker.wake()
        stop.wait(pause)
    rig.stop()
    journal.close()


if __name__ == "__main__":
    main()
