"""What may be a PIN or a badge, as text.

A PIN has 4 to 12 digits; those that are tried first are refused: one digit throughout, and a run up or down.
A badge is what its reader says, usually a hexadecimal number: 4 to 64 letters, digits, ``:``, ``-`` or ``.``,
compared without regard to case, colons and dashes, since readers differ in these.
"""

import re

from edged.domain.second_factor import FactorKind

_PIN = re.compile(r"[0-9]{4,12}")
_BADGE = re.compile(r"[A-Za-z0-9.]{4,64}")
_RUN = "01234567890123456789"


def normal(kind: FactorKind, text: str) -> str:
    """Return ``text`` as it is compared."""
    text = text.strip()
    return text if kind is FactorKind.PIN else text.upper().replace(":", "").replace("-", "")


def shortcoming(kind: FactorKind, text: str) -> str | None:
    """Say why a normal ``text`` may not be enrolled, without repeating it; None where it may."""
    if kind is FactorKind.BADGE:
        return (
            None
            if _BADGE.fullmatch(text)
            else "expected 4 to 64 letters and digits, as the reader gives them"
        )
    if not _PIN.fullmatch(text):
        return "expected 4 to 12 digits"
    if len(set(text)) == 1 or text in _RUN or text in _RUN[::-1]:
        return "too easy to guess: one digit throughout, or a run"
    return None
