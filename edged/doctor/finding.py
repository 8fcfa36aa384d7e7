"""What a check found."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class State(StrEnum):
    """How bad it is. Only ``FAILED`` makes the command fail."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    NOT_APPLICABLE = "not applicable"


@dataclass(frozen=True, slots=True)
class Finding:
    """One result: ``detail`` is a sentence that says what to do where it is not fine.

    ``facts`` are the figures behind it, JSON values without names of people.
    """

    state: State
    detail: str
    facts: Mapping[str, object] = field(default_factory=dict)
