"""How long the search takes in galleries of every size, what it holds in memory, and whether it is right.

The galleries are random, with families of near doubles in them; half of the probes are of somebody. Each is
built as a door builds it, and every answer is held against float64 for all rows.
"""

import multiprocessing
import resource
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edged.devices.memory import release_freed_memory
from edged.domain.codes import Codes
from edged.domain.gallery import GallerySnapshot, build_snapshot
from edged.domain.matching import best_match
from edged.domain.people import Person, Template
from edged.domain.types import FloatArray
from edged.evaluation.embedding import Progress, silent
from edged.vision.products import fast_products

SIZES = (1_000, 10_000, 100_000, 1_000_000)
PROBES = 200
DIMENSION = 512

_SPACE = "search"
# People made at once. One of a hundred has a double at a cosine of 0.9 beside them, as a twin would be and
# nearer: the float32 and int8 scores of such pairs are what a search might confuse.
_BLOCK = 4096
_DOUBLES = 100
_DOUBLE_COSINE, _PROBE_COSINE = 0.9, 0.6
# What decides here: far above strangers, and where half of the mated probes fail by a hair.
_THRESHOLD, _MARGIN = _PROBE_COSINE, 0.06
_WARM_UP = 3
_MB = 1_000_000

Doubles = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class SearchSpeed:
    """A gallery of ``people``; times in milliseconds for one face, ``cpu_ms`` the mean over all threads.

    ``kept`` says in which form its rows are, ``index_mb`` what these and their codes take; ``rss_mb`` is the
    whole process with it, ``peak_mb`` while it was built, ``swap_mb`` while another of the same people was
    built beside it. ``rescored`` is the median and the greatest number of rows scored in float64.

    Of ``probes`` faces ``same`` got the two people and (within 1e-6) scores of float64 for all rows that are
    kept, and ``decided`` the answer at the threshold. ``wrong`` were let in whom the float32 vectors would
    not let in; ``off`` is the greatest distance to their score.
    """

    people: int
    kept: str
    p50_ms: float
    p95_ms: float
    cpu_ms: float
    build_seconds: float
    index_mb: float
    rss_mb: float
    peak_mb: float
    swap_mb: float
    rescored: tuple[int, int]
    probes: int
    same: int
    decided: int
    wrong: int
    off: float


def measure_search(
    sizes: Sequence[int] = SIZES, *, probes: int = PROBES, progress: Progress = silent
) -> Iterator[SearchSpeed]:
    """Measure galleries of each of ``sizes``, each in a process of its own so that memory is theirs alone."""
    context = multiprocessing.get_context("spawn")
    for done, people in enumerate(sizes, start=1):
        with ProcessPoolExecutor(1, mp_context=context) as pool:
            yield pool.submit(search_speed, people, probes).result()
        progress(done, len(sizes))


def search_speed(people: int, probes: int, dimension: int = DIMENSION) -> SearchSpeed:
    """Measure one gallery in this process."""
    before = _rss()
    seconds, snapshot = _built(people, dimension)
    release_freed_memory()
    memory: dict[str, Any] = {"rss_mb": _rss() - before, "peak_mb": _peak() - before}
    _built(people, dimension)
    memory["swap_mb"] = _peak() - before
    faces = _faces(people, probes, dimension)
    times, cpu, rescored = _timed(snapshot, faces)
    screen = 0 if snapshot.screen is None else snapshot.screen.nbytes
    return SearchSpeed(
        people=people,
        kept=_kept(snapshot),
        p50_ms=round(float(np.percentile(times, 50)) * 1000, 3),
        p95_ms=round(float(np.percentile(times, 95)) * 1000, 3),
        cpu_ms=round(cpu * 1000, 3),
        build_seconds=round(seconds, 2),
        index_mb=round((snapshot.matrix.nbytes + screen) / _MB, 1),
        **{name: round(value / _MB, 1) for name, value in memory.items()},
        rescored=(int(np.median(rescored)), max(rescored)),
        probes=probes,
        **_judged(snapshot, faces),
    )


def _built(people: int, dimension: int) -> tuple[float, GallerySnapshot]:
    names = [f"p-{number}" for number in range(people)]
    vectors = (vector for block in _blocks(people, dimension) for vector in block)
    templates = [
        Template(name, name, _SPACE, vector, 1.0, b"") for name, vector in zip(names, vectors, strict=True)
    ]
    enrolled = [Person(name, name) for name in names]
    started = time.perf_counter()
    snapshot = build_snapshot(_SPACE, dimension, 0, enrolled, templates, products=fast_products())
    return time.perf_counter() - started, snapshot


