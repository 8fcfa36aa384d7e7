"""How long a door takes from its start to its first decision, and what it holds in memory then.

Each figure is that of processes started afresh, with modules compiled before as an installation has them.
"""

import contextlib
import os
import re
import select
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from edged.domain.types import EventKind
from edged.errors import EvaluationError, printable
from edged.evaluation.embedding import Progress, silent
from edged.storage.journal_reader import JournalReader

_READY_SECONDS, _DECISION_SECONDS, _STOP_SECONDS = 60.0, 30.0, 15.0
_TURN_SECONDS = 0.01
# Buffers of every stage have been used by then, and the pages that only the start needed are back.
_SETTLED_SECONDS = 3.0
_TOP_IMPORTS = 15
_IMPORT = re.compile(r"import time:\s*(\d+) \|\s*(\d+) \|( *)(\S+)")
_KB = re.compile(r"^(\w+):\s+(\d+) kB", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Held:
    """Memory of a process in MB: all its pages, its share of them, and those that are its alone."""

    rss_mb: float
    pss_mb: float
    private_mb: float
    threads: int


@dataclass(frozen=True, slots=True)
class Start:
    """Milliseconds from the start of the process: of all, and (``cpu``) of processor time.

    ``first_decision_ms`` is when the first visitor, before the camera from its first frame on, was decided.
    """

    ready_ms: float
    ready_cpu_ms: float
    first_decision_ms: float
    daemon: Held
    door: Held


@dataclass(frozen=True, slots=True)
class StartResult:
    """Medians over ``runs`` starts, memory of the last; ``imports`` are (package, own milliseconds)."""

    runs: int
    people: int
    help_ms: float
    help_cpu_ms: float
    ready_ms: float
    ready_cpu_ms: float
    first_decision_ms: float
    daemon: Held
    door: Held
    imports: tuple[tuple[str, float], ...]


def measure_start(
    door: Path,
    *,
    people: int,
    runs: int = 5,
    progress: Progress = silent,
) -> StartResult:
    """Start the door in folder ``door`` again and again; its camera shows somebody at once.

    Raises ``EvaluationError`` where it does not start.
    """
    environ = _compiled(door)
    _help_page(environ)
    start_once(
        door, environ=environ
    )  # compiles every module; how long that takes is the installation's business
    pages, starts = [], []
    for run in range(runs):
        pages.append(_help_page(environ))
        starts.append(start_once(door, environ=environ))
        progress(run + 1, runs)
    return StartResult(
        runs=runs,
        people=people,
        help_ms=median(wall for wall, _ in pages),
        help_cpu_ms=median(cpu for _, cpu in pages),
        ready_ms=median(one.ready_ms for one in starts),
        ready_cpu_ms=median(one.ready_cpu_ms for one in starts),
        first_decision_ms=median(one.first_decision_ms for one in starts),
        daemon=starts[-1].daemon,
        door=starts[-1].door,
        imports=slowest_imports(environ),
    )


def start_once(
    door: Path, *, settled_seconds: float = _SETTLED_SECONDS, environ: Mapping[str, str] | None = None
) -> Start:
    """Start the daemon in ``door``, wait for its first decision, look at it a while later, and stop it."""
    with _notified(door) as heard, (door / "start.log").open("wb") as log:
        began_at = time.monotonic()
        process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
            _program("run"),
            cwd=door,
            env={**(os.environ if environ is None else environ), "NOTIFY_SOCKET": str(door / "notify")},
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            _until(lambda: "READY=1" in heard(), process, _READY_SECONDS, "was ready")
            ready = time.monotonic() - began_at
            cpu = _cpu_seconds(process.pid)
            decided_at = _until(lambda: first_decision(door, began_at), process, _DECISION_SECONDS, "decided")
            time.sleep(settled_seconds)
            daemon, door_process = memory(process.pid), memory(_door_process(process.pid))
        finally:
            _stop(process)
    return Start(1000 * ready, 1000 * cpu, 1000 * (decided_at - began_at), daemon, door_process)


def first_decision(door: Path, since: float) -> float | None:
    """Return when, monotonic seconds, the first decision after ``since`` was taken; None before it is."""
    with JournalReader.open(door / "journal.db") as reader:
        times = [one.event.monotonic_at for one in reader.events(kind=EventKind.ACCESS)]
    return min((at for at in times if at >= since), default=None)


def memory(pid: int) -> Held:
    """Return what a process holds, see proc_pid_smaps_rollup(5). Raises ``OSError`` where it is gone."""
    kb = {name: int(size) for name, size in _KB.findall(Path(f"/proc/{pid}/smaps_rollup").read_text("ascii"))}
    private = kb["Private_Clean"] + kb["Private_Dirty"]
    threads = len(os.listdir(f"/proc/{pid}/task"))  # noqa: PTH208 - names alone
    return Held(kb["Rss"] * 1.024e-3, kb["Pss"] * 1.024e-3, private * 1.024e-3, threads)


def slowest_imports(environ: Mapping[str, str]) -> tuple[tuple[str, float], ...]:
    """Return the packages whose own modules take longest to import for a daemon, in milliseconds."""
    code = "import edged.app, edged.cli.run"
    done = subprocess.run(  # noqa: S603 - our own interpreter and module
        [sys.executable, "-X", "importtime", "-c", code],
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise EvaluationError(f"the daemon cannot be imported: {printable(done.stderr[-300:])}")
    return by_package(done.stderr)


def by_package(report: str) -> tuple[tuple[str, float], ...]:
    """Add up what ``-X importtime`` tells, by package: (name, own milliseconds), the slowest first."""
    total: dict[str, float] = {}
    for own, _, _, module in _IMPORT.findall(report):
        package = module.partition(".")[0]
        total[package] = total.get(package, 0.0) + int(own) / 1000
    slowest = sorted(total.items(), key=lambda item: -item[1])[:_TOP_IMPORTS]
    return tuple((name, round(ms, 1)) for name, ms in slowest)


def _help_page(environ: Mapping[str, str]) -> tuple[float, float]:
    """Return for how many milliseconds ``edged --help`` runs, and the processor time of it."""
    before, began_at = os.times(), time.perf_counter()
    command = _program("--help")
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True, env=environ)  # noqa: S603 - our own
    took, after = time.perf_counter() - began_at, os.times()
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return 1000 * took, 1000 * cpu


def _compiled(door: Path) -> dict[str, str]:
    """Have compiled modules kept within ``door``: the program's own folder may be read-only."""
    found = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**found, "PYTHONPYCACHEPREFIX": str(door / "compiled")}


