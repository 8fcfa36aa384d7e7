"""How long the search takes in galleries of every size, what it holds in memory, and whether it is right.

The galleries are random, with families of near doubles in them; half of the probes are of somebody. Each is
kept on disk and loaded as a door does it, and every answer is held against float64 for all rows.
"""

import multiprocessing
import re
import resource
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import numpy.typing as npt

from edged.devices.memory import release_freed_memory
from edged.domain.centres import centres_of
from edged.domain.codes import Codes
from edged.domain.gallery import GallerySnapshot
from edged.domain.matching import best_match
from edged.domain.people import Person, Template
from edged.domain.types import FloatArray
from edged.evaluation.embedding import Progress, silent
from edged.evaluation.stored_gallery import Batch, StoredGallery, keep_fleet, keep_people
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
_CREATED = datetime(2026, 1, 1, tzinfo=UTC)
# A fleet sends a door some thousands as a rule: its own store and the fleet's are compared from here on.
_FLEET_FROM = 10_000
_WARM_UP = 3
_SAME = 1e-6
_MB = 1_000_000

Doubles = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class SearchSpeed:
    """A gallery of ``people``; times in milliseconds for one face, ``cpu_ms`` the mean over all threads.

    ``kept`` says in which form its rows are, ``sent`` that its templates came from a fleet, which sends int8.
    ``load_seconds`` is what it takes to read ``store_mb`` from the disk and build the gallery from it.
    ``index_mb`` is what rows and codes take, ``rss_mb`` by how much the process grew, with people and all;
    ``peak_mb`` while it was loaded, ``swap_mb`` while another of the same people was loaded beside it.
    ``rescored`` is the median and the greatest number of rows scored in float64.

    Of ``probes`` faces ``same`` got the two people and (within 1e-6) scores of float64 for all rows that are
    kept, and ``decided`` the answer of the templates themselves at the threshold. ``wrong`` were let in whom
    these would not let in; ``off`` is the greatest distance to their score.
    """

    people: int
    kept: str
    sent: bool
    p50_ms: float
    p95_ms: float
    cpu_ms: float
    load_seconds: float
    store_mb: float
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
    """Measure galleries of each of ``sizes``, each in a process of its own so that memory is theirs alone.

    The larger ones both as a door's own and as a fleet's. Raises ``StoreError``.
    """
    context = multiprocessing.get_context("spawn")
    for done, people in enumerate(sizes, start=1):
        for sent in (False, True) if people >= _FLEET_FROM else (False,):
            with ProcessPoolExecutor(1, mp_context=context) as pool:
                yield pool.submit(search_speed, people, probes, sent=sent).result()
        progress(done, len(sizes))


def search_speed(people: int, probes: int, dimension: int = DIMENSION, *, sent: bool = False) -> SearchSpeed:
    """Measure one gallery in this process, kept in a temporary folder; ``sent``: as a fleet sends it."""
    with TemporaryDirectory(prefix="edged-bench-") as folder:
        batches = _batches(people, dimension)
        stored = (
            keep_fleet(Path(folder), batches, _SPACE, dimension)
            if sent
            else keep_people(Path(folder), batches)
        )
        return _measured(stored, people, probes, dimension, sent=sent)


def _measured(stored: StoredGallery, people: int, probes: int, dimension: int, *, sent: bool) -> SearchSpeed:
    _block.cache_clear()
    release_freed_memory()
    before = _peak_from_here()
    seconds, snapshot = stored.load(_SPACE, dimension, fast_products())
    release_freed_memory()
    memory: dict[str, Any] = {"rss_mb": _rss() - before, "peak_mb": _peak() - before}
    stored.load(_SPACE, dimension, fast_products(), snapshot)
    memory |= {"swap_mb": _peak() - before, "store_mb": stored.bytes}
    release_freed_memory()
    faces = _faces(people, probes, dimension)
    times, cpu, rescored = _timed(snapshot, faces)
    screen = 0 if snapshot.screen is None else snapshot.screen.nbytes
    return SearchSpeed(
        people=people,
        kept=_kept(snapshot),
        sent=sent,
        p50_ms=round(float(np.percentile(times, 50)) * 1000, 3),
        p95_ms=round(float(np.percentile(times, 95)) * 1000, 3),
        cpu_ms=round(cpu * 1000, 3),
        load_seconds=round(seconds, 2),
        index_mb=round((snapshot.matrix.nbytes + screen) / _MB, 1),
        **{name: round(value / _MB, 1) for name, value in memory.items()},
        rescored=(int(np.median(rescored)), max(rescored)),
        probes=probes,
        **_judged(snapshot, faces, sent=sent),
    )


