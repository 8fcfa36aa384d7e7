"""What a fleet's gallery is made of, as bytes: MessagePack, parsed as strictly as it is written.

A *shard* holds some of the people with their templates. The *manifest* names every shard by hash and
length, and what holds for all of them. *Keys* holds the group's secrets, each wrapped for every door.
*Denied* says who is refused from now on, whatever a shard says. Names are not sent: a door needs none.
"""

import math
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, TypeVar

import msgspec
import numpy as np
from msgspec import Meta

from edged.domain.people import Consent, Person, Template
from edged.domain.shards import MOST_SHARDS
from edged.domain.types import FloatArray
from edged.errors import FleetError

# An int8 vector of a unit one lies within a cosine of 0.00005 of it (512-d, measured and computed: the
# error of one number is at most half a step of max/127).
_STEPS = 127
MOST_PEOPLE_A_SHARD = 4_096
MOST_TEMPLATES = 64
# The largest shard: 4,096 people of one template each, or fewer of more.
MAX_SHARD_BYTES = 8_000_000
MAX_MANIFEST_BYTES = 1_000_000
MAX_KEYS_BYTES = 2_000_000
MAX_DENIED_BYTES = 1_000_000
MAX_ROLES_BYTES = 100_000

PersonId = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$")]
Group = Annotated[str, Meta(min_length=1, max_length=64)]
Seconds = Annotated[float, Meta(ge=0, le=253402300799)]  # up to the year 9999
Digest = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$")]
DoorName = Annotated[str, Meta(pattern=r"^[^+#/\x00-\x1f]{1,120}$")]
Version = Annotated[int, Meta(ge=1, le=2**31)]
Clock = Annotated[str, Meta(pattern=r"^([01][0-9]|2[0-4]):[0-5][0-9]$")]


class _Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    v: Literal[1] = 1


