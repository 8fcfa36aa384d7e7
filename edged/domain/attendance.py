"""The time clock of one door: which grants are punches, and of which kind."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Literal

Direction = Literal["in", "out", "toggle"]


class PunchKind(StrEnum):
    """Coming or going."""

    IN = "in"
    OUT = "out"


@dataclass(frozen=True, slots=True)
class Punch:
    """One stamp: ``at`` Unix seconds; ``local`` the same moment, aware, in the door's time zone."""

    person_id: str
    kind: PunchKind
    at: float
    local: datetime


class AttendanceClock:
    """Remembers the last punch of each person.

    A grant within ``double_punch_seconds`` of it makes no second one; a clock that was set back by
    less than that makes none either. A door of direction ``toggle`` starts each local day with ``in``
    and alternates.
    """

    def __init__(self, direction: Direction, double_punch_seconds: float, last: Iterable[Punch] = ()) -> None:
        """``last``: the newest punch of each person, as the journal has them."""
        self._direction = direction
        self._window = double_punch_seconds
        self._last = {punch.person_id: punch for punch in last}
        self._before: dict[str, Punch | None] = {}

    @property
    def direction(self) -> Direction:
        """What the door is set to."""
        return self._direction

    def learn(self, predecessor: "AttendanceClock") -> None:
        """Take over the punches of the clock that this one replaces: they may be on no disk yet."""
        self._last |= predecessor._last  # noqa: SLF001 - another of this class
        self._before |= predecessor._before  # noqa: SLF001 - and what a withdrawal goes back to

    def punch(self, person_id: str, at_utc: float, local: datetime) -> Punch | None:
        """Return the punch of a grant at ``at_utc`` (Unix seconds), or None for a double one.

        Raises ``ValueError`` where ``local`` has no time zone.
        """
        if local.tzinfo is None:
            raise ValueError(f"expected a local time with its zone, got {local}")
        last = self._last.get(person_id)
        if last is not None and abs(at_utc - last.at) < self._window:
            return None
        punch = Punch(person_id, self._kind(last, local), at_utc, local)
        self._before[person_id] = last
        self._last[person_id] = punch
        return punch

    def withdraw(self, punch: Punch) -> None:
        """Forget a punch that could not be recorded, so that the next grant makes it again."""
        if self._last.get(punch.person_id) != punch:
            return
        before = self._before.pop(punch.person_id, None)
        if before is None:
            del self._last[punch.person_id]
        else:
            self._last[punch.person_id] = before

    def _kind(self, last: Punch | None, local: datetime) -> PunchKind:
        if self._direction != "toggle":
            return PunchKind(self._direction)
        came = last is not None and last.local.date() == local.date() and last.kind is PunchKind.IN
        return PunchKind.OUT if came else PunchKind.IN
