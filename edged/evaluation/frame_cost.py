"""What a frame costs around its networks: all that is not a run of onnxruntime.

A network's time is bound by its multiplications. What stands around it is ours: pictures made smaller,
numbers moved, boxes decoded, faces cut out, judged and decided on.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np

from edged.domain.access import AccessRules
from edged.domain.decision import DecisionEngine
from edged.domain.decision_policy import DecisionPolicy
from edged.domain.gallery import GallerySnapshot, build_snapshot
from edged.domain.matching import best_match
from edged.domain.people import Person, Template
from edged.domain.tracking import Tracker
from edged.domain.types import Face, Image, Observation
from edged.errors import EvaluationError
from edged.evaluation.embedding import Progress, silent
from edged.vision.pipeline import FacePipeline
from edged.vision.session import OrtSession, PixelSession, RunTimes

STAGES = ("detect", "track", "align", "quality", "embed", "match", "decide")
_FRAME_SECONDS = 0.1
_WARM_UP_ROUNDS = 5
# Others on the machine only ever add: what nine of ten took at least tells what the work is.
_UNDISTURBED = 10
# Any threshold that a random gallery stays below, and the usual numbers of a door.
_POLICY = DecisionPolicy(0.9, 3, 5, 0.06, 10, 1, 2, 0.5)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class PartCost:
    """CPU milliseconds in the networks' runs, and around them."""

    networks_ms: float
    around_ms: float


@dataclass(frozen=True, slots=True)
class FrameCost:
    """The cost of a frame with one face of ``width`` x ``height``, by stage; what nine of ten took at least.

    Time of the processor, all threads together: on one thread it is what a clock shows on an idle machine.
    ``share`` 0..1 is the part of ``frame`` around the networks, ``share_settled`` that of a frame whose face
    needs no embedding, which has less of both.
    """

    detector: str
    embedder: str
    width: int
    height: int
    rounds: int
    stages: dict[str, PartCost]
    frame: PartCost
    share: float
    share_settled: float


def around_the_networks(
    pipeline: FacePipeline,
    images: Sequence[Image],
    *,
    gallery: int = 1000,
    rounds: int = 200,
    progress: Progress = silent,
) -> FrameCost:
    """Send ``images``, in each of which one face is found, through every stage; ``gallery`` random people.

    Raises ``EvaluationError`` where no picture has a face, or a network is not run by onnxruntime.
    """
    snapshot = _strangers(gallery, pipeline.dimension)
    shown = [image for image in images if len(pipeline.detect(image)) == 1]
    if not shown:
        raise EvaluationError("expected pictures with one face each, found none")
    watch = _Watch(RunTimes(time.process_time))
    sessions = [one for one in pipeline.networks if isinstance(one, OrtSession | PixelSession)]
    if len(sessions) != len(pipeline.networks):
        raise EvaluationError("expected networks that onnxruntime runs")
    for one in sessions:
        one.times = watch.runs
    try:
        door = _Door(pipeline, snapshot, watch)
        for index in range(-_WARM_UP_ROUNDS, rounds):
            if index == 0:
                watch.taken.clear()
            # As a camera's picture comes: just written.
            door.frame(index + _WARM_UP_ROUNDS, shown[index % len(shown)].copy())
            progress(max(0, index + 1), rounds)
    finally:
        for one in sessions:
            one.times = None
    height, width = shown[0].shape[:2]
    return _cost(pipeline, watch, width, height, rounds)


@dataclass(slots=True)
class _Watch:
    """``taken`` by stage: (seconds in networks, seconds around them) of each frame."""

    runs: RunTimes
    taken: dict[str, list[tuple[float, float]]] = field(default_factory=dict)

    def time(self, stage: str, work: Callable[[], T]) -> T:
        inside, started = self.runs.seconds, time.process_time()
        result = work()
        whole, inside = time.process_time() - started, self.runs.seconds - inside
        self.taken.setdefault(stage, []).append((inside, whole - inside))
        return result


class _Door:
    """The way of a frame as recognition goes it, every face looked at closely."""

    def __init__(self, pipeline: FacePipeline, snapshot: GallerySnapshot, watch: _Watch) -> None:
        self._pipeline = pipeline
        self._snapshot = snapshot
        self._watch = watch
        self._tracker = Tracker()
        self._engine = DecisionEngine(_POLICY, AccessRules())

    def frame(self, seq: int, image: Image) -> None:
        at = seq * _FRAME_SECONDS
        faces = self._watch.time("detect", lambda: self._pipeline.detect(image))
        tracked = self._watch.time("track", lambda: self._tracker.update(faces, at))
        for item in tracked:
            self._face(seq, at, image, item.track_id, item.face)
        self._tracker.expire(at)

    def _face(self, seq: int, at: float, image: Image, track_id: int, face: Face) -> None:
        pipeline, watch = self._pipeline, self._watch
        aligned = watch.time("align", lambda: pipeline.align(image, face))
        quality = watch.time("quality", lambda: pipeline.assess(face, aligned))
        vector = watch.time("embed", lambda: pipeline.embed([aligned])[0])
        match = watch.time("match", lambda: best_match(self._snapshot, vector))
        seen = Observation(track_id, seq, at, face.box, quality, match, None, vector)
        watch.time("decide", lambda: self._engine.step(seen, self._snapshot, at, None))


def _strangers(count: int, dimension: int) -> GallerySnapshot:
    vectors = np.random.default_rng(0).normal(size=(count, dimension)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    names = [f"person-{number}" for number in range(count)]
    people = [Person(name, name) for name in names]
    templates = [
        Template(name, name, "bench", vector, 1.0, b"") for name, vector in zip(names, vectors, strict=True)
    ]
    return build_snapshot("bench", dimension, 0, people, templates)


def _cost(pipeline: FacePipeline, watch: _Watch, width: int, height: int, rounds: int) -> FrameCost:
    each = np.array([watch.taken[stage] for stage in STAGES]) * 1000
    settled = [STAGES.index(stage) for stage in ("detect", "track", "align", "quality")]
    frame, short = _undisturbed(each.sum(axis=0)), _undisturbed(each[settled].sum(axis=0))
    return FrameCost(
        detector=pipeline.detector_name,
        embedder=pipeline.embedder_name,
        width=width,
        height=height,
        rounds=rounds,
        stages={stage: _undisturbed(taken) for stage, taken in zip(STAGES, each, strict=True)},
        frame=frame,
        share=_share(frame),
        share_settled=_share(short),
    )


def _undisturbed(taken: np.ndarray) -> PartCost:
    networks, around = np.percentile(taken, _UNDISTURBED, axis=0)
    return PartCost(round(float(networks), 4), round(float(around), 4))


def _share(cost: PartCost) -> float:
    return round(cost.around_ms / (cost.networks_ms + cost.around_ms), 4)
