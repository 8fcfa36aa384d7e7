"""The closing words of a demo."""

import shlex
import shutil
import sys
from datetime import datetime
from pathlib import Path

from edged.config import Config
from edged.demo.console import DemoConsole
from edged.demo.pace import Pace
from edged.demo.tally import Tally, Verdict
from edged.domain.count import counted
from edged.domain.types import Outcome, Reason


def sum_up(
    console: DemoConsole, tally: Tally, config: Config, path: Path, *, pulses: int, pace: Pace | None = None
) -> None:
    """Say what the door did, what speaks against it, and what to try next; ``path`` is the configuration.

    Where somebody was missed and ``pace`` says that the machine did not keep up, that is said as well.
    """
    console.heading("summary")
    denied = ", ".join(f"{count} {reason}" for reason, count in sorted(tally.denied.items()))
    if tally.visits:
        early = "; the show ended early" if tally.cut_short else ""
        console.say("visits", f"{tally.visits}: {tally.cast_in_words}{early}")
        console.say("let in", f"{tally.recognised} of {tally.enrolled} enrolled people", "green")
    console.say("granted", f"{tally.granted}, with {counted(pulses, 'pulse')} of the lock")
    console.say("denied", f"{sum(tally.denied.values())}{f' ({denied})' if denied else ''}")
    if tally.visits:
        wrong = len(tally.mistakes)
        console.say(
            "wrong",
            f"{wrong} let in as somebody else or without being enrolled",
            "red" if wrong else "green",
        )
        _tell_prints(console, tally)
    for problem in tally.problems:
        console.say("problem", problem, "bold red")
    if pace is not None and pace.too_slow and tally.recognised < tally.enrolled:
        console.say("machine", pace.words, "bold yellow")
    console.say("records", f"{config.journal.path} (events)   {config.gallery.path} (people)")
    console.heading("to try next")
    for line in commands(path):
        console.say("", line)


def commands(path: Path) -> list[str]:
    """Return commands to copy that work on the demo's door."""
    program, option = _program(), f"--config {shlex.quote(str(path))}"
    today = datetime.now().astimezone().date().isoformat()
    return [
        f"{program} events tail {option}",
        f"{program} events verify {option}",
        f"{program} report --day {today} {option}",
        f"{program} people list {option}",
    ]


def _tell_prints(console: DemoConsole, tally: Tally) -> None:
    for verdict in tally.prints:
        if verdict is not None:
            console.say("print", *_about_a_print(verdict))
        elif not tally.cut_short:
            console.say("print", "the printed photograph was not noticed", "yellow")


def _about_a_print(verdict: Verdict) -> tuple[str, str]:
    """Return what became of a printed photograph, and the style to say it in."""
    unguarded = verdict.liveness is None
    if verdict.outcome is Outcome.GRANT:
        how = ": no liveness check is in force" if unguarded else ", past the liveness check"
        return f"THE PRINTED PHOTOGRAPH OPENED THE DOOR{how}", "bold yellow"
    if verdict.reason == Reason.NOT_LIVE.value:
        return "the printed photograph was refused by the liveness check", "green"
    luck = ". That is luck: no liveness check is in force, a better print may open it" if unguarded else ""
    return f"the printed photograph did not open the door ({verdict.reason}){luck}", "yellow"


def _program() -> str:
    """Return how this program was called, or would be called from here."""
    called = Path(sys.argv[0])
    if called.name != "edged":
        return f"{shlex.quote(sys.executable)} -m edged"
    return "edged" if shutil.which("edged") else shlex.quote(str(called))
