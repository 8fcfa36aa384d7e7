"""How long each stage of a frame's way takes on this machine, from the camera to the disk.

Nothing is skipped that a door may skip: every frame is searched whole, and every face is embedded and
judged. What tracking and the motion gate save comes on top.
"""

import resource
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from edged.config.sections import DecisionConfig, MotionConfig
from edged.devices.board import Board
from edged.domain.access import AccessRules
from edged.domain.analysis import LivenessMeter
from edged.domain.decision import DecisionEngine, DecisionPolicy
from edged.domain.gallery import GallerySnapshot, build_snapshot
from edged.domain.liveness import Cue, face_liveness
from edged.domain.matching import best_match
from edged.domain.people import Person, Template
from edged.domain.tracking import Tracker
from edged.domain.types import Box, Face, FloatArray, Image, Observation
from edged.evaluation.embedding import Progress, main_face, silent
from edged.evaluation.speed.frames import FrameSource
from edged.evaluation.speed.journal import time_appends
from edged.evaluation.speed.networks import NetworkClock, network_time
from edged.evaluation.speed.sampling import Stacks, sampled_stacks
from edged.vision.motion import MotionGate
from edged.vision.pipeline import FacePipeline

# The first rounds fill caches and are thrown away.
_WARM_UP_ROUNDS = 5
# Frames follow each other as at a door, or the cue that compares them would find nothing to do.
_FRAME_SECONDS = 0.1
# Far below what a person's own photographs reach, so that the engine goes its whole way.
_THRESHOLD = 0.2
_MB = 1_000_000
# Not of a frame with a face: it comes on another thread, the gate is asked while nobody is in view, and the
# disk once a decision.
_BESIDE = ("capture", "motion", "journal")

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class StageTime:
    """Milliseconds: what nine of ten runs took at least, the median, and what 19 of 20 stay below.

    Others on the machine only ever add: the first tells what the work is, the last what a door has to expect.
    """

    p10_ms: float
    p50_ms: float
    p95_ms: float


@dataclass(frozen=True, slots=True)
class BoardState:
    """The hottest zone in degrees Celsius, and whether the board slows itself down; None: not told."""

    celsius: float | None
    throttled: bool | None


@dataclass(frozen=True, slots=True)
class BenchResult:
    """What a frame with one face takes.

    ``stages`` are in the order of a frame's way; liveness has one for each cue that was measured, and
    ``liveness`` is the pack behind ``liveness model``; ``networks`` is onnxruntime's part of a stage.
    ``frame`` is all but capture, motion and journal. ``around`` is the share of it in
    which no network runs, undisturbed. ``cpu_ms`` is the processor time of all threads for it,
    ``capture_cpu_ms`` for its capture. ``frames_per_second`` is what one thread does without a pause.
    ``size`` is (width, height) of the last frame.

    ``faces`` counts the frames in which one was found; in the others the stages behind detection ran
    on a stand-in in the middle. ``rss_mb`` is the resident set at the end, ``peak_rss_mb`` the largest.
    """

    detector: str
    embedder: str
    liveness: str | None
    size: tuple[int, int]
    rounds: int
    faces: int
    gallery: int
    stages: dict[str, StageTime]
    networks: dict[str, StageTime]
    frame: StageTime
    around: float
    cpu_ms: StageTime
    capture_cpu_ms: StageTime
    frames_per_second: float
    rss_mb: float
    peak_rss_mb: float
    before: BoardState
    after: BoardState


@dataclass(slots=True)
class _Clock:
    """Seconds, frame by frame: of each stage, of the networks in it, of processors, and those of capture."""

    networks: NetworkClock
    stages: dict[str, list[float]] = field(default_factory=dict)
    inside: dict[str, list[float]] = field(default_factory=dict)
    cpu: list[float] = field(default_factory=list)
    capture_cpu: list[float] = field(default_factory=list)

    def time(self, stage: str, work: Callable[[], T]) -> T:
        inside, started = self.networks.seconds, time.perf_counter()
        result = work()
        self.stages.setdefault(stage, []).append(time.perf_counter() - started)
        if self.networks.seconds > inside:
            self.inside.setdefault(stage, []).append(self.networks.seconds - inside)
        return result

    def frames(self) -> npt.NDArray[np.float64]:
        """Return the seconds of every frame, see ``BenchResult.frame``."""
        return np.asarray(
            np.sum([taken for stage, taken in self.stages.items() if stage not in _BESIDE], axis=0)
        )