def _program(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "edged", *arguments]


@contextlib.contextmanager
def _notified(door: Path) -> Iterator[Callable[[], str]]:
    """Be the service manager: give what reads the newest messages without waiting."""
    address = door / "notify"
    address.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(str(address))

        def heard() -> str:
            if not select.select([receiver], [], [], _TURN_SECONDS)[0]:
                return ""
            return receiver.recv(4096).decode(errors="replace")

        yield heard
    address.unlink(missing_ok=True)


def _until(
    condition: Callable[[], float | None], process: "subprocess.Popen[bytes]", seconds: float, what: str
) -> float:
    """Wait until ``condition`` gives something, and return it. Raises ``EvaluationError``."""
    ends_at = time.monotonic() + seconds
    while not (found := condition()):
        if process.poll() is not None:
            raise EvaluationError(f"the door ended with status {process.returncode} before it {what}")
        if time.monotonic() > ends_at:
            raise EvaluationError(f"it took longer than {seconds:g} s until the door {what}")
        time.sleep(_TURN_SECONDS)
    return float(found)


def _door_process(pid: int) -> int:
    """Return the process that a daemon has started for its door."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split()
    if not children:
        raise EvaluationError("the door has no process of its own")
    return int(children[0])


def _cpu_seconds(pid: int) -> float:
    """Return the processor time of a process; see proc_pid_stat(5)."""
    fields = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _stop(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
