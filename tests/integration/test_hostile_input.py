"""Every reader of outside bytes, for a second each: what is hostile is refused as declared, within bounds.

``make fuzz`` looks for as long as it is given, guided by what an input reaches.
"""

import tracemalloc
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from tests.fuzz.mutations import SPICE, hostile
from tests.fuzz.target import Target, UndeclaredError, endure
from tests.fuzz.targets import TARGETS

# Python's own memory; what OpenCV and onnxruntime take beside it is bounded where they are called.
MOST_BYTES = 64 << 20


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("hostile")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", TARGETS)
def test_hostile_input_is_refused_as_declared(name: str, folder: Path) -> None:
    target = TARGETS[name]
    own = folder / name
    own.mkdir(exist_ok=True)
    seeds = list(target.seeds(own))
    assert seeds
    for data in (*seeds, *SPICE, *(one[: len(one) // 2] for one in seeds)):
        endure(target, data[: target.max_bytes], own)

    @settings(max_examples=15, suppress_health_check=list(HealthCheck))
    @given(hostile(seeds, target.max_bytes))
    def mutated(data: bytes) -> None:
        endure(target, data, own)

    tracemalloc.start()
    try:
        mutated()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < MOST_BYTES


def test_what_is_not_declared_is_told(folder: Path) -> None:
    """The judge itself: it lets a declared error pass and nothing else."""

    class Declared(Exception):  # noqa: N818
        pass

    def parse(data: bytes, _folder: Path) -> None:
        if data == b"declared":
            raise Declared
        if data == b"long":
            raise Declared("x" * 100_000)
        if data == b"unprintable":
            raise Declared("\ud800")
        raise KeyError(data)

    target = Target("toy", parse, lambda _: (), (Declared,))  # type: ignore[arg-type]
    endure(target, b"declared", folder)
    for data, kind in (
        (b"long", UndeclaredError),
        (b"unprintable", UnicodeEncodeError),
        (b"other", KeyError),
    ):
        with pytest.raises(kind):
            endure(target, data, folder)
