"""``python -m tests.chaos``: inject, count, print one table; exit status 1 on any breach.

The numbers of faults are those of a run of twenty minutes, in proportion to ``--minutes``, at least one each.
"""

import argparse
import json
import shutil
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

from tests.chaos import forgetful_broker, messaging, power_cuts
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
FULL_CUTS = 1000
FULL_FORGOTTEN = 30


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--minutes", type=float, default=FULL_MINUTES, help="about how long (default 20)")
    parser.add_argument("--seed", type=int, default=1, help="of the moments at which faults come")
    parser.add_argument("--json", action="store_true", help="print a JSON list of rows")
    chosen = parser.parse_args()
    if chosen.minutes <= 0:
        parser.error("--minutes must be above 0")
    counts = {fault: max(1, round(times * chosen.minutes / FULL_MINUTES)) for fault, times in FULL.items()}
    folder = Path(tempfile.mkdtemp(prefix="edged-chaos-"))
    rows = messaging.rows(folder, counts, pause=_PAUSE_SECONDS, seed=chosen.seed, told=_progress)
    forgotten = max(1, round(FULL_FORGOTTEN * chosen.minutes / FULL_MINUTES))
    rows.append(forgetful_broker.row(folder / "forgetful", forgotten, chosen.seed))
    _progress(rows[-1])
    rows.append(_power(max(1, round(FULL_CUTS * chosen.minutes / FULL_MINUTES)), chosen.seed))
    if any(row.breaches for row in rows):
        sys.stderr.write(f"journal, broker and notes of this run are kept in {folder}\n")
    else:
        shutil.rmtree(folder)
    if chosen.json:
        sys.stdout.write(json.dumps([asdict(row) for row in rows], indent=2) + "\n")
    else:
        show(rows)
    sys.exit(any(row.breaches for row in rows))


def _power(cuts: int, seed: int) -> Row:
    found = power_cuts.run(cuts, seed)
    wrong = {"invented": found.invented, "without a start": found.not_started, "damaged": found.damaged}
    breaches = [f"{times} {what}" for what, times in wrong.items() if times]
    if found.lost:
        breaches.append(f"{found.lost} cuts lost events")
    row = Row(
        "power cut, sectors torn", cuts, "0 lost, none invented, every start works",
        f"{found.acknowledged} events", found.lost, breaches=tuple(breaches),
    )  # fmt: skip
    _progress(row)
    return row


def _progress(row: Row) -> None:
    sys.stderr.write(f"{row.fault}: {row.injected} times, {row.lost} lost\n")


if __name__ == "__main__":
    main()
