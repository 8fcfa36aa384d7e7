"""Who may enter when.

No groups configured: every enabled person, at any time. Groups configured: a person needs one group
whose schedule is open; a group with an empty list of schedules is open always; a person in no
configured group stays outside.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from edged.domain.people import Person
from edged.domain.types import Reason

MINUTES_A_DAY = 24 * 60
# As configurations name them; the place of each is the number that ``datetime.weekday`` gives.
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@dataclass(frozen=True, slots=True)
class OpenPeriod:
    """Open on ``days`` (0 is Monday) from ``start`` to before ``end``, minutes after local midnight.

    ``end`` before ``start`` runs past midnight into the next day.
    """

    days: frozenset[int]
    start: int
    end: int

    def contains(self, local: datetime) -> bool:
        """Whether the door's local time lies inside."""
        minute = local.hour * 60 + local.minute
        today, yesterday = local.weekday(), (local.weekday() - 1) % 7
        if self.start < self.end:
            return today in self.days and self.start <= minute < self.end
        return (today in self.days and minute >= self.start) or (yesterday in self.days and minute < self.end)


@dataclass(frozen=True, slots=True)
class AccessRules:
    """Named schedules, and the schedules of each group."""

    schedules: Mapping[str, tuple[OpenPeriod, ...]] = field(default_factory=dict)
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def refusal(self, person: Person, local: datetime | None) -> Reason | None:
        """Return why ``person`` may not enter at ``local`` (aware), or None if they may.

        Where the time is not known (None), whoever has a first or last day or hours stays outside.
        """
        if not person.enabled:
            return Reason.DISABLED
        if local is None:
            return Reason.OUTSIDE_SCHEDULE if self._is_bound(person) else None
        if not _is_valid(person, local):
            return Reason.DISABLED
        if self.groups and not any(self._open(group, local) for group in person.groups):
            return Reason.OUTSIDE_SCHEDULE
        return None

    def _is_bound(self, person: Person) -> bool:
        """Whether it depends on the time that the person may enter, or nothing lets them in at all."""
        ends = (person.valid_from, person.valid_until, person.consent and person.consent.until)
        always = not self.groups or any(self.groups.get(group) == () for group in person.groups)
        return any(end is not None for end in ends) or not always

    def ever(self, person: Person, local: datetime) -> bool:
        """Whether ``person`` may enter at some time from ``local`` (aware) on."""
        ends = (person.valid_until, None if person.consent is None else person.consent.until)
        if not person.enabled or any(end is not None and local >= end for end in ends):
            return False
        return not self.groups or any(self._opens(group) for group in person.groups)

    def _opens(self, group: str) -> bool:
        names = self.groups.get(group)
        return names is not None and (not names or any(self.schedules.get(name) for name in names))

    def _open(self, group: str, local: datetime) -> bool:
        names = self.groups.get(group)
        if names is None:
            return False
        return not names or any(
            period.contains(local) for name in names for period in self.schedules.get(name, ())
        )


def _is_valid(person: Person, local: datetime) -> bool:
    """Whether ``local`` lies within the person's days and their consent's."""
    ends = (person.valid_until, None if person.consent is None else person.consent.until)
    begun = person.valid_from is None or local >= person.valid_from
    return begun and all(end is None or local < end for end in ends)