def _blocks(people: int, dimension: int) -> Iterator[FloatArray]:
    """Yield the unit vectors of all people, the same at each call."""
    for start in range(0, people, _BLOCK):
        yield _block(start // _BLOCK, dimension)[: people - start]


def _block(number: int, dimension: int) -> FloatArray:
    noise = np.random.default_rng([1, number])
    vectors = noise.standard_normal((_BLOCK, dimension), np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    doubles = vectors[1::_DOUBLES]
    doubles[:] = _beside(vectors[::_DOUBLES][: len(doubles)], doubles, _DOUBLE_COSINE)
    return vectors


def _beside(vectors: FloatArray, others: FloatArray, cosine: float) -> FloatArray:
    """Return unit vectors at ``cosine`` to ``vectors`` (N, D), turned towards ``others``."""
    across = others - (others * vectors).sum(axis=1, keepdims=True) * vectors
    across /= np.linalg.norm(across, axis=1, keepdims=True)
    return np.asarray(cosine * vectors + np.sqrt(1 - cosine**2) * across, np.float32)


def _faces(people: int, probes: int, dimension: int) -> list[FloatArray]:
    """Return strangers, people near the threshold, and faces half way between two doubles."""
    noise = np.random.default_rng(2)
    found = []
    for number in range(probes):
        stranger = noise.standard_normal((1, dimension), np.float32)
        stranger /= np.linalg.norm(stranger)
        block = _block(number * people // probes // _BLOCK, dimension)
        row = number * people // probes % _BLOCK // _DOUBLES * _DOUBLES
        face = stranger
        if number % 4 == 0:
            face = _beside(block[row : row + 1], stranger, _PROBE_COSINE + noise.normal(0, 0.01))
        elif number % 4 == 1:
            face = block[row : row + 1] + block[row + 1 : row + 2]
            face /= np.linalg.norm(face)
        found.append(face[0])
    return found


def _timed(snapshot: GallerySnapshot, faces: Sequence[FloatArray]) -> tuple[list[float], float, list[int]]:
    """Return the seconds of each search, the mean of CPU, and how many rows were scored in float64."""
    for face in faces[:_WARM_UP]:
        best_match(snapshot, face)
    times, rescored, began = [], list[int](), time.process_time()
    for face in faces:
        started = time.perf_counter()
        best_match(snapshot, face)
        times.append(time.perf_counter() - started)
    cpu = (time.process_time() - began) / len(faces)
    for face in faces:
        snapshot.search.nearest(face, told=rescored.append)
    return times, cpu, rescored


def _judged(snapshot: GallerySnapshot, faces: Sequence[FloatArray]) -> dict[str, Any]:
    """Hold every answer against float64 for all rows: those that are kept, and what they were made of."""
    people, dimension = snapshot.matrix.shape
    kept = _best_two(_doubles(snapshot), faces)
    true = kept
    if isinstance(snapshot.matrix, Codes):
        true = _best_two((block.astype(np.float64) for block in _blocks(people, dimension)), faces)
    figures = {"same": 0, "decided": 0, "wrong": 0, "off": 0.0}
    for face, (rows, scores), (true_rows, true_scores) in zip(faces, kept, true, strict=True):
        found = snapshot.search.nearest(face)
        middle = [(one.least + one.most) / 2 for one in found]
        ordered = sorted(
            zip(middle, (one.row for one in found), strict=True), key=lambda one: (-one[0], one[1])
        )
        figures["same"] += [row for _, row in ordered] == rows and np.allclose(
            [score for score, _ in ordered], scores, rtol=0, atol=1e-6
        )
        match = best_match(snapshot, face)
        passed = match.score >= _THRESHOLD and match.margin >= _MARGIN
        should = true_scores[0] >= _THRESHOLD and true_scores[0] - true_scores[1] >= _MARGIN
        figures["decided"] += passed == should
        figures["wrong"] += passed and not (should and found[0].row == true_rows[0])
        figures["off"] = max(figures["off"], abs(match.score - true_scores[0]))
    return {name: float(f"{value:.2g}") if name == "off" else int(value) for name, value in figures.items()}


def _doubles(snapshot: GallerySnapshot) -> Iterator[Doubles]:
    matrix = snapshot.matrix
    for start in range(0, len(matrix), _BLOCK):
        some = slice(start, start + _BLOCK)
        if isinstance(matrix, Codes):
            yield matrix.doubles(some)
        else:
            yield matrix[some].astype(np.float64)


def _best_two(blocks: Iterable[Doubles], faces: Sequence[FloatArray]) -> list[tuple[list[int], list[float]]]:
    """Return the two best rows for each face and their scores; of equals the lower row."""
    probes = np.stack(faces).astype(np.float64).T
    best = [[(-np.inf, -1)] * 2 for _ in faces]
    start = 0
    for block in blocks:
        scores = block @ probes
        for _ in range(min(2, len(block))):
            rows = scores.argmax(axis=0)
            for face, row in enumerate(rows):
                best[face].append((scores[row, face], start + row))
            scores[rows, np.arange(len(rows))] = -np.inf
        best = [sorted(some, key=lambda one: (-one[0], one[1]))[:2] for some in best]
        start += len(block)
    return [([int(row) for _, row in some], [float(score) for score, _ in some]) for some in best]


def _kept(snapshot: GallerySnapshot) -> str:
    if isinstance(snapshot.matrix, Codes):
        return "int8"
    return "float32" if snapshot.screen is None else "float32, int8 first"


def _rss() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
