"""A door without eyes: a real journal, publisher and broker client, that records until it is told to stop.

Models cannot make thousands of events in minutes; everything behind the decision is the program's own.
Arguments: journal, file that receives the id of each event once its commit was acknowledged, broker port,
seconds between events. SIGTERM: stop as the daemon does.
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


def main() -> None:
    path, acknowledged, port, pause = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), float(sys.argv[4])
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    journal = Journal.open(JournalConfig(path=path), wait_seconds=10.0)
    # One write a line: a kill can cut the file between two ids and never inside one.
    note = os.open(acknowledged, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    rig = new_rig(mqtt_config(port, keepalive_seconds=2), journal)
    rig.worker.start()
    while not stop.is_set():
        (stored,) = journal.submit([event(monotonic_at=time.monotonic())]).result()
        os.write(note, f"{stored.event.event_id}\n".encode())
        rig.worker.wake()
        stop.wait(pause)
    rig.stop()
    journal.close()


if __name__ == "__main__":
    main()
