"""``edged run`` whose worker of the name in the file ``hang`` never comes back from its next turn."""

import sys
import time
from pathlib import Path

from edged.cli import main
from edged.workers.worker import Worker

_ORDER = Path("hang")
_beat = Worker.beat


def beat(worker: Worker) -> None:
    """Beat, unless this one is to hang: as in a driver, no signal and no stop wakes it."""
    if _ORDER.exists() and _ORDER.read_text() == worker.name:
        _ORDER.unlink()
        while True:
            time.sleep(3600)
    _beat(worker)


if __name__ == "__main__":
    Worker.beat = beat  # type: ignore[method-assign]
    sys.argv = ["edged", "run"]
    main()
