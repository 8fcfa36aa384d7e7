"""A door that is not armed, held against another record of who came: badges and exit buttons.

In shadow mode a would-be grant is recorded as a denial, ``disarmed``, that names the person. A badge was
used by somebody who may enter: recognition should have known them at about that time. Somebody whom it
would have let in without a badge may be a stranger taken for a colleague, or a colleague who walked in
behind another one: only a person can tell. Nor can it be told whether who would have been asked for a second
factor or a gesture would have answered: they count as let in, and beside that how many they are.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from edged.domain.calibration import upper_bound

# Thirty visits without a miss leave 10 % open, and a false match of one in ten would have shown.
MIN_BADGES = 30
# NIST SP 800-63B-4 asks a biometric factor to refuse less than 5 % of its users.
MAX_MISSED = 0.05


@dataclass(frozen=True, slots=True)
class WouldBe:
    """Somebody whom an armed door would have let in: at ``at`` (Unix seconds), as event ``event_id``.

    It would have asked for a second factor first, for the cause ``second_factor``, or for a gesture
    (``challenge``); whether they would have answered rightly nobody knows.
    """

    at: float
    person_id: str
    event_id: str
    second_factor: str | None = None
    challenge: bool = False


@dataclass(frozen=True, slots=True)
class Passage:
    """A line of the other record; ``person_id`` None where it does not say who. ``by`` badge or exit."""

    at: float
    person_id: str | None
    by: str = "badge"


@dataclass(frozen=True, slots=True)
class Comparison:
    """``badges`` used while the door watched, and what recognition made of them.

    ``agreed`` would have been let in, ``wrong`` as somebody else, ``missed`` not at all. ``unexplained`` are
    would-be grants without any passage near them. ``missed_bound`` is the upper bound at 95 % of the share
    that an armed door would keep waiting, None without a badge.
    """

    badges: int
    agreed: int
    wrong: tuple[WouldBe, ...]
    missed: int
    unexplained: tuple[WouldBe, ...]

    @property
    def missed_bound(self) -> float | None:
        """Upper bound at 95 % of the share of visits that are missed."""
        return upper_bound(self.missed, self.badges) if self.badges else None

    @property
    def advice(self) -> str:
        """What to do, in a sentence."""
        if self.wrong:
            return (
                f"do not arm: {len(self.wrong)} visits were taken for somebody else's; `edged explain` them"
            )
        if self.unexplained:
            return f"do not arm yet: find out about {len(self.unexplained)} would-be grants without a passage"
        if self.badges < MIN_BADGES:
            return f"wait: {self.badges} badges are too few to tell, {MIN_BADGES} are needed"
        if self.missed > MAX_MISSED * self.badges:
            share = self.missed / self.badges
            return f"wait: {share:.1%} of the visits were missed; see to the light and enrol more photographs"
        return "arm: `edged arm`"

    @property
    def may_arm(self) -> bool:
        """Whether nothing speaks against it."""
        return self.advice.startswith("arm")


@dataclass(frozen=True, slots=True)
class Demands:
    """What an armed door would have asked for first, of how many ``of`` would-be grants.

    ``second_factors`` by cause, ``challenges`` for gestures, ``either`` for at least one of both.
    """

    of: int
    either: int
    second_factors: Mapping[str, int]
    challenges: int


def demands(would_be: Sequence[WouldBe]) -> Demands:
    """Count what would have been asked for."""
    causes = Counter(one.second_factor for one in would_be if one.second_factor is not None)
    either = sum(one.challenge or one.second_factor is not None for one in would_be)
    return Demands(len(would_be), either, dict(causes.most_common()), sum(one.challenge for one in would_be))


def compare(would_be: Sequence[WouldBe], passages: Sequence[Passage], *, window_seconds: float) -> Comparison:
    """Match each badge with the nearest would-be grant within ``window_seconds``, the same person first.

    A would-be grant is used once. An exit explains one, and is never missed: who leaves need not be seen.
    """
    left = list(would_be)
    agreed, missed, wrong = 0, 0, []
    badges = sorted((one for one in passages if one.by == "badge"), key=lambda one: one.at)
    for badge in badges:
        near = [one for one in left if abs(one.at - badge.at) <= window_seconds]
        if not near:
            missed += 1
            continue
        found = min(near, key=lambda one: (not _same(badge, one), abs(one.at - badge.at)))
        left.remove(found)
        if _same(badge, found):
            agreed += 1
        else:
            wrong.append(found)
    unexplained = [
        one for one in left if not any(abs(one.at - other.at) <= window_seconds for other in passages)
    ]
    return Comparison(len(badges), agreed, tuple(wrong), missed, tuple(unexplained))


def _same(badge: Passage, found: WouldBe) -> bool:
    return badge.person_id in (None, found.person_id)
