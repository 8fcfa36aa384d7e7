"""``python -m tests.peers``: edged beside other libraries, frame by frame in turns, one table.

The same frames of 640 x 480 and the same pairs of photographs go through everybody, each in a process of
its own with its own threads and defaults; one at a time, a few frames a turn, in an order drawn anew. Whoever
is not installed, or lacks weights, is a line that says why. Timings are no verdict: the exit status is 0
unless edged itself did not run.
"""

import argparse
import json
import os
import random
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from edged.evaluation.protocols import Pair, images_below, read_pairs
from tests.peers import accuracy as judged
from tests.peers.contender import Contender
from tests.peers.frames import make_scene
from tests.peers.ground import REFERENCE, STARTER, Ground, contenders
from tests.peers.race import Entrants, Step, race, start
from tests.peers.seat import ROOT, PeerError
from tests.peers.table import Row, as_json, row, show

_SHARED = ROOT.parent / "shared"
_CAST = ROOT / "edged" / "demo" / "cast"


def main() -> None:
    """Run what was asked for."""
    chosen = _parser().parse_args()
    console = Console(stderr=True)
    _keep_compiled(chosen.work / "compiled")
    ground = Ground(chosen.work, chosen.weights, chosen.python)
    with _bars(console, "weights") as step:
        step(0, 1)
        notes = ground.prepare()
    photographs, pairs = _photographs(chosen.data, chosen.pairs)
    scene = make_scene(photographs, chosen.work / "frames", chosen.frames, chosen.seed)
    everybody = contenders(ground, scene.enrolled)
    asked = [one for one in everybody if not chosen.only or any(word in one.name for word in chosen.only)]
    chance = random.Random(chosen.seed)
    with _bars(console, "starts") as step:
        entrants = start(asked, scene.frames[0], ground.logs, times=chosen.starts, chance=chance, step=step)
    try:
        with _bars(console, "frames in turns") as step:
            race(entrants, scene.frames, chance=chance, step=step)
        found = _accuracies(entrants, asked, chosen.data, pairs, console)
    finally:
        entrants.close()
    reference = _reference(entrants, chosen.reference)
    rows = _rows(asked, entrants, found, reference)
    if chosen.json:
        sys.stdout.write(json.dumps(as_json(rows, reference, notes), indent=2) + "\n")
    else:
        show(rows, reference, notes, Console(width=None if Console().is_terminal else 170))


def _keep_compiled(folder: Path) -> None:
    """Have everybody's modules compiled once, in ``folder``: pip does so for all but a checkout."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    os.environ["PYTHONPYCACHEPREFIX"] = str(folder.absolute())


def _accuracies(
    entrants: Entrants, asked: Sequence[Contender], data: Path, pairs: Sequence[Pair], console: Console
) -> dict[str, judged.Accuracy]:
    found = {}
    for contender in asked:
        seat = entrants.seats.get(contender.name)
        if seat is None or contender.sequence or not pairs:
            continue
        try:
            with _bars(console, f"photographs, {contender.name}") as step:
                vectors, count = judged.embed(seat, data / "images", pairs, step)
        except PeerError as exc:
            entrants.drop(contender.name, str(exc))
        else:
            found[contender.name] = judged.accuracy(vectors, count, pairs, contender.measure)
    return found


def _rows(
    asked: Sequence[Contender], entrants: Entrants, found: dict[str, judged.Accuracy], reference: str
) -> list[Row]:
    beside = entrants.times[reference]
    return [
        Row(one.name, one.own, entrants.out[one.name], aim=one.aim)
        if one.name in entrants.out
        else row(one, entrants.times[one.name], beside, found.get(one.name))
        for one in asked
    ]


def _reference(entrants: Entrants, wanted: str | None) -> str:
    """Return who the others are held against: what was asked for, or edged in the best form that ran."""
    for name in (wanted,) if wanted else (REFERENCE, STARTER):
        if name in entrants.times:
            return name
    reasons = "; ".join(f"{name}: {why}" for name, why in entrants.out.items())
    sys.exit(f"nothing to hold the others against. {reasons}")


def _photographs(data: Path, pairs: int) -> tuple[list[Path], list[Pair]]:
    """Return who is to be in the frames, and the pairs: without photographs the demo's cast, and none."""
    if not (data / "pairs.csv").is_file():
        sys.stderr.write(f"no photographs in {data}: frames of the demo's cast, and no pairs\n")
        return images_below(_CAST), []
    return images_below(data / "images"), judged.some_pairs(read_pairs(data / "pairs.csv"), pairs)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.peers", description=__doc__)
    parser.add_argument("--frames", type=_positive, default=300, help="frames for everybody (default 300)")
    parser.add_argument(
        "--pairs", type=int, default=400, help="pairs of photographs (default 400); 0 for none"
    )
    parser.add_argument("--starts", type=_positive, default=3, help="starts of everybody (default 3)")
    parser.add_argument("--seed", type=int, default=1, help="of the visitors and of the order of turns")
    parser.add_argument("--only", nargs="+", default=[], metavar="WORDS", help="those with one in their name")
    parser.add_argument("--reference", help=f"whom to hold the others against (default {REFERENCE})")
    parser.add_argument("--python", type=Path, default=ROOT / ".venv-peers/bin/python", help="of the others")
    parser.add_argument("--weights", type=Path, default=_SHARED / "models", help="research weights")
    parser.add_argument("--data", type=Path, default=_SHARED / "data/lfw-dev", help="research photographs")
    parser.add_argument("--work", type=Path, default=ROOT / "build/peers", help="where all is laid out")
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be above 0")
    return number


@contextmanager
def _bars(console: Console, what: str) -> Iterator[Step]:
    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    )  # fmt: skip
    with Progress(*columns, console=console, disable=not console.is_terminal) as bars:
        task = bars.add_task(what, total=None)
        yield lambda done, total: bars.update(task, completed=done, total=total)


if __name__ == "__main__":
    main()
