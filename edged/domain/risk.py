"""The risk that an operator states, and what it means in visits and years.

A level is a chance that one visit of a stranger opens the door (FPIR of a visit):

- ``convenience`` 1e-2: for a door behind another one that is locked or staffed.
- ``normal`` 1e-3: what NIST SP 800-63A-4 allows of a search among all (FPIR of at most 1 in 1,000).
- ``secure`` 1e-4: one guess at a four-digit PIN. FIDO and NIST SP 800-63B-4 ask as much of one
  comparison with one person; here it is held by a whole visit before the whole gallery.
- ``most_secure`` 1e-5: one guess at a five-digit PIN. Few tables carry it for more than a few people.

A visit is several looks. A grant needs ``confirm_frames`` frames that all match one person. Of a
stranger's visit with F frames F x FMR match a given person on average, so by Markov's inequality at
least k of them do in at most F x FMR / k of all visits: as if the visit had F / k attempts. That holds
however much the frames of a visit resemble each other; frames that are nearly alike, as those of a
video are, come nearer to one attempt. What is assumed: every frame is as likely to match as the
photographs of the table, and a visit has no more than ``frames_per_visit`` frames. Somebody who stays
longer makes several visits.

It is a wide bound. Visits of 15 photographs of different days of LFW (56 people before 397) passed
three of five at 0.8 to 1.2 times the FMR, those of 30 at 1.2 to 1.5; but neighbouring frames differ
less than those do and agree too easily, and one match of five such photographs is 3 to 4 times as
likely as of one. Fifteen frames count as five attempts.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Level = Literal["convenience", "normal", "secure", "most_secure"]

LEVELS: Mapping[Level, float] = {"convenience": 1e-2, "normal": 1e-3, "secure": 1e-4, "most_secure": 1e-5}

_DAYS_A_YEAR = 365.25


@dataclass(frozen=True, slots=True)
class Risk:
    """``target_fpir`` is the chance that is accepted for one visit of ``frames_per_visit`` judged frames.

    ``confirm_frames`` of them must match the same person for a grant. ``second_factor``: where the table
    cannot carry the risk, whoever matches is asked for a second factor instead of being denied.
    """

    target_fpir: float
    frames_per_visit: int = 1
    confirm_frames: int = 1
    second_factor: bool = False

    @property
    def attempts(self) -> float:
        """For how many independent attempts a visit counts, at least one; see the module."""
        return max(1.0, self.frames_per_visit / self.confirm_frames)


@dataclass(frozen=True, slots=True)
class Traffic:
    """What the journal saw: ``visits`` in so many ``days``, at least one."""

    visits: int
    days: float

    @property
    def visits_a_day(self) -> float:
        """How many visits a day has."""
        return self.visits / max(1.0, self.days)


def false_accepts_a_year(fpir: float, traffic: Traffic) -> float:
    """Return how often a year the door would open for a stranger if every visit were a stranger's.

    ``fpir`` is the chance of one visit. Most visits are of enrolled people, so this errs on the high side.
    """
    return fpir * traffic.visits_a_day * _DAYS_A_YEAR
