"""Each kind of finding, on vectors made to measure, and its advice."""

import json
import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from edged.domain.calibration import CalibrationPoint
from edged.domain.lookalikes import LookalikeRule
from edged.domain.people import Distinction, Person, Template
from edged.domain.types import FloatArray
from edged.enrolment.audit import Gallery, audit
from edged.enrolment.findings import TITLES, Finding, Kind
from edged.enrolment.levels import Levels

TABLE = (
    CalibrationPoint(1e-3, 0.32, 10**6),
    CalibrationPoint(1e-4, 0.39, 10**6),
    CalibrationPoint(1e-5, 0.46, 10**6),
)
LEVELS = Levels(0.46, 0.32, 0.39)
RULE = LookalikeRule(threshold=0.41, min_margin=0.06, strictest=0.46, stranger=0.32)
DIMENSION = 32
NOW = datetime(2026, 3, 2, tzinfo=UTC)


class People:
    """Builds people from directions: each photograph is ``own`` parts of a base, the rest its own noise."""

    def __init__(self) -> None:
        self.people: list[Person] = []
        self.templates: list[Template] = []
        self.noise = 12

    def vector(self, *parts: tuple[int, float]) -> FloatArray:
        """Named parts along axes; what is left of the unit length goes to an axis of its own."""
        row = np.zeros(DIMENSION, np.float32)
        for axis, part in parts:
            row[axis] = part
        row[self.noise] = math.sqrt(max(0.0, 1 - float(row @ row)))
        self.noise += 1
        return row / np.linalg.norm(row)

    def add(
        self, name: str, *vectors: FloatArray, quality: float = 0.97, days: tuple[int, ...] = ()
    ) -> Person:
        person = Person(f"p-{len(self.people)}", name)
        self.people.append(person)
        for number, vector in enumerate(vectors):
            at = NOW - timedelta(days=days[number]) if days else NOW
            template = Template(
                f"t-{len(self.templates)}", person.person_id, "toy/1", vector, quality, b"", at
            )
            self.templates.append(template)
        return person

    def good(self, name: str, axis: int, photographs: int = 3) -> Person:
        return self.add(name, *(self.vector((axis, 0.85)) for _ in range(photographs)))

    def found(
        self, *kinds: Kind, rule: LookalikeRule | None = RULE, said: tuple[Distinction, ...] = ()
    ) -> list[Finding]:
        findings = audit(Gallery.of(self.people, self.templates, said), TABLE, LEVELS, rule)
        return [finding for finding in findings if not kinds or finding.kind in kinds]


@pytest.fixture
def office() -> People:
    people = People()
    people.good("Ada Lovelace", 0)
    people.good("Ben Stone", 1)
    return people


def ids(finding: Finding) -> list[str]:
    return [person.person_id for person in finding.people]


def test_a_gallery_in_order_has_nothing_to_say(office: People) -> None:
    assert office.found() == []
    assert audit(Gallery.of([], []), TABLE, LEVELS, RULE) == []


def test_one_person_under_two_names_is_to_be_merged_into_the_one_with_more_photographs(
    office: People,
) -> None:
    office.add("Countess King", office.vector((0, 0.85)))
    (finding,) = office.found(Kind.SAME_PERSON)
    assert ids(finding) == ["p-0", "p-2"]
    assert finding.action
    assert finding.advice == ("edged people merge p-2 p-0", "edged gallery different p-0 p-2")
    assert finding.figures["strangers"] <= 0.1


def test_two_who_were_said_to_be_two_are_no_longer_listed_and_keep_their_higher_bar(office: People) -> None:
    twin = office.good("Adam Lovelace", 0)
    (double,) = office.found(Kind.SAME_PERSON)
    ada = office.people[0]
    assert double.advice[1] == f"edged gallery different {ada.person_id} {twin.person_id}"
    said = Distinction(frozenset({ada.person_id, twin.person_id}), "twins", NOW)
    assert office.found(Kind.SAME_PERSON, Kind.LOOKALIKE, said=(said,)) == []
    (known,) = office.found(Kind.ACKNOWLEDGED, said=(said,))
    assert not known.action
    assert known.text.endswith("said to be two people on 2026-03-02: twins")
    assert known.figures["score_limit"] > RULE.threshold
    assert known.advice == (f"edged gallery different {ada.person_id} {twin.person_id} --undo",)
    other = Distinction(frozenset({ada.person_id, office.people[1].person_id}))
    assert office.found(Kind.SAME_PERSON, said=(other,)) == [double]


def test_one_photograph_of_two_who_are_two_is_still_to_be_removed(office: People) -> None:
    photo = office.templates[0].vector
    twin = office.add("Adam Lovelace", office.vector((0, 0.85)), photo, photo)
    said = Distinction(frozenset({office.people[0].person_id, twin.person_id}))
    (finding,) = office.found(Kind.SAME_PHOTO, Kind.ACKNOWLEDGED, said=(said,))
    assert finding.kind is Kind.SAME_PHOTO
    assert all(command.startswith("edged people remove-photo") for command in finding.advice)


