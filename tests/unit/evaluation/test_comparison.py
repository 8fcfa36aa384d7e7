"""Packs side by side: which pairs are drawn, and what the figures are taken over."""

from pathlib import Path

import numpy as np
import pytest

from edged.errors import EvaluationError
from edged.evaluation import comparison
from edged.evaluation.embedding import Embedded
from edged.evaluation.protocols import Labelled


def photographs(counts: dict[str, int]) -> list[Labelled]:
    return [Labelled(name, f"{name}/{i}.jpg") for name, count in counts.items() for i in range(count)]


def embedded(found: list[Labelled], vectors: np.ndarray, without: tuple[str, ...] = ()) -> Embedded:
    names = tuple(one.image for one in found if one.image not in without)
    rows = {name: row for row, name in enumerate(names)}
    return Embedded(names, vectors.astype(np.float32), np.zeros((0, 5, 2), np.float32), (), without, {}, rows)


def test_a_person_with_many_photographs_gives_three_pairs_like_everybody() -> None:
    pairs = comparison.drawn_pairs(photographs({"Ann": 20, "Bob": 2, "Cid": 1}))
    same = [pair for pair in pairs if pair.same]
    assert sum(pair.first.startswith("Ann/") for pair in same) == 3
    assert sum(pair.first.startswith("Bob/") for pair in same) == 1
    assert len(pairs) == 2 * len(same)
    assert all(pair.first.split("/")[0] != pair.second.split("/")[0] for pair in pairs if not pair.same)


def test_the_same_photographs_give_the_same_pairs() -> None:
    found = photographs({"Ann": 9, "Bob": 4})
    assert comparison.drawn_pairs(found) == comparison.drawn_pairs(found)


@pytest.mark.parametrize("counts", [{"Ann": 4}, {"Ann": 1, "Bob": 1}])
def test_too_few_photographs_are_refused(counts: dict[str, int]) -> None:
    with pytest.raises(EvaluationError, match="two people or more"):
        comparison.drawn_pairs(photographs(counts))


def test_people_told_apart_without_error_score_a_hundred_percent() -> None:
    found = photographs(dict.fromkeys("abcdefgh", 40))
    vectors = np.repeat(np.eye(8), 40, axis=0)
    result = comparison.standing(embedded(found, vectors), found, comparison.drawn_pairs(found))
    assert (result.accuracy, result.people, result.same_pairs) == (1.0, 8, 24)
    assert result.impostor_pairs == 320 * 280 // 2
    # 44,800 comparisons carry a claim of 1e-3, not one of 1e-4.
    assert [(rate.fmr, rate.tmr, rate.errors) for rate in result.rates] == [(1e-3, 1.0, 0)]


def test_a_photograph_without_a_face_never_matches() -> None:
    found = photographs(dict.fromkeys("abcdefgh", 40))
    without = tuple(f"{name}/0.jpg" for name in "abcdefgh")
    vectors = np.repeat(np.eye(8), 39, axis=0)
    pairs = [pair for pair in comparison.drawn_pairs(found) if not pair.same]
    pairs += [
        comparison.Pair("a/0.jpg", "a/1.jpg", same=True),
        comparison.Pair("b/1.jpg", "b/2.jpg", same=True),
    ]
    result = comparison.standing(embedded(found, vectors, without), found, pairs)
    assert result.rates[0].tmr == 0.5
    assert result.face_rate == 39 / 40


def test_people_are_chosen_by_name_or_by_its_hash(tmp_path: Path) -> None:
    found = photographs({"Ada Lovelace": 2, "Bob": 2, "Cid": 2})
    listed = tmp_path / "people.txt"
    listed.write_text(f"Ada Lovelace\n\n{comparison.name_hash('Cid')}\n")
    chosen = comparison.only(found, comparison.read_people(listed))
    assert {one.person for one in chosen} == {"Ada Lovelace", "Cid"}


def test_a_list_of_other_people_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EvaluationError, match="1 listed people"):
        comparison.only(photographs({"Ann": 2}), {"Zoe"})
    (tmp_path / "empty.txt").write_text("\n")
    with pytest.raises(EvaluationError, match="got none"):
        comparison.read_people(tmp_path / "empty.txt")
    with pytest.raises(EvaluationError, match="cannot be read"):
        comparison.read_people(tmp_path / "missing.txt")
