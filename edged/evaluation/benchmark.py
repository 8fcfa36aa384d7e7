"""How long each stage takes on this machine."""

import resource
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

import numpy as np

from edged.domain.analysis import LivenessMeter
from edged.domain.gallery import GallerySnapshot, build_snapshot
from edged.domain.liveness import Cue
from edged.domain.matching import best_match
from edged.domain.people import Person, Template
from edged.domain.types import Box, Face, Image
from edged.errors import EvaluationError
from edged.evaluation.embedding import Progress, main_face, silent
from edged.vision.pipeline import FacePipeline

# A common camera mode; the first rounds fill caches and are thrown away.
_SYNTHETIC_SIZE = (720, 1280)
_WARM_UP_ROUNDS = 3
# Frames follow each other as at a door, or the cue that compares them would find nothing to do.
_FRAME_SECONDS = 0.1
_MB = 1_000_000

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class StageTime:
    """Milliseconds of one stage: the median, and what 19 of 20 runs stay below."""

    p50_ms: float
    p95_ms: float


@dataclass(frozen=True, slots=True)
class BenchResult:
    """``frame`` is the whole way of one frame with one face.

    Liveness has a stage for each cue that was measured; ``liveness`` is the pack behind ``liveness model``.
    ``faces`` counts the frames in which one was found; in the others the stages behind detection ran
    on a stand-in in the middle. ``peak_rss_mb`` is the process's largest resident set.
    """

    detector: str
    embedder: str
    liveness: str | None
    rounds: int
    faces: int
    gallery: int
    stages: dict[str, StageTime]
    frame: StageTime
    peak_rss_mb: float


@dataclass(slots=True)
class _Clock:
    seconds: dict[str, list[float]] = field(default_factory=dict)

    def time(self, stage: str, work: Callable[[], T]) -> T:
        started = time.perf_counter()
        result = work()
        self.seconds.setdefault(stage, []).append(time.perf_counter() - started)
        return result


def run_benchmark(
    pipeline: FacePipeline,
    images: Sequence[Image],
    *,
    gallery: int,
    rounds: int,
    progress: Progress = silent,
    cues: Mapping[Cue, LivenessMeter] | None = None,
    liveness: str | None = None,
) -> BenchResult:
    """Send ``images`` round after round through every stage; match against ``gallery`` random people.

    ``cues`` has a meter for each cue of liveness that is to be timed, ``liveness`` names its pack. Raises
    ``EvaluationError`` without images.
    """
    if not images:
        raise EvaluationError("expected at least one picture to measure with")
    snapshot = random_gallery(gallery, pipeline.dimension)
    clock, faces = _Clock(), 0
    for index in range(-_WARM_UP_ROUNDS, rounds):
        if index == 0:
            clock, faces = _Clock(), 0
        image = images[index % len(images)]
        face = _one_frame(pipeline, snapshot, image, clock)
        faces += face is not None
        shown = face or _stand_in(image, pipeline)
        at = index * _FRAME_SECONDS
        for cue, meter in (cues or {}).items():
            clock.time(f"liveness {cue.value}", partial(meter.measure, 0, at, image, shown))
        progress(max(0, index + 1), rounds)
    totals = np.sum(list(clock.seconds.values()), axis=0)
    return BenchResult(
        detector=pipeline.detector_name,
        embedder=pipeline.embedder_name,
        liveness=liveness,
        rounds=rounds,
        faces=faces,
        gallery=gallery,
        stages={stage: _summary(seconds) for stage, seconds in clock.seconds.items()},
        frame=_summary(totals),
        peak_rss_mb=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / _MB,
    )


def synthetic_images(count: int = 4, seed: int = 0) -> list[Image]:
    """Return noise pictures of 1280 x 720: as much work for every stage as real ones."""
    noise = np.random.default_rng(seed)
    return [noise.integers(0, 256, (*_SYNTHETIC_SIZE, 3), np.uint8) for _ in range(count)]


def random_gallery(people: int, dimension: int, seed: int = 0) -> GallerySnapshot:
    """Return a snapshot of ``people`` random unit vectors."""
    vectors = np.random.default_rng(seed).normal(size=(people, dimension)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    names = [f"person-{index}" for index in range(people)]
    return build_snapshot(
        "bench",
        dimension,
        0,
        [Person(name, name) for name in names],
        [
            Template(name, name, "bench", vector, 1.0, b"")
            for name, vector in zip(names, vectors, strict=True)
        ],
    )


def _one_frame(pipeline: FacePipeline, snapshot: GallerySnapshot, image: Image, clock: _Clock) -> Face | None:
    """Time what every frame goes through; return the face that was found."""
    faces = clock.time("detect", lambda: pipeline.detect(image))
    found = main_face(faces, image)
    face = found or _stand_in(image, pipeline)
    aligned = clock.time("align", lambda: pipeline.align(image, face))
    clock.time("quality", lambda: pipeline.assess(face, aligned))
    vectors = clock.time("embed", lambda: pipeline.embed([aligned]))
    clock.time("match", lambda: best_match(snapshot, vectors[0]))
    return found


def _stand_in(image: Image, pipeline: FacePipeline) -> Face:
    """Put a face of half the picture's height into its middle."""
    height, width = image.shape[:2]
    side = height / 2
    x, y = (width - side) / 2, (height - side) / 2
    points = (pipeline.template / 112 * side + (x, y)).astype(np.float32)
    return Face(Box(x, y, side, side), points, 1.0)


def _summary(seconds: Sequence[float] | np.ndarray) -> StageTime:
    p50, p95 = np.percentile(seconds, [50, 95]) * 1000
    return StageTime(round(float(p50), 3), round(float(p95), 3))
