"""What a gallery takes: the form of an id, a name, a time and a vector."""

import re

import numpy as np

from edged.domain.people import Person
from edged.domain.types import FloatArray
from edged.errors import EnrolmentError

_PERSON_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")
_MAX_NAME = 200
# Norms of float32 vectors are off by less than 1e-6; anything larger was never normalised.
_UNIT_TOLERANCE = 1e-3


def check_person(person: Person) -> None:
    """Raise ``EnrolmentError`` with the reason ``bad_person_id``, ``bad_name`` or ``bad_validity``."""
    if not _PERSON_ID.fullmatch(person.person_id):
        raise EnrolmentError(
            "bad_person_id", f"person id {person.person_id[:80]!r}: expected letters, digits, '_', '.' or '-'"
        )
    if not 1 <= len(person.name) <= _MAX_NAME or not person.name.isprintable():
        raise EnrolmentError(
            "bad_name", f"name: expected 1 to {_MAX_NAME} printable characters, got {len(person.name)}"
        )
    limits = (person.valid_from, person.valid_until, person.consent.until if person.consent else None)
    if any(limit is not None and limit.tzinfo is None for limit in limits):
        raise EnrolmentError(
            "bad_validity", "valid_from, valid_until, end of consent: expected times with a time zone"
        )
    if person.valid_from and person.valid_until and person.valid_until <= person.valid_from:
        raise EnrolmentError("bad_validity", f"valid_until {person.valid_until} is not after valid_from")


def check_unit(what: str, vector: FloatArray) -> None:
    """Raise ``ValueError`` on a vector that is not finite and of unit length."""
    # Written so that NaN fails: every comparison with it is false.
    if not abs(float(np.linalg.norm(vector)) - 1.0) <= _UNIT_TOLERANCE:
        raise ValueError(f"{what}: expected a finite unit vector")
