"""Ids of events: ULIDs, as the rest of edged uses, without the 8 MB that the library for them takes here."""

import os
import time

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's base 32


def new_id() -> str:
    """Return 26 characters: 48 bits of Unix milliseconds, 80 random bits (github.com/ulid/spec)."""
    number = (int(time.time() * 1000) & (1 << 48) - 1) << 80 | int.from_bytes(os.urandom(10))
    return "".join(_ALPHABET[number >> shift & 31] for shift in range(125, -1, -5))
