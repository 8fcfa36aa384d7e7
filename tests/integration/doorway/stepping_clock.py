"""The door process on a machine whose wall clock steps: by so many seconds as the file ``STEP_FILE`` says."""

import os
import sys
import time
from pathlib import Path

from edged.doorway import guard, server
from edged.doorway.main import main

STEP_FILE = Path(os.environ["STEP_FILE"])
wall, wall_ns = time.time, time.time_ns


def step() -> int:
    return int(STEP_FILE.read_text()) if STEP_FILE.exists() else 0


time.time = lambda: wall() + step()
time.time_ns = lambda: wall_ns() + step() * 10**9

guard._STARVED_SECONDS = server.SILENCE_SECONDS = 60.0  # as in tests.fakes.doorway

if __name__ == "__main__":
    sys.exit(main())
