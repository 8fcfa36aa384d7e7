"""Every protocol over one pass, with faces told by the grey of the picture."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
import pytest

from edged.domain.risk import Risk
from edged.errors import EvaluationError
from edged.evaluation.embedding import Progress, silent
from edged.evaluation.measurement import DoorTerms, Terms, measure
from edged.evaluation.protocols import photographs
from tests.unit.evaluation.conftest import GREY_FACES, POLICY


@contextmanager
def bars(_what: str) -> Iterator[Progress]:
    yield silent


@pytest.fixture
def terms(tmp_path: Path) -> Terms:
    """Five people with three photographs each, told apart by how bright their halves are."""
    for who in range(5):
        (tmp_path / f"p{who}").mkdir()
        for k in range(3):
            picture = np.full((100, 100, 3), 40 + 50 * who + k, np.uint8)
            picture[:, 50:] = 240 - 45 * who
            cv2.imwrite(str(tmp_path / f"p{who}" / f"{k}.png"), picture)
    (tmp_path / "p0" / "text.png").write_text("no picture")
    policy = replace(POLICY, threshold=0.999, min_margin=0.0)
    door = DoorTerms(lambda _threshold: policy, Risk(0.01), frames=3)
    return Terms(tmp_path, photographs(tmp_path), door=door)


def test_one_pass_serves_all_protocols(terms: Terms) -> None:
    found = measure(GREY_FACES, terms, bars)
    assert (found.photographs, found.people, found.face_rate, found.skipped) == (15, 5, 1, {})
    assert [one.reason for one in found.failures] == ["unreadable"]
    assert found.closed_set is not None
    assert found.closed_set.rules[0].accuracy.value == 1
    assert found.pairs is not None
    assert found.pairs.same_pairs == 15
    assert found.open_set is not None
    assert found.open_set.people == 3
    assert found.door is not None
    assert (found.door.result.visits, found.door.result.stranger_visits) == (3, 6)
    # Without a calibration no threshold follows from a risk, and the policy decides what that means.
    assert "no calibration" in found.door.claim


def test_a_protocol_that_cannot_be_measured_does_not_stop_the_others(terms: Terms) -> None:
    alone = [one for one in terms.photographs if one.person == "p1"]
    with pytest.raises(EvaluationError, match="nothing could be measured: closed-set: expected two people"):
        measure(GREY_FACES, replace(terms, photographs=alone), bars)
    two = [one for one in terms.photographs if one.image in {"p1/0.png", "p1/1.png", "p2/0.png"}]
    found = measure(GREY_FACES, replace(terms, photographs=two), bars)
    assert "closed-set" in found.skipped
    assert found.closed_set is None
    assert found.pairs is not None


def test_lists_take_the_place_of_what_is_drawn(terms: Terms) -> None:
    enrol = [one for one in terms.photographs if one.image in {"p1/0.png", "p2/0.png"}]
    probes = [one for one in terms.photographs if one.image in {"p1/1.png", "p0/text.png"}]
    probes.append(replace(probes[0], person="", image="p3/0.png"))
    asked = replace(terms, closed_lists=(enrol, probes), door_lists=(enrol, probes))
    found = measure(GREY_FACES, replace(asked, protocols=("closed-set", "door")), bars)
    assert found.closed_set is not None
    assert (found.closed_set.templates, found.closed_set.probes) == (2, 1)
    assert found.door is not None
    assert (found.door.result.people, found.door.result.visits, found.door.result.stranger_visits) == (
        2,
        1,
        1,
    )


def test_the_enrolled_are_dealt_to_doors_that_every_stranger_visits(terms: Terms) -> None:
    assert terms.door is not None
    dealt = replace(terms, protocols=("door",), door=replace(terms.door, dealt=1))
    found = measure(GREY_FACES, dealt, bars).door
    assert found is not None
    assert (found.result.doors, found.result.people) == (3, 1)
    assert (found.result.visits, found.result.stranger_visits) == (3, 3 * 6)
    # Two at a door leave one who is enrolled at none, and whose visit is nobody's.
    pairs = measure(GREY_FACES, replace(dealt, door=replace(terms.door, dealt=2)), bars).door
    assert pairs is not None
    assert (pairs.result.doors, pairs.result.people, pairs.result.visits) == (1, 2, 2)


@pytest.mark.parametrize("dealt", [4, "carried"])
def test_a_door_of_more_people_than_there_are_or_than_the_table_carries_is_refused(
    terms: Terms, dealt: int | Literal["carried"]
) -> None:
    assert terms.door is not None
    asked = replace(terms, protocols=("door",), door=replace(terms.door, dealt=dealt))
    with pytest.raises(EvaluationError, match="the table carries 0"):
        measure(GREY_FACES, asked, bars)


def test_a_door_needs_its_terms(terms: Terms) -> None:
    with pytest.raises(EvaluationError, match="terms of the door"):
        measure(GREY_FACES, replace(terms, protocols=("door",), door=None), bars)
