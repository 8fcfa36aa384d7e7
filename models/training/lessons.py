"""An endless stream of lessons, made in a process of its own, and the store that the student draws from."""

import queue
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from augmentation import view
from teacher import Lesson, Teacher
from torch import Tensor, multiprocessing

CHUNK_VIEWS = 16  # each with its mirror: 32 samples a chunk
_WAITING_CHUNKS = 12


def _produce(corpus: Path, teacher: Path, seed: int, chunks: "multiprocessing.Queue[Lesson]") -> None:
    faces = np.load(corpus / "crops.npy", mmap_mode="r")
    people = (corpus / "people.txt").read_text().split("\n")[: len(faces)]
    named = np.array([bool(name) for name in people])
    chance, tutor = np.random.default_rng(seed), Teacher(teacher)
    order: list[int] = []
    while True:
        views = []
        for _ in range(CHUNK_VIEWS):
            if not order:
                order = _round(named, chance)
            views.append(view(faces[order.pop()], faces[chance.integers(len(faces))], chance))
        chunks.put(tutor.teach(views))


def _round(named: npt.NDArray[np.bool_], chance: np.random.Generator) -> list[int]:
    """Return one round through the faces: every one once, those with more of the scene around twice."""
    every: npt.NDArray[np.int64] = np.concatenate([np.arange(len(named)), np.flatnonzero(named)])
    chance.shuffle(every)
    return every.tolist()


class Stream:
    """Starts the process that makes lessons."""

    def __init__(self, corpus: Path, teacher: Path, seed: int) -> None:
        context = multiprocessing.get_context("spawn")
        self._chunks: multiprocessing.Queue[Lesson] = context.Queue(_WAITING_CHUNKS)
        arguments = (corpus, teacher, seed, self._chunks)
        context.Process(target=_produce, args=arguments, daemon=True).start()

    def take(self, wait_seconds: float) -> Lesson | None:
        """Return the next lesson, None when there is none within ``wait_seconds``."""
        try:
            return self._chunks.get(timeout=wait_seconds) if wait_seconds else self._chunks.get_nowait()
        except queue.Empty:
            return None


@dataclass(frozen=True, slots=True)
class Batch:
    """Views (N, 3, 112, 112) in -1..1 and the targets, see ``Lesson``."""

    views: Tensor
    vectors: Tensor
    wide: Tensor
    deep: Tensor


class Store:
    """Keeps the newest ``capacity`` samples; each is drawn about ``reuse`` times before it goes."""

    def __init__(self, stream: Stream, capacity: int, reuse: float, chance: np.random.Generator) -> None:
        self._stream, self._reuse, self._chance = stream, reuse, chance
        self._views = np.zeros((capacity, 112, 112, 3), np.uint8)
        self._vectors = np.zeros((capacity, 128), np.float32)
        self._wide = np.zeros((capacity, 128, 14, 14), np.float16)
        self._deep = np.zeros((capacity, 128, 7, 7), np.float16)
        self._filled = self._next = self._taught = self._drawn = 0

    def draw(self, size: int) -> Batch:
        """Return ``size`` samples by chance, after waiting for as many fresh ones as ``reuse`` demands."""
        least = min(len(self._views), 60 * size)
        while self._filled < least or self._drawn + size > self._reuse * self._taught:
            lesson = self._stream.take(600)
            if lesson is None:
                raise RuntimeError("expected a lesson within ten minutes, the teacher's process gave none")
            self._keep(lesson)
        self._drawn += size
        rows = self._chance.choice(self._filled, size, replace=False)
        views = torch.from_numpy(self._views[rows]).permute(0, 3, 1, 2).float().sub_(127.5).div_(127.5)
        targets = (torch.from_numpy(part[rows]).float() for part in (self._vectors, self._wide, self._deep))
        return Batch(views.contiguous(memory_format=torch.channels_last), *targets)

    def _keep(self, lesson: Lesson) -> None:
        for part, fresh in (
            (self._views, lesson.views), (self._vectors, lesson.vectors),
            (self._wide, lesson.wide), (self._deep, lesson.deep),
        ):  # fmt: skip
            rows = (self._next + np.arange(len(fresh))) % len(part)
            part[rows] = fresh
        self._next = (self._next + len(lesson.views)) % len(self._views)
        self._filled = min(len(self._views), self._filled + len(lesson.views))
        self._taught += len(lesson.views)
