"""On which terms somebody may be recognised."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime, tzinfo
from typing import Any, Literal

from edged.domain.people import Consent, Person
from edged.enrolment.moments import parse_moment
from edged.errors import EnrolmentError

Droppable = Literal["groups", "valid_from", "valid_until"]
_NOTHING: dict[str, Any] = {"groups": frozenset(), "valid_from": None, "valid_until": None}


@dataclass(frozen=True, slots=True)
class Terms:
    """Groups, validity and consent; see ``Person``."""

    groups: frozenset[str] = frozenset()
    valid_from: datetime | None = None
    valid_until: datetime | None = None
    consent: Consent | None = None

    def check(self, known_groups: Collection[str]) -> None:
        """Raise ``EnrolmentError``: ``bad_validity``, or ``unknown_group`` if any groups are known.

        A mistyped group would enrol somebody whom no schedule ever lets in.
        """
        if self.valid_from and self.valid_until and self.valid_until <= self.valid_from:
            raise EnrolmentError("bad_validity", "valid until a time that is not after valid from")
        unknown = sorted(self.groups - set(known_groups)) if known_groups else []
        if unknown:
            known = ", ".join(sorted(known_groups))
            raise EnrolmentError("unknown_group", f"no group {unknown[0]!r} in access.groups; known: {known}")

    def given(self) -> dict[str, Any]:
        """Return what is said, by the names of ``Person``'s fields; what is not said is left out."""
        return {name: value for name in Terms.__slots__ if (value := getattr(self, name))}

    def differ_from(self, person: Person) -> list[str]:
        """Return what is said here and is otherwise with ``person``, but for the day of a consent."""
        own = person
        if self.consent and person.consent:
            own = replace(person, consent=replace(person.consent, given_at=self.consent.given_at))
        return [name for name, value in self.given().items() if getattr(own, name) != value]


def changed(
    person: Person, given: Terms, drop: Collection[Droppable], known_groups: Collection[str]
) -> Person:
    """Return ``person`` with what is said in ``given``, and without what is in ``drop``.

    Groups and consent are replaced, not added to. Raises ``EnrolmentError`` as ``Terms.check``, of the
    validity that comes of old and new together.
    """
    given.check(known_groups)
    new = replace(person, **given.given(), **{name: _NOTHING[name] for name in drop})
    Terms(valid_from=new.valid_from, valid_until=new.valid_until).check(())
    return new


def make_terms(
    *,
    groups: Collection[str] = (),
    valid_from: str | None = None,
    valid_until: str | None = None,
    consent_basis: str | None = None,
    consent_policy: str | None = None,
    consent_until: str | None = None,
    zone: tzinfo | None = None,
    now: datetime,
) -> Terms:
    """Return the terms that these texts say; ``now`` (aware) is when consent counts as given.

    None is what was not said; an empty text is a mistake like any other. Raises ``EnrolmentError``:
    ``bad_group``, ``bad_date``, ``bad_validity`` where it is over already, or ``bad_consent`` where basis
    and policy are not given both.
    """
    if any(not group.strip() for group in groups):
        raise EnrolmentError("bad_group", "expected the name of a group, got an empty one")
    consent = None
    if (consent_basis, consent_policy, consent_until) != (None, None, None):
        if not (consent_basis and consent_basis.strip() and consent_policy and consent_policy.strip()):
            raise EnrolmentError(
                "bad_consent", "a consent record needs its basis and the version of its policy"
            )
        until = None if consent_until is None else parse_moment(consent_until, zone, end=True)
        consent = Consent(now, consent_basis, consent_policy, until)
    until = None if valid_until is None else parse_moment(valid_until, zone, end=True)
    if until is not None and until <= now:
        raise EnrolmentError("bad_validity", f"valid until {valid_until}, which is over")
    return Terms(
        frozenset(groups),
        None if valid_from is None else parse_moment(valid_from, zone, end=False),
        until,
        consent,
    )
