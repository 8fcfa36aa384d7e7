"""Who becomes a stranger of the starter pack's cohort."""

from pathlib import Path

import numpy as np
from assemble_starter import descriptor
from cohort import chosen

from edged.evaluation.comparison import name_hash
from edged.evaluation.protocols import Labelled
from edged.vision.cohort import quantized
from edged.vision.packs import Catalogue

FOUND = [Labelled(f"Person {n}", f"Person {n}/{photo}.jpg") for n in range(30) for photo in (1, 2)]


def test_nobody_who_is_measured_is_among_them_and_everybody_is_there_once() -> None:
    held_out = frozenset(name_hash(f"Person {n}") for n in range(0, 30, 3))
    people = chosen(FOUND, held_out, 100)
    assert len(people) == len({one.person for one in people}) == 20
    assert not {name_hash(one.person) for one in people} & held_out
    assert all(one.image.endswith("/1.jpg") for one in people)


def test_a_limit_takes_the_same_people_whatever_the_order() -> None:
    few = chosen(FOUND, frozenset(), 7)
    assert few == chosen(FOUND[::2][::-1] + FOUND[1::2], frozenset(), 7)
    assert [one.person for one in few] != sorted(one.person for one in few)


def test_the_descriptor_pins_a_cohort_that_is_there(tmp_path: Path) -> None:
    shipped = Catalogue(tmp_path).origin("starter")
    for spec in shipped.models:
        for file in spec.files.values():
            (tmp_path / file.name).write_bytes((shipped.directory / file.name).read_bytes())
    embedder = next(one for one in descriptor(tmp_path, None)["models"] if one["task"] == "embedder")
    assert "cohort" not in embedder
    rows = np.random.default_rng(0).normal(size=(150, 128)).astype(np.float32)
    np.save(tmp_path / "cohort.npy", quantized(rows))
    embedder = next(one for one in descriptor(tmp_path, None)["models"] if one["task"] == "embedder")
    assert embedder["cohort"]["people"] == 150
    assert embedder["cohort"]["size"] == (tmp_path / "cohort.npy").stat().st_size
