from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from edged.enrolment.moments import parse_moment, zone_of
from edged.enrolment.terms import Terms, make_terms
from edged.errors import EnrolmentError

PARIS = ZoneInfo("Europe/Paris")
NOW = datetime(2026, 5, 1, tzinfo=UTC)


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
    "options", [{"consent_basis": "consent"}, {"consent_policy": "v1"}, {"consent_until": "2027-01-01"}]
)
def test_half_a_consent_is_refused(options: dict[str, str]) -> None:
    with pytest.raises(EnrolmentError) as caught:
        make_terms(now=NOW, **options)  # type: ignore[arg-type]
    assert caught.value.reason == "bad_consent"


def test_validity_that_ends_before_it_begins_is_refused() -> None:
    with pytest.raises(EnrolmentError) as caught:
        Terms(valid_from=NOW, valid_until=NOW - timedelta(days=1)).check(())
    assert caught.value.reason == "bad_validity"


def test_any_group_is_taken_where_none_is_configured() -> None:
    Terms(frozenset({"anything"})).check(())
