"""Photographs that gave nothing, and reports that name nobody."""

from dataclasses import replace

from edged.evaluation.failures import anonymous_labels, failures, relabelled
from edged.evaluation.protocols import Labelled
from tests.unit.evaluation.conftest import crowd, embedded

FOUND = [Labelled("ann", f"ann/{k}.jpg") for k in range(4)] + [Labelled("bob", "bob/0.jpg")]
VECTORS = dict(zip(("ann/0.jpg", "ann/1.jpg"), crowd(1, 2, spread=0.1).values(), strict=True))
SEEN = replace(
    embedded(VECTORS, ("bob/0.jpg",)),
    refused={"ann/1.jpg": "blurred"},
    unreadable={"ann/3.jpg": "not a picture"},
)


def test_each_reason_is_told_with_the_place_of_the_photograph() -> None:
    told = [(one.person, one.number, one.reason, one.text) for one in failures(SEEN, FOUND)]
    assert told == [
        ("ann", 2, "blurred", ""), ("ann", 4, "unreadable", "not a picture"), ("bob", 1, "no_face", ""),
    ]  # fmt: skip
    assert [one.image for one in failures(SEEN, FOUND)] == ["ann/1.jpg", "ann/3.jpg", "bob/0.jpg"]
    assert [one.image for one in failures(SEEN, FOUND, with_paths=False)] == [None] * 3


def test_anonymous_labels_tell_people_apart_and_nothing_else() -> None:
    label = anonymous_labels()
    labels = {label(f"person {number}") for number in range(2000)}
    assert len(labels) == 2000
    assert label("person 7") == label("person 7")
    assert all(len(one) == 12 and int(one, 16) >= 0 for one in labels)
    # Another report has other labels: nobody can be followed from one to the next.
    assert anonymous_labels()("person 7") != label("person 7")


def test_strangers_stay_without_a_name() -> None:
    listed = [Labelled("ann", "ann/0.jpg"), Labelled("", "zed/0.jpg")]
    assert relabelled(listed, str.upper) == [Labelled("ANN", "ann/0.jpg"), Labelled("", "zed/0.jpg")]
