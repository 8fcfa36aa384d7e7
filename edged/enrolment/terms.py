"""On which terms somebody may be recognised."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, tzinfo

from edged.domain.people import Consent
from edged.enrolment.moments import parse_moment
from edged.errors import EnrolmentError


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

    Raises ``EnrolmentError``: ``bad_date``, ``bad_validity`` where it is over already, or ``bad_consent``
    where basis and policy are not given both.
    """
    if bool(consent_basis) != bool(consent_policy) or (consent_until and not consent_basis):
        raise EnrolmentError("bad_consent", "a consent record needs its basis and the version of its policy")
    consent = None
    if consent_basis and consent_policy:
        until = parse_moment(consent_until, zone, end=True) if consent_until else None
        consent = Consent(now, consent_basis, consent_policy, until)
    until = parse_moment(valid_until, zone, end=True) if valid_until else None
    if until is not None and until <= now:
        raise EnrolmentError("bad_validity", f"valid until {valid_until}, which is over")
    return Terms(
        frozenset(groups),
        parse_moment(valid_from, zone, end=False) if valid_from else None,
        until,
        consent,
    )
