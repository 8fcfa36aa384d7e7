"""``edged run``, in which one loop hangs once the file ``hang`` lies beside the configuration."""

import sys
import threading
from pathlib import Path

from edged.__main__ import main
from edged.workers.gallery_sync import GallerySyncWorker
from edged.workers.worker import Worker

GallerySyncWorker.stall_seconds = 0.8


def beat(worker: Worker) -> None:
    Worker.beat(worker)
    if Path("hang").exists():
        lock = threading.Lock()
        lock.acquire()
        lock.acquire(timeout=60)


GallerySyncWorker.beat = beat  # type: ignore[method-assign, assignment]

if __name__ == "__main__":
    sys.exit(main())