def run_benchmark(
    pipeline: FacePipeline,
    source: FrameSource,
    *,
    gallery: int,
    rounds: int,
    journal: Path | None = None,
    progress: Progress = silent,
    cues: Mapping[Cue, LivenessMeter] | None = None,
    liveness: str | None = None,
    board: Board | None = None,
) -> BenchResult:
    """Send ``rounds`` frames of ``source`` through every stage; ``gallery`` people are enrolled.

    ``cues`` has a meter for each cue of liveness that is to be timed, ``liveness`` names its pack.
    ``journal`` is where the door's lies; without it none is timed. Raises ``EdgedError``.
    """
    board = board or Board()
    before, faces = board_state(board), 0
    door = _Door(pipeline, _gallery(gallery, pipeline, source.next()), cues or {})
    with network_time() as networks:
        clock = _Clock(networks)
        for index in range(-_WARM_UP_ROUNDS, rounds):
            if index == 0:
                clock, faces = _Clock(networks), 0
            image, found = _one_frame(door, source, index, clock)
            faces += found
            progress(max(0, index + 1), rounds)
    if journal is not None:
        clock.stages["journal"] = time_appends(journal, rounds)
    return _result(
        pipeline, clock, rounds=rounds, faces=faces, gallery=gallery, liveness=liveness,
        size=(image.shape[1], image.shape[0]), before=before, after=board_state(board),
    )  # fmt: skip


def sample_frames(
    pipeline: FacePipeline,
    source: FrameSource,
    *,
    gallery: int,
    seconds: float = 1.0,
    cues: Mapping[Cue, LivenessMeter] | None = None,
) -> Stacks:
    """Send frames through every stage for so long, one upon the other; return where the time went.

    Raises ``EdgedError``.
    """
    door = _Door(pipeline, _gallery(gallery, pipeline, source.next()), cues or {})
    clock = _Clock(NetworkClock())
    for index in range(-_WARM_UP_ROUNDS, 0):
        _one_frame(door, source, index, clock)
    index, until = 0, time.monotonic() + seconds
    with sampled_stacks(leave_out=(__name__,)) as stacks:
        while time.monotonic() < until:
            _one_frame(door, source, index, clock)
            index += 1
    return stacks


def random_vectors(people: int, dimension: int, seed: int = 0) -> FloatArray:
    """Return (people, dimension) float32 random unit rows."""
    vectors = np.random.default_rng(seed).normal(size=(people, dimension)).astype(np.float32)
    rows: FloatArray = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return rows


def board_state(board: Board) -> BoardState:
    """Return what ``board`` tells of itself now."""
    celsius, throttled = board.temperature(), board.throttled()
    return BoardState(
        None if np.isnan(celsius) else round(celsius, 1), None if np.isnan(throttled) else throttled > 0
    )


class _Door:
    """The recognition thread's way of a frame, stage by stage."""

    def __init__(
        self, pipeline: FacePipeline, snapshot: GallerySnapshot, cues: Mapping[Cue, LivenessMeter]
    ) -> None:
        self._pipeline = pipeline
        self._snapshot = snapshot
        self._cues = cues
        self._gate = MotionGate(MotionConfig())
        policy = _policy(liveness=bool(cues))
        self._tracker = Tracker(lost_after_seconds=policy.absence_seconds)
        self._engine = DecisionEngine(policy, AccessRules())

    def look(self, image: Image, number: int, clock: _Clock) -> None:
        """Have the gate look at frame ``number`` from 0."""
        at = number * _FRAME_SECONDS
        clock.time("motion", lambda: self._gate.look(image, at))
        self._gate.searched(at)

    def judge(self, image: Image, number: int, clock: _Clock) -> bool:
        """Judge frame ``number`` from 0; return whether there is a face in it."""
        pipeline, at = self._pipeline, number * _FRAME_SECONDS
        faces = clock.time("detect", lambda: pipeline.detect(image))
        found = main_face(faces, image)
        face = found or stand_in(image, pipeline)
        tracked = clock.time("track", lambda: self._tracker.update(faces or [face], at))
        track_id = next(one.track_id for one in tracked if one.face is face)
        aligned = clock.time("align", lambda: pipeline.align(image, face))
        quality = clock.time("quality", lambda: pipeline.assess(face, aligned))
        vector = clock.time("embed", lambda: pipeline.embed([aligned])[0])
        match = clock.time("match", lambda: best_match(self._snapshot, vector))
        alive = self._liveness(track_id, at, image, face, clock)
        seen = Observation(track_id, number, at, face.box, quality, match, alive, vector)
        clock.time("decide", lambda: self._engine.step(seen, self._snapshot, at, None))
        self._forget(at)
        return found is not None

    def _liveness(self, track_id: int, at: float, image: Image, face: Face, clock: _Clock) -> float | None:
        told: dict[Cue, float] = {}
        for cue, meter in self._cues.items():
            told |= clock.time(f"liveness {cue.value}", partial(meter.measure, track_id, at, image, face))
        return face_liveness(told) if told else None

    def _forget(self, at: float) -> None:
        for track_id in self._tracker.expire(at):
            self._engine.end(track_id)
            for meter in self._cues.values():
                meter.forget(track_id)


