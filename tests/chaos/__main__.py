"""``python -m tests.chaos``: inject, count, print one table; exit status 1 on any breach.

The numbers of faults are those of a run of twenty minutes, in proportion to ``--minutes``, at least one each.
"""

import argparse
import json
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

from tests.chaos import messaging
from tests.chaos.row import Row, show

# A device that is killed needs 2 s to come up, a black hole lasts 5 s: about 20 minutes on two cores.
FULL_MINUTES = 20.0
FULL = {
    "kill -9 of the device": 200,
    "kill -9 of the broker": 50,
    "network black hole": 20,
    "device stopped and continued": 20,
}
# A hundred events a second while a device lives: more than 10,000 in twenty minutes.
_PAUSE_SECONDS = 0.01


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--minutes", type=float, default=FULL_MINUTES, help="about how long (default 20)")
    parser.add_argument("--seed", type=int, default=1, help="of the moments at which faults come")
    parser.add_argument("--json", action="store_true", help="print a JSON list of rows")
    chosen = parser.parse_args()
    if chosen.minutes <= 0:
        parser.error("--minutes must be above 0")
    counts = {fault: max(1, round(times * chosen.minutes / FULL_MINUTES)) for fault, times in FULL.items()}
    with tempfile.TemporaryDirectory(prefix="edged-chaos-") as folder:
        rows = messaging.rows(Path(folder), counts, pause=_PAUSE_SECONDS, seed=chosen.seed, told=_progress)
    if chosen.json:
        sys.stdout.write(json.dumps([asdict(row) for row in rows], indent=2) + "\n")
    else:
        show(rows)
    sys.exit(any(row.breaches for row in rows))


def _progress(row: Row) -> None:
    sys.stderr.write(f"{row.fault}: {row.injected} times, {row.lost} lost\n")


if __name__ == "__main__":
    main()
