"""``python -m tests.fuzz``: feed every reader of outside bytes for a while, print one table.

Exit status 1 on any breach; the input that led to it is in a file that the table names. What was found on the
way is kept in ``--work``, so that the next run begins there. To try one input again:
``python -m tests.fuzz --try FILE --target NAME``.
"""

import argparse
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import track
from rich.table import Table

from tests.fuzz.target import Target, endure
from tests.fuzz.targets import TARGETS

DEFAULT_MINUTES = 10.0
# An input takes milliseconds; on a busy machine, with every branch counted, a hundred times that.
TIMEOUT_SECONDS = 20
_LEAST_SECONDS = 5.0
_STARTING_SECONDS = 120.0
# What the process itself takes with OpenCV and onnxruntime is 400 MB, what an input may add 512 MiB.
_RSS_MB = 2048


@dataclass(frozen=True, slots=True)
class Row:
    """What came of one target. ``coverage`` is branches at the start and at the end; ``crash`` the input."""

    target: str
    executions: int
    seconds: float
    coverage: tuple[int, int] | None
    peak_mb: int | None
    crash: str | None
    why: str | None


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument(
        "--minutes",
        type=float,
        default=DEFAULT_MINUTES,
        help="for all together (default 10); at least 5 s each",
    )
    parser.add_argument(
        "--target", action="append", choices=sorted(TARGETS), help="only this; may be repeated"
    )
    parser.add_argument("--work", type=Path, default=Path("build/fuzz"), help="where inputs are kept")
    parser.add_argument("--try", dest="tried", type=Path, help="let the one --target read this file, and end")
    parser.add_argument("--json", action="store_true", help="print a JSON list of rows")
    chosen = parser.parse_args()
    if chosen.minutes <= 0:
        parser.error("--minutes must be above 0")
    names = chosen.target or list(TARGETS)
    if chosen.tried is not None:
        _try(TARGETS[names[0]], chosen.tried)
        return
    guided = importlib.util.find_spec("atheris") is not None
    if not guided:
        sys.stderr.write(
            "atheris is not installed here (it has wheels for Linux on x86-64): the same readers are tried "
            "by hypothesis alone, which does not see what an input reaches.\n"
        )
    console = Console(stderr=True)
    share = _Share(chosen.minutes * 60, len(names))
    rows = []
    for name in track(names, "Fuzzing", console=console, disable=not console.is_terminal):
        seconds = share.next()
        rows.append(_fuzz(TARGETS[name], chosen.work, seconds, guided=guided))
        share.took(rows[-1].seconds - seconds)
    if chosen.json:
        sys.stdout.write(json.dumps([asdict(row) for row in rows], indent=2) + "\n")
    else:
        _show(rows)
    sys.exit(any(row.crash or row.why for row in rows))


class _Share:
    """Divides the time among the targets that are left; each also needs some to start."""

    def __init__(self, seconds: float, targets: int) -> None:
        self._end = time.monotonic() + seconds
        self._left = targets
        self._starting = 0.0

    def next(self) -> float:
        share = (self._end - time.monotonic()) / self._left - self._starting
        self._left -= 1
        return max(_LEAST_SECONDS, share)

    def took(self, starting: float) -> None:
        self._starting = starting


def _try(target: Target, path: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        endure(target, path.read_bytes(), Path(folder))
    sys.stdout.write(f"{target.name} reads {path}, or refuses it as declared\n")


def _fuzz(target: Target, work: Path, seconds: float, *, guided: bool) -> Row:
    corpus, crashes = work / "corpus" / target.name, work / "crashes"
    for folder in (corpus, crashes):
        folder.mkdir(parents=True, exist_ok=True)
    prefix = crashes / f"{target.name}-"
    before = set(crashes.glob(f"{prefix.name}*"))
    log = work / f"{target.name}.log"
    command = _guided(target, corpus, prefix, seconds) if guided else _blind(target, prefix, seconds)
    temporary = tempfile.mkdtemp(prefix="edged-fuzz-")
    environment = {**os.environ, "TMPDIR": temporary, "OMP_NUM_THREADS": "1", "OPENCV_LOG_LEVEL": "SILENT"}
    started_at = time.monotonic()
    try:
        with log.open("wb") as output:
            code = subprocess.run(
                [sys.executable, "-m", *command],
                stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=environment, check=False,
                timeout=seconds + _STARTING_SECONDS,
            ).returncode  # fmt: skip
    except subprocess.TimeoutExpired:
        code = -1
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    new = sorted(set(crashes.glob(f"{prefix.name}*")) - before)
    crash = str(new[0]) if new else None
    return _row(target.name, log.read_text("utf-8", "replace"), time.monotonic() - started_at, code, crash)


def _guided(target: Target, corpus: Path, prefix: Path, seconds: float) -> list[str]:
    return [
        "tests.fuzz.child", target.name, target.parse.__module__, str(corpus), str(prefix),
        ",".join(("edged", *target.imports)),
        f"-max_total_time={round(seconds)}", f"-timeout={TIMEOUT_SECONDS}", f"-rss_limit_mb={_RSS_MB}",
        "-print_final_stats=1",
    ]  # fmt: skip


def _blind(target: Target, prefix: Path, seconds: float) -> list[str]:
    return ["tests.fuzz.fallback", target.name, str(prefix), str(seconds)]


def _row(name: str, log: str, seconds: float, code: int, crash: str | None) -> Row:
    coverage = [int(found) for found in re.findall(r"^#\d+\s.* cov: (\d+) ", log, re.MULTILINE)]
    executed = [int(found) for found in re.findall(r"^#(\d+)\s", log, re.MULTILINE)]
    executed += [int(found) for found in re.findall(r"number_of_executed_units:\s*(\d+)", log)]
    peak = re.search(r"peak_rss_mb:\s*(\d+)", log)
    why = None
    if code:
        raised = re.findall(r"^(?: === )?[\w.]*(?:Error|Exception)\b.*$", log, re.MULTILINE)
        told = raised or re.findall(r"^.*ERROR: libFuzzer.*$", log, re.MULTILINE)
        why = told[-1].strip()[:160] if told else f"ended with status {code}"
    return Row(
        name, max(executed, default=0), seconds, (coverage[0], coverage[-1]) if coverage else None,
        int(peak[1]) if peak else None, crash, why,
    )  # fmt: skip


def _show(rows: list[Row]) -> None:
    table = Table(title="Hostile input")
    for heading in ("target", "executions", "per s", "branches", "peak MB", "breaches"):
        table.add_column(heading, justify="left" if heading == "target" else "right")
    for row in rows:
        grown = "-" if row.coverage is None else f"{row.coverage[0]} +{row.coverage[1] - row.coverage[0]}"
        breach = "1" if row.crash or row.why else "0"
        peak = "-" if row.peak_mb is None else str(row.peak_mb)
        table.add_row(
            row.target, f"{row.executions:,}", f"{row.executions / row.seconds:,.0f}", grown, peak, breach
        )
    Console().print(table)
    for row in rows:
        if row.crash or row.why:
            again = f"; python -m tests.fuzz --target {row.target} --try {row.crash}" if row.crash else ""
            sys.stdout.write(f"{row.target}: {row.why}{again}\n")


if __name__ == "__main__":
    main()
