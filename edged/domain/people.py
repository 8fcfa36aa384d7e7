"""Enrolled people, as the rules see them."""

from dataclasses import dataclass, field
from datetime import datetime

from edged.domain.types import FloatArray


@dataclass(frozen=True, slots=True)
class Consent:
    """What a person agreed to: ``given_at`` and ``until`` aware datetimes, ``basis`` such as ``consent``."""

    given_at: datetime
    basis: str
    policy_version: str
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who may be recognised. ``person_id`` goes on the wire, ``name`` never does unasked.

    ``valid_from`` and ``valid_until`` are aware datetimes, the end exclusive.
    """

    person_id: str
    name: str
    enabled: bool = True
    valid_from: datetime | None = None
    valid_until: datetime | None = None
    groups: frozenset[str] = field(default_factory=frozenset)
    consent: Consent | None = None
    created_at: datetime | None = None


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Template:
    """One reference of a person: ``vector`` (D,) float32, unit length, read-only.

    ``space`` names the embedding space; vectors of different spaces never meet. ``quality`` 0..1.
    ``photo_digest`` is a keyed digest of the source file, to notice the same photograph again.
    """

    template_id: str
    person_id: str
    space: str
    vector: FloatArray
    quality: float
    photo_digest: bytes
    created_at: datetime | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Veto:
    """A face that was taken for ``person_id`` in the access event ``event_id`` and is not theirs.

    ``vector`` (D,) float32, unit length, read-only, of the embedding space ``space``.
    """

    event_id: str
    person_id: str
    space: str
    vector: FloatArray
    created_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Distinction:
    """Somebody looked at two enrolled people and said that they are two: ``pair`` holds both ids."""

    pair: frozenset[str]
    reason: str = ""
    created_at: datetime | None = None