def test_the_audit_tells_how_far_it_is(office: People) -> None:
    told: list[tuple[int, int]] = []
    gallery = Gallery.of(office.people, office.templates)
    audit(gallery, TABLE, LEVELS, RULE, lambda done, total: told.append((done, total)))
    assert told == sorted(told)
    assert told[-1] == (2 * 2 + 6, 2 * 2 + 6)


def test_one_photograph_under_two_names_is_told_apart_from_one_person(office: People) -> None:
    taken = next(one for one in office.templates if one.person_id == "p-0")
    office.add("Somebody Else", taken.vector)
    (finding,) = office.found(Kind.SAME_PHOTO, Kind.SAME_PERSON)
    assert finding.kind is Kind.SAME_PHOTO
    assert finding.advice == (
        "edged people merge p-2 p-0",
        f"edged people remove-photo {taken.template_id}",
        "edged people remove-photo t-6",
    )


def test_a_similar_name_turns_a_look_alike_into_a_suspect(office: People) -> None:
    office.add("Hasan Wirajuda", office.vector((2, 0.65)))
    office.add("Hassan Wirajuda", office.vector((2, 0.65)))
    assert [ids(finding) for finding in office.found(Kind.SAME_PERSON)] == [["p-2", "p-3"]]
    office.people[3] = replace(office.people[3], name="Petra Winter")
    assert office.found(Kind.SAME_PERSON) == []
    (finding,) = office.found(Kind.LOOKALIKE)
    assert not finding.action
    bar = RULE.bar(finding.figures["cosine"])
    assert bar is not None
    assert (finding.figures["score_limit"], finding.figures["margin_limit"]) == (bar.score, bar.margin)
    (unarmed,) = office.found(Kind.LOOKALIKE, rule=None)
    assert "the door asks" in finding.text
    assert "the door" not in unarmed.text


def test_a_photograph_of_somebody_else_is_named_with_whom_it_shows(office: People) -> None:
    office.add("Cy Young", *(office.vector((3, 0.85)) for _ in range(3)), office.vector((1, 0.8)))
    (finding,) = office.found(Kind.WRONG_PHOTO)
    assert ids(finding) == ["p-2", "p-1"]
    assert (finding.template_id, finding.advice) == ("t-9", ("edged people remove-photo t-9",))
    assert office.found(Kind.SAME_PERSON, Kind.ODD_PHOTO) == []


def test_a_photograph_of_a_stranger_is_odd_and_one_of_long_ago_has_drifted(office: People) -> None:
    own = [office.vector((3, 0.85)) for _ in range(3)]
    office.add("Cy Young", *own, office.vector((4, 0.8)))
    office.add(
        "Di Old", *(office.vector((5, 0.85)) for _ in range(3)), office.vector((6, 0.8)), days=(0, 1, 2, 400)
    )
    odd, drifted = office.found(Kind.ODD_PHOTO, Kind.DRIFTED)
    assert (odd.kind, odd.template_id, ids(odd)) == (Kind.ODD_PHOTO, "t-9", ["p-2"])
    assert (drifted.kind, drifted.template_id) == (Kind.DRIFTED, "t-13")
    assert drifted.advice[0] == "edged people remove-photo t-13"


def test_two_photographs_that_disagree_leave_open_whose_they_are(office: People) -> None:
    office.add("Cy Young", office.vector((3, 0.85)), office.vector((4, 0.85)))
    (finding,) = office.found(Kind.TWO_PEOPLE, Kind.ODD_PHOTO, Kind.WRONG_PHOTO)
    assert finding.advice == (
        "edged enrol --add-to p-2 PHOTO...",
        "edged people remove-photo t-6",
        "edged people remove-photo t-7",
    )


def test_few_alike_poor_and_missing_photographs(office: People) -> None:
    office.good("Few Photos", 3, 2)
    one = office.vector((4, 0.97))
    office.add("Alike Photos", one, one, one)
    office.add("Poor Photos", *(office.vector((5, 0.85)) for _ in range(3)), quality=0.55)
    office.add("No Photos")
    found = office.found()
    assert [(finding.kind, ids(finding)) for finding in found] == [
        (Kind.NO_PHOTO, ["p-5"]),
        (Kind.LOW_QUALITY, ["p-4"]),
        (Kind.LOW_QUALITY, ["p-4"]),
        (Kind.LOW_QUALITY, ["p-4"]),
        (Kind.ALIKE_PHOTOS, ["p-3"]),
        (Kind.FEW_PHOTOS, ["p-2"]),
    ]
    assert [finding.action for finding in found] == [True, *[False] * 5]
    assert found[-1].advice == ("edged enrol --add-to p-2 PHOTO...",)


def test_findings_are_plain_json_and_every_kind_has_a_title(office: People) -> None:
    office.add("Countess King", office.vector((0, 0.85)))
    record = json.loads(json.dumps([finding.as_json() for finding in office.found()]))
    assert record[0]["finding"] == "same_person"
    assert record[0]["people"][1] == {"person_id": "p-2", "name": "Countess King"}
    assert list(TITLES) == list(Kind)