class ConsentRecord(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the person agreed to; seconds since 1970."""

    given_at: Seconds
    basis: Annotated[str, Meta(max_length=100)]
    policy: Annotated[str, Meta(max_length=100)]
    until: Seconds | None = None


class TemplateRecord(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``codes`` int8, one a dimension; the vector is their direction."""

    codes: Annotated[bytes, Meta(min_length=1, max_length=4096)]
    quality: Annotated[float, Meta(ge=0, le=1)]


class PersonRecord(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Somebody who may be recognised, as ``domain.people.Person`` without a name."""

    id: PersonId
    enabled: bool = True
    valid_from: Seconds | None = None
    valid_until: Seconds | None = None
    groups: Annotated[list[Group], Meta(max_length=64)] = []
    consent: ConsentRecord | None = None
    templates: Annotated[list[TemplateRecord], Meta(max_length=MOST_TEMPLATES)] = []


class Shard(_Part, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The people of one shard."""

    people: Annotated[list[PersonRecord], Meta(max_length=MOST_PEOPLE_A_SHARD)]


class ShardEntry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a shard lies and how it is sealed. ``version`` is the gallery's that first had it."""

    number: Annotated[int, Meta(ge=0, lt=MOST_SHARDS)]
    sha256: Digest
    length: Annotated[int, Meta(ge=1, le=MAX_SHARD_BYTES)]
    version: Version
    epoch: Version
    people: Annotated[int, Meta(ge=1, le=MOST_PEOPLE_A_SHARD)]


class PeriodRecord(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One opening period; days 0 (Monday) to 6."""

    days: Annotated[list[Annotated[int, Meta(ge=0, le=6)]], Meta(min_length=1, max_length=7)]
    start: Clock
    end: Clock


class AccessRecord(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who may enter when, for every door of the group; as the sections of the same names."""

    schedules: dict[Group, list[PeriodRecord]] = {}
    groups: dict[Group, list[Group]] = {}


class Manifest(_Part, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One version of the gallery of ``group``.

    ``valid_until`` is when a door stops relying on it. ``only`` names the doors that try it first; the
    others keep what they have. ``allow_shrink`` says that many are missing on purpose; ``distinct`` names
    pairs (``"a b"``) that look like one person and are two. ``access`` None leaves the door's own rules.
    """

    group: str
    version: Version
    space: Annotated[str, Meta(min_length=1, max_length=200)]
    dimension: Annotated[int, Meta(ge=1, le=4096)]
    shards: Annotated[int, Meta(ge=1, le=MOST_SHARDS)]
    people: Annotated[int, Meta(ge=0)]
    created_at: Seconds
    valid_until: Seconds
    entries: Annotated[list[ShardEntry], Meta(max_length=MOST_SHARDS)]
    only: list[DoorName] | None = None
    allow_shrink: bool = False
    distinct: Annotated[list[str], Meta(max_length=10_000)] = []
    access: AccessRecord | None = None


class Keys(_Part, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``wrapped`` maps an epoch (as text) and a door to the group's secret of that epoch, sealed for it."""

    group: str
    wrapped: dict[str, dict[DoorName, Annotated[bytes, Meta(max_length=4096)]]]


class Denied(_Part, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who is refused from now on. ``version`` grows with each change."""

    group: str
    version: Version
    people: Annotated[list[PersonId], Meta(max_length=15_000)]


Action = Literal["unlock", "lockdown", "release", "reload", "selftest", "snapshot", "replay", "rebirth"]
ACTIONS: tuple[Action, ...] = (
    "unlock", "lockdown", "release", "reload", "selftest", "snapshot", "replay", "rebirth",
)  # fmt: skip


class CommandKey(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A key that may give commands: which, at which doors (None: all of the group), until when."""

    name: Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9-]{0,40}$")]
    public: Annotated[bytes, Meta(min_length=32, max_length=32)]
    may: Annotated[list[Action], Meta(min_length=1)]
    doors: list[DoorName] | None = None
    until: Seconds | None = None


class Roles(_Part, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who may give commands to the doors of a group. Not secret: public keys, signed like a gallery."""

    group: str
    version: Version
    keys: Annotated[list[CommandKey], Meta(max_length=256)]


P = TypeVar("P", bound=_Part)
_encoder = msgspec.msgpack.Encoder()
# Of what is sealed the door counts the sealed bytes: a salt and a tag more (gallery_seal), rounded up.
_SEAL_BYTES = 64
_MOST_BYTES: dict[type[_Part], int] = {
    Manifest: MAX_MANIFEST_BYTES - _SEAL_BYTES,
    Denied: MAX_DENIED_BYTES - _SEAL_BYTES,
    Keys: MAX_KEYS_BYTES,
    Roles: MAX_ROLES_BYTES,
}


def encode(part: _Part) -> bytes:
    """Return the bytes of one part. Raises ``FleetError`` on what no door would take.

    A struct is not checked when it is made, and what was signed once cannot be taken back.
    """
    data: bytes = _encoder.encode(part)
    most = _MOST_BYTES.get(type(part))
    if most is not None and len(data) > most:
        raise FleetError(f"{type(part).__name__.lower()}: {len(data):,} bytes, at most {most:,} are taken")
    decode(data, type(part))
    return data


def decode(data: bytes, kind: type[P]) -> P:
    """Return the part in ``data``. Raises ``FleetError`` on anything else."""
    try:
        return msgspec.msgpack.decode(data, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
        raise FleetError(f"{kind.__name__.lower()}: {str(exc)[:200]}") from exc


def quantised(vector: FloatArray) -> bytes:
    """Return one int8 a number of a unit vector (D,). Raises ``FleetError`` where it has no direction."""
    largest = float(np.max(np.abs(vector)))
    if not (math.isfinite(largest) and largest > 0):
        raise FleetError("a template is no finite vector")
    codes: bytes = np.rint(vector * (_STEPS / largest)).astype(np.int8).tobytes()
    return codes


def restored(codes: Sequence[bytes], dimension: int) -> FloatArray:
    """Return the unit vectors (N, ``dimension``) float32, read-only. Raises ``FleetError``."""
    for one in codes:
        if len(one) != dimension:
            raise FleetError(f"a template has {len(one)} numbers, expected {dimension}")
    vectors = np.frombuffer(b"".join(codes), np.int8).reshape(len(codes), dimension).astype(np.float32)
    norms = np.sqrt(np.einsum("ij,ij->i", vectors, vectors))
    if not norms.all():
        raise FleetError("a template is all zeros")
    vectors /= norms[:, None]
    vectors.flags.writeable = False
    return vectors


def record_of(person: Person, templates: list[Template]) -> PersonRecord:
    """Return what is sent of a person. Raises ``FleetError`` on a template without direction."""
    consent = person.consent
    return PersonRecord(
        id=person.person_id,
        enabled=person.enabled,
        valid_from=_seconds(person.valid_from),
        valid_until=_seconds(person.valid_until),
        groups=sorted(person.groups),
        consent=None
        if consent is None
        else ConsentRecord(
            given_at=consent.given_at.timestamp(),
            basis=consent.basis,
            policy=consent.policy_version,
            until=_seconds(consent.until),
        ),
        templates=[
            TemplateRecord(codes=quantised(template.vector), quality=template.quality)
            for template in templates[:MOST_TEMPLATES]
        ],
    )


def people_of(shard: Shard, space: str, dimension: int) -> tuple[list[Person], list[Template]]:
    """Return the people of a shard and their templates. Raises ``FleetError``."""
    owners = [(record, number) for record in shard.people for number in range(len(record.templates))]
    vectors = restored([record.templates[number].codes for record, number in owners], dimension)
    templates = [
        Template(f"{record.id}/{number}", record.id, space, vector, record.templates[number].quality, b"")
        for (record, number), vector in zip(owners, vectors, strict=True)
    ]
    return [_person(record) for record in shard.people], templates


def _person(record: PersonRecord) -> Person:
    """Return the person; the id stands for the name, which is not sent."""
    consent = record.consent
    return Person(
        person_id=record.id,
        name=record.id,
        enabled=record.enabled,
        valid_from=_moment(record.valid_from),
        valid_until=_moment(record.valid_until),
        groups=frozenset(record.groups),
        consent=None
        if consent is None
        else Consent(
            datetime.fromtimestamp(consent.given_at, UTC),
            consent.basis,
            consent.policy,
            _moment(consent.until),
        ),
    )


def _seconds(moment: datetime | None) -> float | None:
    return None if moment is None else moment.timestamp()


def _moment(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def describe(part: _Part) -> dict[str, Any]:
    """Return a part as plain values, for ``--json``."""
    described: dict[str, Any] = msgspec.to_builtins(part)
    return described