def _one_frame(door: _Door, source: FrameSource, index: int, clock: _Clock) -> tuple[Image, bool]:
    began = time.process_time()
    image = clock.time("capture", source.next)
    clock.capture_cpu.append(time.process_time() - began)
    door.look(image, index + _WARM_UP_ROUNDS, clock)
    looked = time.process_time()
    found = door.judge(image, index + _WARM_UP_ROUNDS, clock)
    clock.cpu.append(time.process_time() - looked)
    return image, found


def _result(
    pipeline: FacePipeline, clock: _Clock, *, rounds: int, faces: int, gallery: int, liveness: str | None,
    size: tuple[int, int], before: BoardState, after: BoardState,
) -> BenchResult:  # fmt: skip
    frames = clock.frames()
    inside = np.sum(list(clock.inside.values()), axis=0)
    return BenchResult(
        detector=pipeline.detector_name,
        embedder=pipeline.embedder_name,
        liveness=liveness,
        size=size,
        rounds=rounds,
        faces=faces,
        gallery=gallery,
        stages={stage: summary(seconds) for stage, seconds in clock.stages.items()},
        networks={stage: summary(seconds) for stage, seconds in clock.inside.items()},
        frame=summary(frames),
        around=round(1 - summary(inside).p10_ms / summary(frames).p10_ms, 3),
        cpu_ms=summary(clock.cpu),
        capture_cpu_ms=summary(clock.capture_cpu),
        frames_per_second=round(float(1 / np.mean(frames)), 1),
        rss_mb=_resident_mb(),
        peak_rss_mb=round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / _MB, 1),
        before=before,
        after=after,
    )


def summary(seconds: Sequence[float] | np.ndarray) -> StageTime:
    """Return the 10th, 50th and 95th percentile of ``seconds`` in milliseconds."""
    return StageTime(*(round(float(one), 3) for one in np.percentile(seconds, [10, 50, 95]) * 1000))


def _policy(*, liveness: bool) -> DecisionPolicy:
    """Return a door's usual numbers; nobody has to wait for a cool-down to be judged again."""
    usual = DecisionConfig()
    return DecisionPolicy(
        threshold=_THRESHOLD,
        confirm_frames=usual.confirm_frames,
        window_frames=usual.window_frames,
        min_margin=usual.min_margin,
        cooldown_seconds=0.0,
        absence_seconds=usual.absence_seconds,
        evidence_seconds=usual.evidence_seconds,
        max_frame_age_seconds=0.5,
        liveness_threshold=0.5 if liveness else None,
    )


def _gallery(size: int, pipeline: FacePipeline, image: Image) -> GallerySnapshot:
    """Enrol ``size`` people: random ones, and whoever stands in ``image``, who is let in then."""
    vectors = random_vectors(size, pipeline.dimension)
    face = main_face(pipeline.detect(image), image)
    if face is not None and size:
        vectors[0] = pipeline.embed([pipeline.align(image, face)])[0]
    names = [f"person-{index}" for index in range(size)]
    people = [Person(name, name) for name in names]
    templates = [
        Template(name, name, "bench", vector, 1.0, b"") for name, vector in zip(names, vectors, strict=True)
    ]
    return build_snapshot("bench", pipeline.dimension, 0, people, templates)


def stand_in(image: Image, pipeline: FacePipeline) -> Face:
    """Put a face of half the picture's height into its middle."""
    height, width = image.shape[:2]
    side = height / 2
    x, y = (width - side) / 2, (height - side) / 2
    points = (pipeline.template / 112 * side + (x, y)).astype(np.float32)
    return Face(Box(x, y, side, side), points, 1.0)


def _resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return round(pages * resource.getpagesize() / _MB, 1)