def _batches(people: int, dimension: int) -> Iterator[Batch]:
    """Yield all people with a template each, the same at each call; ordered by name as they are numbered."""
    for start in range(0, people, _BLOCK):
        vectors = _block(start // _BLOCK, dimension)[: people - start]
        names = [_name(number) for number in range(start, start + len(vectors))]
        yield (
            [Person(name, name, created_at=_CREATED) for name in names],
            [
                Template(f"t{name}", name, _SPACE, vector, 1.0, bytes(32), _CREATED)
                for name, vector in zip(names, vectors, strict=True)
            ],
        )


def _name(number: int) -> str:
    return f"p-{number:07}"


@lru_cache(maxsize=1)
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


def _judged(snapshot: GallerySnapshot, faces: Sequence[FloatArray], *, sent: bool) -> dict[str, Any]:
    """Hold every answer against float64 for all rows: those that are kept, and what they were made of."""
    people, dimension = snapshot.matrix.shape
    kept = true = _best_two(_made_of(people, dimension, sent=sent), faces)
    if sent or not isinstance(snapshot.matrix, Codes):
        kept = _best_two(_rows(snapshot), faces)
    figures = {"same": 0, "decided": 0, "wrong": 0, "off": 0.0}
    for face, wanted, exact in zip(faces, kept, true, strict=True):
        found, match = snapshot.search.nearest(face), best_match(snapshot, face)
        scores = [match.score, match.second_score][: len(found)]
        figures["same"] += [one.row for one in found] == wanted.rows and np.allclose(
            scores, wanted.scores, rtol=0, atol=_SAME
        )
        passed = _passes(match.score, match.second_score)
        should = _passes(*exact.scores)
        figures["decided"] += passed == should
        figures["wrong"] += passed and not (should and match.person_id == _name(exact.rows[0]))
        figures["off"] = max(figures["off"], abs(match.score - exact.scores[0]))
    return {name: float(f"{value:.2g}") if name == "off" else int(value) for name, value in figures.items()}


def _passes(score: float, second: float = -1.0) -> bool:
    return score >= _THRESHOLD and score - second >= _MARGIN


def _made_of(people: int, dimension: int, *, sent: bool) -> Iterator[tuple[Doubles, Doubles]]:
    """Yield the centres of all people by number, as their templates have it, in float64."""
    for _, templates in _batches(people, dimension):
        vectors = centres_of({one.person_id: [one] for one in templates}, dimension)
        yield (Codes.of(vectors)[:] if sent else vectors).astype(np.float64), np.zeros(len(vectors))


def _rows(snapshot: GallerySnapshot) -> Iterator[tuple[Doubles, Doubles]]:
    """Yield rows in float64, and by how much a cosine with each may be off."""
    matrix = snapshot.matrix
    for start in range(0, len(matrix), _BLOCK):
        some = slice(start, start + _BLOCK)
        if isinstance(matrix, Codes):
            yield matrix.doubles(some), matrix.error[some].astype(np.float64)
        else:
            yield matrix[some].astype(np.float64), np.zeros(len(matrix[some]))


@dataclass(frozen=True, slots=True)
class _Best:
    rows: list[int]
    scores: list[float]


def _best_two(blocks: Iterable[tuple[Doubles, Doubles]], faces: Sequence[FloatArray]) -> list[_Best]:
    """Return for each face the row that is surely best and the other that may be; of equals the lower row."""
    probes = np.stack(faces).astype(np.float64).T
    surely: list[list[tuple[float, int]]] = [[] for _ in faces]
    maybe: list[list[tuple[float, int]]] = [[] for _ in faces]
    start = 0
    for rows, error in blocks:
        scores = rows @ probes
        for best, bound in ((surely, scores - error[:, None]), (maybe, scores + error[:, None])):
            for face, top in enumerate(_two_greatest(bound)):
                found = best[face] + [(value, start + row) for value, row in top]
                best[face] = sorted(found, key=lambda one: (-one[0], one[1]))[:2]
        start += len(rows)
    answers: list[_Best] = []
    for face, ((least, first), *_) in enumerate(surely):
        others = [one for one in maybe[face] if one[1] != first][:1]
        answers.append(_Best([first, *(row for _, row in others)], [least, *(most for most, _ in others)]))
    return answers


def _two_greatest(scores: Doubles) -> list[list[tuple[float, int]]]:
    """Return of each column of ``scores`` (N, P), which is spoiled, the two greatest and their rows."""
    columns = np.arange(scores.shape[1])
    found: list[list[tuple[float, int]]] = [[] for _ in columns]
    for _ in range(min(2, len(scores))):
        rows = scores.argmax(axis=0)
        for column, row in enumerate(rows):
            found[column].append((float(scores[row, column]), int(row)))
        scores[rows, columns] = -np.inf
    return found


def _kept(snapshot: GallerySnapshot) -> str:
    if isinstance(snapshot.matrix, Codes):
        return "int8"
    return "float32" if snapshot.screen is None else "float32, int8 first"


def _rss() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def _peak_from_here() -> int:
    """Let ``_peak`` begin anew; return what is held now."""
    Path("/proc/self/clear_refs").write_text("5")
    return _rss()


def _peak() -> int:
    (line,) = re.findall(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return int(line) * 1024
