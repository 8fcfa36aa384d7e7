"""The search measured, and its answers held against float64."""

import json
from concurrent.futures import Future
from typing import Self

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from edged.cli import bench
from edged.domain import gallery, gallery_parts
from edged.domain.codes import CodeArray
from edged.evaluation import search_speed as measured
from edged.evaluation.search_speed import search_speed
from edged.membership import store
from edged.vision.products import fast_products


def test_float32_answers_as_float64() -> None:
    found = search_speed(300, 12, dimension=32)
    assert (found.people, found.kept, found.same, found.decided) == (300, "float32", 12, 12)
    assert (found.wrong, found.index_mb) == (0, round(300 * 32 * 4 / 1e6, 1))
    assert found.off < 1e-9


@pytest.mark.parametrize("sent", [False, True])
def test_codes_alone_let_in_nobody_wrongly(sent: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (gallery, store):
        monkeypatch.setattr(module, "COMPACT_FROM", 1)
    found = search_speed(300, 12, dimension=256, sent=sent)
    assert (found.kept, found.same, found.decided, found.wrong) == ("int8", 12, 12, 0)
    assert found.off < (2e-6 if sent else 1e-12)


def test_a_fleets_gallery_is_read_in_parts_as_a_door_reads_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gallery_parts, "ON_DEMAND_FROM", 1)  # else so few lie in one piece
    found = search_speed(300, 12, dimension=256, sent=True)
    assert (found.kept, found.same, found.decided, found.wrong) == ("float32", 12, 12, 0)


def test_a_search_that_is_wrong_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(values: CodeArray, _probe: CodeArray) -> np.ndarray:
        return np.float32(1e4) * np.arange(len(values), dtype=np.float32)

    monkeypatch.setattr(gallery, "CODED_FROM", 1)
    monkeypatch.setattr(measured, "fast_products", lambda: broken)
    assert search_speed(300, 12, dimension=32).same < 12


def test_the_command_prints_every_size(monkeypatch: pytest.MonkeyPatch) -> None:
    class Here:
        """No process of its own."""

        def __init__(self, *_: object, **__: object) -> None: ...
        def __enter__(self) -> Self:
            return self

        def __exit__(self, *_: object) -> None: ...
        def submit(self, _work: object, people: int, probes: int, **terms: bool) -> Future:
            future: Future = Future()
            future.set_result(search_speed(people, probes, 32, **terms))
            return future

    monkeypatch.setattr(measured, "ProcessPoolExecutor", Here)
    monkeypatch.setattr(measured, "SIZES", (100, 200))
    app = typer.Typer()
    app.command()(bench.bench)
    done = CliRunner().invoke(app, ["--search", "--gallery", "200", "--json"])
    assert done.exit_code == 0, done.output
    assert [one["people"] for one in json.loads(done.stdout)] == [100, 200]
    shown = CliRunner().invoke(app, ["--search", "--gallery", "100"], terminal_width=160)
    rows = [line.split("│") for line in shown.output.splitlines() if line.startswith("│")]
    assert [row[1].strip() for row in rows] == ["100", "100"]  # how fast, and how large
    assert rows[0][-2].strip() == "200 of 200"
    assert "0 were let in whom these would not" in shown.output
    for words in (["--search", "--gallery", "0"], ["--search", "--write"], ["--start", "--limit"]):
        assert CliRunner().invoke(app, words).exit_code == 2


def test_products_of_several_threads_are_those_of_one() -> None:
    random = np.random.default_rng(1)
    values = random.integers(-127, 128, (50_003, 16), np.int8)
    probe = values[7]
    exact = values.astype(np.int64) @ probe.astype(np.int64)
    for threads in (None, 1, 2, 3):
        assert (fast_products(threads)(values, probe) == exact).all()
    assert fast_products(2)(values[:0], probe).shape == (0,)
