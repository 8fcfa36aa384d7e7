"""Who may enter when."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from edged.domain.access import AccessRules, OpenPeriod
from edged.domain.people import Consent, Person
from edged.domain.types import Reason

MONDAY = datetime(2026, 3, 2, tzinfo=UTC)
ADA = Person("p-ada", "Ada", groups=frozenset({"staff"}))
OFFICE = OpenPeriod(frozenset(range(5)), 7 * 60, 20 * 60)
FRIDAY_NIGHT = OpenPeriod(frozenset({4}), 22 * 60, 2 * 60)


@pytest.mark.parametrize(
    ("period", "day", "clock", "is_open"),
    [
        (OFFICE, 0, "06:59", False),
        (OFFICE, 0, "07:00", True),
        (OFFICE, 4, "19:59", True),
        (OFFICE, 4, "20:00", False),
        (OFFICE, 5, "12:00", False),
        (FRIDAY_NIGHT, 4, "21:59", False),
        (FRIDAY_NIGHT, 4, "22:00", True),
        (FRIDAY_NIGHT, 5, "01:59", True),
        (FRIDAY_NIGHT, 5, "02:00", False),
        (FRIDAY_NIGHT, 4, "01:00", False),
        (OpenPeriod(frozenset({6}), 0, 24 * 60), 6, "23:59", True),
    ],
)
def test_hours(period: OpenPeriod, day: int, clock: str, is_open: bool) -> None:
    hour, minute = map(int, clock.split(":"))
    assert period.contains(MONDAY + timedelta(days=day, hours=hour, minutes=minute)) is is_open


def test_without_groups_everybody_enabled_enters() -> None:
    assert AccessRules().refusal(replace(ADA, groups=frozenset()), MONDAY) is None
    assert AccessRules().refusal(replace(ADA, enabled=False), MONDAY) is Reason.DISABLED


def test_one_open_group_is_enough_and_an_unknown_one_is_none() -> None:
    rules = AccessRules({"office": (OFFICE,)}, {"staff": ("office",), "owners": ()})
    noon, night = MONDAY + timedelta(hours=12), MONDAY + timedelta(hours=23)
    assert rules.refusal(ADA, noon) is None
    assert rules.refusal(ADA, night) is Reason.OUTSIDE_SCHEDULE
    assert rules.refusal(replace(ADA, groups=frozenset({"staff", "owners"})), night) is None
    assert rules.refusal(replace(ADA, groups=frozenset({"guests"})), noon) is Reason.OUTSIDE_SCHEDULE
    assert rules.refusal(replace(ADA, groups=frozenset()), noon) is Reason.OUTSIDE_SCHEDULE


def test_validity_is_half_open_and_knows_time_zones() -> None:
    paris = ZoneInfo("Europe/Paris")
    person = replace(
        ADA, valid_from=datetime(2026, 3, 2, tzinfo=paris), valid_until=datetime(2026, 3, 3, tzinfo=paris)
    )
    first = datetime(2026, 3, 1, 23, 0, tzinfo=UTC)
    assert AccessRules().refusal(person, first - timedelta(seconds=1)) is Reason.DISABLED
    assert AccessRules().refusal(person, first) is None
    assert AccessRules().refusal(person, first + timedelta(days=1)) is Reason.DISABLED


def test_consent_that_ran_out_denies() -> None:
    consent = Consent(MONDAY - timedelta(days=9), "consent", "1", until=MONDAY)
    assert AccessRules().refusal(replace(ADA, consent=consent), MONDAY - timedelta(seconds=1)) is None
    assert AccessRules().refusal(replace(ADA, consent=consent), MONDAY) is Reason.DISABLED


def test_at_a_time_that_is_not_known_only_who_may_always_enter_does() -> None:
    hours = AccessRules({"office": (OFFICE,)}, {"staff": ("office",), "keepers": ()})
    keeper = replace(ADA, groups=frozenset({"keepers", "staff"}))
    ends = {
        "valid_from": MONDAY, "valid_until": MONDAY,
        "consent": Consent(MONDAY, "consent", "1", until=MONDAY),
    }  # fmt: skip
    assert hours.refusal(ADA, None) is Reason.OUTSIDE_SCHEDULE
    assert hours.refusal(keeper, None) is None
    assert AccessRules().refusal(ADA, None) is None
    for name, end in ends.items():
        assert hours.refusal(replace(keeper, **{name: end}), None) is Reason.OUTSIDE_SCHEDULE
    assert hours.refusal(replace(keeper, enabled=False), None) is Reason.DISABLED
    assert hours.refusal(replace(ADA, groups=frozenset()), None) is Reason.OUTSIDE_SCHEDULE
