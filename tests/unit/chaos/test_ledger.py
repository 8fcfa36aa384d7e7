"""The judge of the chaos run must itself see what it is there to see."""

import pytest

from tests.chaos.ledger import Arrival, balance

JOURNAL = {("e", seq): f"id-{seq}" for seq in (1, 2, 3)}
WHOLE = [Arrival(place, event_id) for place, event_id in JOURNAL.items()]


def test_all_arrived_once_is_no_breach() -> None:
    found = balance(JOURNAL, JOURNAL.values(), WHOLE)
    assert (found.recorded, found.lost, found.duplicated, found.breaches) == (3, 0, 0, ())


def test_a_late_duplicate_of_the_same_id_is_counted_and_forgiven() -> None:
    found = balance(JOURNAL, JOURNAL.values(), [*WHOLE, WHOLE[0]])
    assert (found.lost, found.duplicated, found.breaches) == (0, 1, ())


def test_what_the_device_was_told_is_recorded_and_the_journal_has_forgotten_is_lost() -> None:
    assert balance(JOURNAL, [*JOURNAL.values(), "id-4"], WHOLE).lost == 1


@pytest.mark.parametrize(
    ("arrivals", "breach"),
    [
        (WHOLE[:2], "1 lost"),
        ([*WHOLE, Arrival(("e", 4), "id-4")], "1 arrived that the journal does not hold"),
        ([*WHOLE, Arrival(("e", 3), "id-9")], "3 arrived under two ids"),
        ([*WHOLE, Arrival(("f", 1), "id-1")], "one id at two places"),
        ([WHOLE[1], WHOLE[0], WHOLE[2]], "first arrivals out of order"),
    ],
)
def test_each_breach_is_named(arrivals: list[Arrival], breach: str) -> None:
    assert breach in balance(JOURNAL, JOURNAL.values(), arrivals).breaches
