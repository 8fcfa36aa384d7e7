"""People and templates as sealed bytes: what is written, bound to the row it is written in.

The context of a seal names the row, so that a record moved to another row does not open.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
import numpy as np

from edged.domain.people import Consent, Person, Template, Veto
from edged.domain.types import FloatArray
from edged.errors import StoreCorruptError, printable
from edged.storage.sealed import opened
from edged.storage.vault import Vault


@dataclass(frozen=True, slots=True, eq=False)
class NewTemplate:
    """A template before it is stored: ``vector`` (D,) float32 unit length, ``quality`` 0..1.

    ``photo_digest`` is ``Vault.digest`` of the photograph's bytes.
    """

    space: str
    vector: FloatArray
    quality: float
    photo_digest: bytes


class _Consent(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    given_at: datetime
    basis: str
    policy_version: str
    until: datetime | None


class _Person(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    enabled: bool
    valid_from: datetime | None
    valid_until: datetime | None
    groups: tuple[str, ...]
    consent: _Consent | None
    created_at: datetime | None


class _Template(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    vector: bytes
    quality: float
    photo_digest: bytes
    created_at: datetime | None


class _Veto(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    vector: bytes
    created_at: datetime | None


def seal_person(vault: Vault, person: Person) -> bytes:
    """Return everything about ``person`` but the id, sealed."""
    consent = person.consent
    record = _Person(
        person.name,
        person.enabled,
        person.valid_from,
        person.valid_until,
        tuple(sorted(person.groups)),
        None if consent is None else _Consent(**_fields(consent)),
        person.created_at,
    )
    return vault.seal(msgspec.msgpack.encode(record), _context("person", person.person_id))


def unseal_person(vault: Vault, person_id: str, sealed: object) -> Person:
    """Return the person of a row. Raises ``StoreCorruptError`` naming the id only."""
    try:
        record = opened(vault, sealed, _context("person", person_id), _Person)
    except StoreCorruptError as exc:
        raise StoreCorruptError(
            f"person {printable(str(person_id))}: the stored record fails its check"
        ) from exc
    consent = record.consent
    return Person(
        person_id,
        record.name,
        record.enabled,
        record.valid_from,
        record.valid_until,
        frozenset(record.groups),
        None if consent is None else Consent(**_fields(consent)),
        record.created_at,
    )


def seal_template(vault: Vault, template: Template) -> bytes:
    """Return the vector and what belongs to it, sealed."""
    record = _Template(
        np.ascontiguousarray(template.vector, "<f4").tobytes(),
        float(template.quality),
        template.photo_digest,
        template.created_at,
    )
    return vault.seal(msgspec.msgpack.encode(record), _template_context(template))


def unseal_template(vault: Vault, row: Sequence[object]) -> Template:
    """Return the template of a row (template_id, person_id, space, sealed).

    Raises ``StoreCorruptError`` naming the person's id only.
    """
    template_id, person_id, space, sealed = row
    try:
        record = opened(vault, sealed, _context("template", template_id, person_id, space), _Template)
        vector = np.frombuffer(record.vector, "<f4").astype(np.float32)
    except (StoreCorruptError, ValueError) as exc:
        raise StoreCorruptError(
            f"person {printable(str(person_id))}: a stored template fails its check"
        ) from exc
    vector.flags.writeable = False
    return Template(
        str(template_id),
        str(person_id),
        str(space),
        vector,
        record.quality,
        record.photo_digest,
        record.created_at,
    )


def seal_veto(vault: Vault, veto: Veto) -> bytes:
    """Return the vector of a veto, sealed."""
    record = _Veto(np.ascontiguousarray(veto.vector, "<f4").tobytes(), veto.created_at)
    return vault.seal(
        msgspec.msgpack.encode(record), _context("veto", veto.event_id, veto.person_id, veto.space)
    )


def unseal_veto(vault: Vault, row: Sequence[object]) -> Veto:
    """Return the veto of a row (event_id, person_id, space, sealed).

    Raises ``StoreCorruptError`` naming the person's id only.
    """
    event_id, person_id, space, sealed = row
    try:
        record = opened(vault, sealed, _context("veto", event_id, person_id, space), _Veto)
        vector = np.frombuffer(record.vector, "<f4").astype(np.float32)
    except (StoreCorruptError, ValueError) as exc:
        raise StoreCorruptError(f"person {printable(str(person_id))}: a stored veto fails its check") from exc
    vector.flags.writeable = False
    return Veto(str(event_id), str(person_id), str(space), vector, record.created_at)


def _fields(consent: Consent | _Consent) -> dict[str, Any]:
    return {name: getattr(consent, name) for name in _Consent.__struct_fields__}


def _template_context(template: Template) -> bytes:
    return _context("template", template.template_id, template.person_id, template.space)


def _context(*words: object) -> bytes:
    # NUL cannot stand in an id, so no two lists of words give the same bytes.
    return "\0".join(map(str, words)).encode("utf-8", "surrogateescape")
