"""A device in small: a real journal and a real publisher, made to be killed.

Arguments: journal path, broker port, number of events to record, seconds between them.
"""

import sys
import time
from pathlib import Path

from edged.config.sections import JournalConfig
from edged.storage.journal import Journal
from tests.fakes.outbox import event
from tests.integration.fleet.conftest import mqtt_config, new_rig


def main() -> None:
    path, port, count, pause = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
    journal = Journal.open(JournalConfig(path=path))
    rig = new_rig(mqtt_config(port), journal)
    rig.worker.start()
    for _ in range(count):
        (stored,) = journal.submit([event(monotonic_at=time.monotonic())]).result()
        sys.stdout.write(f"{stored.seq}\n")
        sys.stdout.flush()
        rig.worker.wake()
        time.sleep(pause)
    while journal.outbox().rows:
        time.sleep(0.05)
    rig.stop()
    journal.close()


if __name__ == "__main__":
    main()
