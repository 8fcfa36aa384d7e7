"""Who came, who was let in, and whether the door did what it is for."""

import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from edged.demo.stage import Appearance, Role
from edged.domain.types import Outcome

_WORDS = {Role.ENROLLED: "enrolled", Role.STRANGER: "strangers", Role.PRINT: "with a printed photograph"}


@dataclass(frozen=True, slots=True)
class Verdict:
    """One decision as the console tells it; ``person`` is the name of whom the face was taken for."""

    outcome: Outcome
    reason: str
    person: str | None
    liveness: float | None = None


@dataclass(slots=True)
class _Visit:
    appearance: Appearance
    seen: bool = False
    verdicts: list[Verdict] = field(default_factory=list)

    @property
    def granted(self) -> list[str]:
        return [one.person or "?" for one in self.verdicts if one.outcome is Outcome.GRANT]

    @property
    def wrong(self) -> list[str]:
        """As whom somebody was let in whose face it was not."""
        own = () if self.appearance.role is Role.STRANGER else (self.appearance.name,)
        return [name for name in self.granted if name not in own]


class Tally:
    """Keeps the visits of a demo; ``appearances`` is empty where nobody knows who comes, as at a camera.

    ``cut_short`` excuses those who had not come yet. May be read from any thread while the recognition
    thread writes.
    """

    def __init__(self, appearances: Sequence[Appearance]) -> None:
        self._lock = threading.Lock()
        self._visits = [_Visit(appearance) for appearance in appearances]
        self._loose: list[Verdict] = []
        self._tracks: dict[int, int] = {}
        self.cut_short = False

    def saw(self, track_id: int, visit: int | None) -> Appearance | None:
        """Note that a face of ``visit`` is in view; return the appearance the first time, else None."""
        if visit is None:
            return None
        with self._lock:
            self._tracks[track_id] = visit
            first = not self._visits[visit].seen
            self._visits[visit].seen = True
        return self._visits[visit].appearance if first else None

    def decided(self, track_id: int, verdict: Verdict) -> Appearance | None:
        """Note a decision about a track; return the appearance it belongs to, if it is known."""
        with self._lock:
            visit = self._tracks.get(track_id)
            if visit is None:
                self._loose.append(verdict)
                return None
            self._visits[visit].verdicts.append(verdict)
        return self._visits[visit].appearance

    def appearance(self, visit: int) -> Appearance:
        """Return who comes at ``visit``, counted from 0."""
        return self._visits[visit].appearance

    @property
    def visits(self) -> int:
        """How many visits there were to be; 0 where nobody knows."""
        return len(self._visits)

    @property
    def cast_in_words(self) -> str:
        """How many of which kind."""
        return ", ".join(f"{len(self._of(role))} {words}" for role, words in _WORDS.items() if self._of(role))

    @property
    def verdicts(self) -> list[Verdict]:
        """All decisions; those of one visit together."""
        with self._lock:
            return [one for visit in self._visits for one in visit.verdicts] + self._loose

    @property
    def granted(self) -> int:
        """How often the door was told to open."""
        return sum(one.outcome is Outcome.GRANT for one in self.verdicts)

    @property
    def denied(self) -> Counter[str]:
        """Denials by reason."""
        return Counter(one.reason for one in self.verdicts if one.outcome is Outcome.DENY)

    @property
    def enrolled(self) -> int:
        """How many visits of enrolled people there were to be."""
        return len(self._of(Role.ENROLLED))

    @property
    def recognised(self) -> int:
        """In how many of them the person was let in as themselves."""
        return sum(visit.appearance.name in visit.granted for visit in self._of(Role.ENROLLED))

    @property
    def mistakes(self) -> list[str]:
        """Whoever was let in as somebody else, a sentence each; a print of that person is not among them."""
        told = [
            f"{visit.appearance.announcement} was let in as {name}"
            for visit in self._visits
            for name in visit.wrong
        ]
        loose = [one for one in self._loose if one.outcome is Outcome.GRANT] if self._visits else []
        return told + [f"somebody was let in as {one.person} outside every visit" for one in loose]

    @property
    def prints(self) -> list[Verdict | None]:
        """What the door made of each printed photograph: the grant, else the last denial, else None."""
        return [
            next((one for one in visit.verdicts if one.outcome is Outcome.GRANT), None)
            or (visit.verdicts[-1] if visit.verdicts else None)
            for visit in self._of(Role.PRINT)
        ]

    @property
    def problems(self) -> list[str]:
        """What speaks against this door, a sentence each; empty where it did what it is for."""
        # Who stood before the door when the show was cut short may not have had the time.
        seen = [visit for visit in self._visits if visit.seen]
        cut = seen[-1] if seen and self.cut_short else None
        missed = [
            f"{visit.appearance.name} is enrolled and was not let in"
            f"{'' if visit.seen else ': no face was seen near enough'}"
            for visit in self._of(Role.ENROLLED)
            if visit.appearance.name not in visit.granted
            and (not self.cut_short or (visit.seen and visit is not cut))
        ]
        return self.mistakes + missed

    def as_json(self) -> dict[str, Any]:
        """JSON values: every visit with its decisions, and the figures."""
        return {
            "visits": [
                {
                    "visitor": visit.appearance.name,
                    "role": visit.appearance.role.value,
                    "seen": visit.seen,
                    "decisions": [
                        {"decision": one.outcome.value, "reason": one.reason, "as": one.person}
                        for one in visit.verdicts
                    ],
                }
                for visit in self._visits
            ],
            "enrolled": self.enrolled,
            "recognised": self.recognised,
            "granted": self.granted,
            "denied": dict(self.denied),
            "wrong_person": len(self.mistakes),
            "printed_photographs_let_in": sum(
                one is not None and one.outcome is Outcome.GRANT for one in self.prints
            ),
            "problems": self.problems,
        }

    def _of(self, role: Role) -> list[_Visit]:
        with self._lock:
            return [visit for visit in self._visits if visit.appearance.role is role]
