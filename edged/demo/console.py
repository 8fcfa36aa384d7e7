"""What a person at the desk sees: who comes, what the door decides, what the lock does."""

import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from rich.console import Console
from rich.progress import track
from rich.text import Text

from edged.demo.stage import Appearance
from edged.domain.challenge import Prompt
from edged.domain.explanation import GESTURES, REASONS
from edged.domain.types import Decision, Outcome
from edged.workers.door import DoorChange

Item = TypeVar("Item")

_FOOLED = (
    "A PHOTOGRAPH FOOLED THIS DOOR: no liveness check is in force, so a print is taken for the person. "
    "A door that guards something must have one."
)
_FOOLED_ALIVE = "A PHOTOGRAPH FOOLED THIS DOOR: the liveness check took it for a living face"


@dataclass(frozen=True, slots=True)
class Limits:
    """What a score and a margin are held against; ``threshold`` None lets nobody in."""

    threshold: float | None
    min_margin: float

    def of(self, decision: Decision) -> "Limits":
        """Return what this very decision was held against: who has a look-alike has limits of their own."""
        asked = {gate.name: gate.limit for gate in decision.trace if isinstance(gate.limit, float)}
        return Limits(asked.get("score", self.threshold), asked.get("margin", self.min_margin))

    def compared(self, decision: Decision) -> str:
        """Tell the score beside its limit; empty where the face was compared with nobody."""
        if decision.score <= -1:
            return ""
        needs = "nothing suffices" if self.threshold is None else f"needs {self.threshold:.2f}"
        return f"score {decision.score:.2f} ({needs})"


class DemoConsole:
    """Prints one line for each thing that happens; lines may come from several threads."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._lock = threading.Lock()

    def say(self, topic: str, text: str, style: str = "") -> None:
        """Print one line behind a topic word; used before and after the show."""
        with self._lock:
            self._console.print(Text.assemble((f"{topic:<10}", "bold"), (text, style)))

    def track(self, items: Sequence[Item]) -> Iterable[Item]:
        """Yield ``items`` with a bar of their progress on standard error, where that is a terminal."""
        bar = Console(stderr=True)
        return track(items, "setting the scene", console=bar, transient=True, disable=not bar.is_terminal)

    def heading(self, text: str) -> None:
        """Begin a part."""
        with self._lock:
            self._console.print(Text(f"\n{text}", "bold underline"))

    def happened(self, topic: str, text: str, style: str = "", *, strong: str = "") -> None:
        """Print one line with the time; ``strong`` is the style of the topic word."""
        now = datetime.now().astimezone().strftime("%H:%M:%S")
        with self._lock:
            self._console.print(
                Text.assemble((now, "dim"), "  ", (f"{topic:<10}", strong or "bold"), (text, style))
            )

    def comes(self, number: int, of: int, appearance: Appearance) -> None:
        """Announce a visit; the first face of it has just been seen."""
        with self._lock:
            self._console.print()
        self.happened(f"{number} of {of}", appearance.announcement, "bold")

    def decided(self, decision: Decision, name: str | None, punch: str | None, limits: Limits) -> None:
        """Show a decision with the name, which the console may know and the wire does not."""
        limits = limits.of(decision)
        if decision.outcome is Outcome.GRANT:
            took_ms = (decision.freshest_at - decision.first_seen_at) * 1000
            text = (
                f"{name or '?'}   {limits.compared(decision)}, margin {decision.margin:.2f} "
                f"(needs {limits.min_margin:.2f}), {decision.frames} pictures in {took_ms:.0f} ms"
            )
            text += f", attendance: {punch}" if punch else ""
            self.happened("granted", text, "green", strong="bold green")
        else:
            text = f"{decision.reason.value}: {REASONS[decision.reason].lower()} {limits.compared(decision)}"
            self.happened("denied", text.rstrip(), "red", strong="bold red")

    def asks(self, prompt: Prompt | None) -> None:
        """Show what whoever stands there is asked to do; nothing where nobody is asked."""
        if prompt is not None:
            text = f"{GESTURES[prompt.gesture]} ({prompt.number} of {prompt.of})"
            self.happened("please", text, "bold cyan", strong="bold cyan")

    def fooled(self, liveness: float | None) -> None:
        """Say plainly that a printed photograph was let in; ``liveness`` is None where it was not checked."""
        text = _FOOLED if liveness is None else f"{_FOOLED_ALIVE} ({liveness:.2f})"
        self.happened("fooled", text, "bold yellow", strong="bold yellow")

    def door(self, change: DoorChange) -> None:
        """Show what the lock line did."""
        if change.state == "unlocked":
            self.happened("lock", "UNLOCKED", "bold green")
        elif change.state == "locked":
            self.happened("lock", f"locked after {change.held_seconds:.1f} s")
        else:
            self.happened("lock", f"{change.state}: {change.reason}", "red")

    def arrived(self, topic: str, body: str) -> None:
        """Show an event as it came out of the broker."""
        self.happened("broker", f"{topic}  {body}", "dim")
