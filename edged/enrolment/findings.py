"""What an audit of the gallery finds, and the command that mends it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from edged.domain.people import Person


class Kind(StrEnum):
    """The kinds of findings, the gravest first."""

    SAME_PHOTO = "same_photo"
    WRONG_PHOTO = "wrong_photo"
    SAME_PERSON = "same_person"
    TWO_PEOPLE = "two_people"
    ODD_PHOTO = "odd_photo"
    DRIFTED = "drifted"
    NO_PHOTO = "no_photo"
    LOOKALIKE = "lookalike"
    ACKNOWLEDGED = "acknowledged"
    LOW_QUALITY = "low_quality"
    ALIKE_PHOTOS = "alike_photos"
    FEW_PHOTOS = "few_photos"


# These endanger the door or lock somebody out; the others say how to be recognised more surely.
_ACTIONS = frozenset(Kind) - {
    Kind.LOOKALIKE, Kind.ACKNOWLEDGED, Kind.LOW_QUALITY, Kind.ALIKE_PHOTOS, Kind.FEW_PHOTOS
}  # fmt: skip
TITLES: Mapping[Kind, str] = {
    Kind.SAME_PHOTO: "one photograph under two names",
    Kind.WRONG_PHOTO: "a photograph of somebody else",
    Kind.SAME_PERSON: "one person under two names",
    Kind.TWO_PEOPLE: "photographs of two people",
    Kind.ODD_PHOTO: "a photograph unlike the others",
    Kind.DRIFTED: "a photograph from another time",
    Kind.NO_PHOTO: "no photograph for this model",
    Kind.LOOKALIKE: "look-alikes",
    Kind.ACKNOWLEDGED: "look-alikes that were said to be two people",
    Kind.LOW_QUALITY: "a poor photograph",
    Kind.ALIKE_PHOTOS: "photographs all alike",
    Kind.FEW_PHOTOS: "few photographs",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to look at: ``text`` says what was seen, ``advice`` which commands mend it, best first.

    ``figures`` holds what was measured, by name; ``template_id`` the photograph that is meant.
    """

    kind: Kind
    people: tuple[Person, ...]
    text: str
    advice: tuple[str, ...]
    figures: Mapping[str, float] = field(default_factory=dict)
    template_id: str | None = None

    @property
    def action(self) -> bool:
        """Whether something must be done, or could be."""
        return self.kind in _ACTIONS

    def as_json(self) -> dict[str, Any]:
        """JSON values; cosines to four places."""
        return {
            "finding": self.kind.value,
            "action": self.action,
            "people": [{"person_id": one.person_id, "name": one.name} for one in self.people],
            "template_id": self.template_id,
            "text": self.text,
            "advice": list(self.advice),
            "figures": {name: float(f"{value:.4g}") for name, value in self.figures.items()},
        }


def merge_advice(one: Person, other: Person) -> str:
    """Return the command that makes one person of two."""
    return f"edged people merge {one.person_id} {other.person_id}"


def different_advice(one: Person, other: Person, *, undo: bool = False) -> str:
    """Return the command that says that two people are two, or takes it back."""
    return f"edged gallery different {one.person_id} {other.person_id}{' --undo' if undo else ''}"


def remove_advice(template_id: str) -> str:
    """Return the command that removes one photograph."""
    return f"edged people remove-photo {template_id}"


def add_advice(person: Person) -> str:
    """Return the command that adds photographs."""
    return f"edged enrol --add-to {person.person_id} PHOTO..."
