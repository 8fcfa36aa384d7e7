"""Nobody calibrates and is measured."""

from edged.evaluation.protocols import Labelled
from edged.evaluation.quantization.split import calibrates, split_people


def listed(people: int, photographs: int = 2) -> list[Labelled]:
    return [
        Labelled(f"p{index}", f"p{index}/{turn}.jpg")
        for index in range(people)
        for turn in range(photographs)
    ]


def test_no_person_is_on_both_sides() -> None:
    split = split_people(listed(400))
    calibrating, measured = ({one.person for one in side} for side in (split.calibration, split.measured))
    assert not calibrating & measured
    assert 60 < len(calibrating) < 140
    assert len(measured) > 250


def test_the_split_depends_on_names_alone() -> None:
    # The SHA-256 of "p0" begins with 1, of "p2" with 3, of "p3" with 4 and of "p1" with f.
    assert [calibrates(f"p{index}") for index in range(4)] == [True, False, True, False]
    photographs = listed(100, 7)
    assert split_people(photographs[::-1]) == split_people(photographs)


def test_calibration_sees_each_person_before_it_sees_one_twice() -> None:
    split = split_people(listed(100, 10))
    people = [one.person for one in split.calibration]
    count = len(set(people))
    assert len(people) == 128
    assert len(set(people[:count])) == count


def test_no_person_counts_for_more_than_five_photographs() -> None:
    split = split_people(listed(100, 50))
    assert sum(one.person == "p1" for one in split.measured) == 5


def test_people_with_one_photograph_are_measured_last() -> None:
    single = [Labelled(f"single{index}", f"single{index}/0.jpg") for index in range(6000)]
    split = split_people([*single, *listed(100)])
    assert len(split.measured) == 4000
    pairs = [one.person for one in split.measured if not one.person.startswith("single")]
    assert [one.person for one in split.measured[: len(pairs)]] == pairs
    assert len(pairs) > 100
