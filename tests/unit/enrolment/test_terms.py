from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from edged.domain.people import Consent, Person
from edged.enrolment.moments import parse_moment, zone_of
from edged.enrolment.terms import Terms, changed, make_terms
from edged.errors import EnrolmentError

PARIS = ZoneInfo("Europe/Paris")
NOW = datetime(2026, 5, 1, tzinfo=UTC)
DAY = timedelta(days=1)


def test_valid_until_a_day_includes_the_day() -> None:
    assert parse_moment("2026-12-31", PARIS, end=True) == datetime(2027, 1, 1, tzinfo=PARIS)
    assert parse_moment("2026-12-31", PARIS, end=False) == datetime(2026, 12, 31, tzinfo=PARIS)


def test_a_time_is_taken_as_it_is() -> None:
    assert parse_moment(" 2026-12-31T18:00 ", PARIS, end=True) == datetime(2026, 12, 31, 18, tzinfo=PARIS)
    assert parse_moment("2026-12-31T18:00Z", PARIS, end=True) == datetime(2026, 12, 31, 18, tzinfo=UTC)


def test_local_means_the_machines_own_zone() -> None:
    assert zone_of("local") is None
    assert parse_moment("2026-06-01", None, end=False).utcoffset() is not None
    assert zone_of("Europe/Paris") == PARIS


@pytest.mark.parametrize("text", ["31.12.2026", "soon", "", "2026-13-01", "9999-12-31"])
def test_other_dates_are_refused(text: str) -> None:
    with pytest.raises(EnrolmentError) as caught:
        parse_moment(text, PARIS, end=True)
    assert caught.value.reason == "bad_date"


def test_consent_is_recorded_with_its_time_and_end() -> None:
    terms = make_terms(
        consent_basis="consent", consent_policy="v3", consent_until="2027-01-31", zone=PARIS, now=NOW
    )
    assert terms.consent is not None
    assert (terms.consent.given_at, terms.consent.policy_version) == (NOW, "v3")
    assert terms.consent.until == datetime(2027, 2, 1, tzinfo=PARIS)


@pytest.mark.parametrize(
    "options",
    [
        {"consent_basis": "consent"},
        {"consent_policy": "v1"},
        {"consent_until": "2027-01-01"},
        {"consent_basis": "", "consent_policy": ""},
        {"consent_basis": " ", "consent_policy": "v1"},
    ],
)
def test_half_a_consent_is_refused(options: dict[str, str]) -> None:
    with pytest.raises(EnrolmentError) as caught:
        make_terms(now=NOW, **options)  # type: ignore[arg-type]
    assert caught.value.reason == "bad_consent"


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"valid_until": ""}, "bad_date"),
        ({"valid_from": " "}, "bad_date"),
        ({"groups": ["staff", ""]}, "bad_group"),
        ({"valid_until": "2026-04-30"}, "bad_validity"),
    ],
)
def test_an_empty_or_past_option_is_a_mistake_and_no_wish_for_less(
    options: dict[str, object], reason: str
) -> None:
    with pytest.raises(EnrolmentError) as caught:
        make_terms(now=NOW, **options)  # type: ignore[arg-type]
    assert caught.value.reason == reason


def test_a_change_leaves_what_is_not_named() -> None:
    jane = Person("p-1", "Jane", groups=frozenset({"staff"}), valid_from=NOW, valid_until=NOW + DAY)
    assert changed(jane, Terms(frozenset({"lab"})), (), ("lab",)) == replace(jane, groups=frozenset({"lab"}))
    assert changed(jane, Terms(), ("groups", "valid_until"), ()) == replace(
        jane, groups=frozenset(), valid_until=None
    )
    consent = Consent(NOW, "consent", "v2")
    assert changed(jane, Terms(consent=consent), (), ()) == replace(jane, consent=consent)


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (Terms(frozenset({"stuff"})), "unknown_group"),
        (Terms(valid_until=NOW - timedelta(days=1)), "bad_validity"),
        (Terms(valid_from=NOW + timedelta(days=9)), "bad_validity"),
    ],
)
def test_a_change_is_checked_as_an_enrolment_is(given: Terms, reason: str) -> None:
    jane = Person("p-1", "Jane", valid_from=NOW, valid_until=NOW + DAY)
    with pytest.raises(EnrolmentError) as caught:
        changed(jane, given, (), ("staff",))
    assert caught.value.reason == reason


def test_what_is_said_is_compared_with_what_is_so() -> None:
    consent = Consent(NOW, "consent", "v2")
    jane = Person("p-1", "Jane", groups=frozenset({"staff"}), valid_until=NOW, consent=consent)
    assert Terms().differ_from(jane) == []
    same = Terms(frozenset({"staff"}), None, NOW, Consent(NOW + DAY, "consent", "v2"))
    assert same.differ_from(jane) == []
    other = Terms(frozenset({"lab"}), NOW, None, Consent(NOW, "consent", "v3"))
    assert other.differ_from(jane) == ["groups", "valid_from", "consent"]


def test_validity_that_ends_before_it_begins_is_refused() -> None:
    with pytest.raises(EnrolmentError) as caught:
        Terms(valid_from=NOW, valid_until=NOW - timedelta(days=1)).check(())
    assert caught.value.reason == "bad_validity"


def test_any_group_is_taken_where_none_is_configured() -> None:
    Terms(frozenset({"anything"})).check(())
