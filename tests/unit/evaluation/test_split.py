"""Who is enrolled with which photographs."""

import pytest

from edged.errors import EvaluationError
from edged.evaluation.protocols import Labelled
from edged.evaluation.split import by_person, closed_split, in_half, open_split


def photographs(counts: dict[str, int]) -> list[Labelled]:
    return [Labelled(name, f"{name}/{i}.jpg") for name, count in counts.items() for i in range(count)]


def sizes(listed: list[Labelled]) -> dict[str, int]:
    return {person: len(images) for person, images in by_person(listed).items()}


def test_seventy_percent_are_enrolled_and_one_is_left_on_either_side() -> None:
    found = photographs({"Ann": 10, "Bob": 4, "Cid": 3, "Dan": 2, "Eve": 1})
    enrol, probes = closed_split(found)
    assert sizes(enrol) == {"Ann": 7, "Bob": 3, "Cid": 2, "Dan": 1}
    assert sizes(probes) == {"Ann": 3, "Bob": 1, "Cid": 1, "Dan": 1}
    assert not {one.image for one in enrol} & {one.image for one in probes}
    assert closed_split(found) == (enrol, probes)
    assert closed_split(found, seed=2) != (enrol, probes)


def test_people_with_too_few_photographs_are_left_out_of_the_closed_set() -> None:
    found = photographs({"Ann": 10, "Bob": 4, "Cid": 3})
    assert sizes(closed_split(found, least=4)[0]) == {"Ann": 7, "Bob": 3}
    assert sizes(closed_split(found, least=4, share=0.5)[0]) == {"Ann": 5, "Bob": 2}
    with pytest.raises(EvaluationError, match="5 photographs"):
        closed_split(found, least=5)


def test_one_persons_split_does_not_depend_on_how_many_are_asked_for() -> None:
    found = photographs({"Ann": 10, "Bob": 3, "Cid": 8})
    few = [one for one in closed_split(found, least=4)[0] if one.person == "Cid"]
    assert few == [one for one in closed_split(found)[0] if one.person == "Cid"]


def test_strangers_are_never_enrolled() -> None:
    found = photographs({f"p{who}": 1 + who % 6 for who in range(60)})
    enrol, probes = open_split(found)
    strangers = {one.image.split("/")[0] for one in probes if not one.person}
    assert len(strangers) == 20
    assert not strangers & {one.person for one in enrol}
    assert max(sizes(enrol).values()) == 3
    assert len(sizes(enrol)) == 40
    assert len(enrol) + len(probes) == len(found)
    assert open_split(found) == (enrol, probes)


@pytest.mark.parametrize("counts", [{"Ann": 5}, {"Ann": 1, "Bob": 1, "Cid": 1}])
def test_a_door_needs_visitors_of_both_kinds(counts: dict[str, int]) -> None:
    with pytest.raises(EvaluationError, match="strangers"):
        open_split(photographs(counts))


def test_everybody_is_in_one_half() -> None:
    names = [f"person {index}" for index in range(200)]
    even, odd = ({name for name in names if in_half(name, half)} for half in ("even", "odd"))
    assert even | odd == set(names)
    assert not even & odd
    assert 70 < len(even) < 130
    assert all(in_half(name, "all") for name in names)
