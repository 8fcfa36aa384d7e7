"""One frame's way from the slot to a decision.

The thread owns the models, the tracker, the motion gate and the engine; nobody else touches them.
Settings and gallery are swapped whole by others and read once a frame.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from edged.devices.clock import Clock
from edged.domain.access import AccessRules
from edged.domain.analysis import FaceAnalyser
from edged.domain.attempts import AttemptLimit, Attempts, is_attempt
from edged.domain.decision import DecisionEngine, DecisionPolicy
from edged.domain.matching import best_match
from edged.domain.same_face import TrackFaces, same_face_floor
from edged.domain.sampling import FrameSampler, Glimpse
from edged.domain.tracking import TrackedFace, Tracker
from edged.domain.types import Decision, Face, FloatArray, Frame, Observation, Outcome
from edged.metrics import Metrics
from edged.vision.tracked_search import TrackedSearch
from edged.workers.attention import Attention, Gate
from edged.workers.challenge import ChallengeWatch
from edged.workers.gallery_sync import GalleryState
from edged.workers.liveness import LivenessWatch
from edged.workers.slot import LatestSlot
from edged.workers.worker import Worker

logger = logging.getLogger(__name__)

# Not an approach to the door: such a face is neither evidence nor an event.
_FAR_AWAY = "too_small"


@dataclass(frozen=True, slots=True)
class RecognitionSettings:
    """What may change while the daemon runs, swapped whole."""

    max_frame_age_seconds: float
    policy: Callable[[float | None], DecisionPolicy]
    rules: AccessRules
    motion: Gate | None = None
    attempts: AttemptLimit | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Sight:
    """A face that is about to be judged, with the frame it was found in."""

    frame: Frame
    face: Face
    observation: Observation


class RecognitionWorker(Worker):
    """Takes frames, keeps tracks, asks the engine, hands decisions to ``on_decision``.

    ``on_decision`` answers False to a grant that opens nothing; its person may try again at once.
    ``on_seen`` is told of every face near enough to be judged, right before it is; on this thread.
    ``liveness`` is asked about every face that is compared; None measures nothing, so a door that requires
    it lets nobody in. ``search`` None searches every picture as a whole. ``challenge`` stands between the
    engine and the door; None asks for no gesture. ``attempts`` is what was refused before this start.
    """

    def __init__(
        self,
        slot: LatestSlot[Frame],
        pipeline: FaceAnalyser,
        *,
        gallery: Callable[[], GalleryState],
        settings: RecognitionSettings,
        metrics: Metrics,
        clock: Clock,
        on_decision: Callable[[Decision, GalleryState], bool | None],
        on_idle: Callable[[], None] = lambda: None,
        on_seen: Callable[[Sight], None] = lambda _sight: None,
        liveness: LivenessWatch | None = None,
        challenge: ChallengeWatch | None = None,
        search: TrackedSearch | None = None,
        attention: Attention | None = None,
        attempts: Attempts | None = None,
    ) -> None:
        super().__init__("recognition")
        self.settings = settings
        self.frames_done = 0
        self._slot = slot
        self._pipeline = pipeline
        self._search = search or TrackedSearch(pipeline)
        self._gallery = gallery
        self._metrics = metrics
        self._clock = clock
        self._on_decision = on_decision
        self._on_idle = on_idle
        self._on_seen = on_seen
        self.liveness = liveness
        self._challenge = challenge
        self._attention = attention or Attention(metrics)
        self._tracker = Tracker(lost_after_seconds=settings.policy(None).absence_seconds)
        self._engine = DecisionEngine(self._policy(gallery()), settings.rules)
        self._attempts = attempts or Attempts()
        self._sampler = FrameSampler()
        self._searched = 0
        self._faces = TrackFaces()

    @property
    def busy(self) -> bool:
        """Whether a track is open."""
        return self._tracker.tracking

    def face_of(self, track_id: int) -> FloatArray | None:
        """Return the newest vector (D,) of a track, None once it has ended; for this thread alone."""
        return self._faces.newest(track_id)

    def run(self) -> None:
        """Process frames until told to stop."""
        while not self.stopping.is_set():
            self.beat()
            frame = self._slot.take(0.25)
            state = self._gallery()
            self._take_settings(state)
            if frame is not None:
                with self._attention.work(frame, self._clock):
                    self._process(frame, state)
                self.frames_done += 1
            self._attention.observe(self.settings.motion, self._clock.monotonic())
            self._expire(state, self._clock.monotonic())
            self._on_idle()
        self._expire(self._gallery(), float("inf"))  # nobody who is in view now is left out of the record

    def take_back(self, decision: Decision) -> None:
        """Let somebody try again whose grant came later and opened nothing; for this thread alone."""
        self._engine.take_back(decision)
        self._sampler.follow(decision, refused=True)

    def _take_settings(self, state: GalleryState) -> None:
        policy = self._policy(state)
        self._engine.reconfigure(policy, self.settings.rules)
        self._tracker.lost_after_seconds = policy.absence_seconds

    def _policy(self, state: GalleryState) -> DecisionPolicy:
        policy = self.settings.policy(state.threshold.cosine)
        return replace(policy, same_face=same_face_floor(state.calibration))

    def _process(self, frame: Frame, state: GalleryState) -> None:
        age = self._clock.monotonic() - frame.captured_at
        self._metrics.frame_age.observe(max(0.0, age))
        if not 0 <= age <= self.settings.max_frame_age_seconds:
            self._metrics.frames.labels("stale").inc()
            return
        if not self._worth_a_look(frame):
            return
        with self._timed("detect"):
            faces = self._search.find(frame.image, self._tracker.followed, frame.captured_at)
        with self._timed("track"):
            tracked = self._tracker.update(faces, frame.captured_at)
        self._searched += 1
        for item in tracked:
            self._judge(frame, item, state)
        self._metrics.frames.labels("processed").inc()

    def _worth_a_look(self, frame: Frame) -> bool:
        """Nobody in view: the only case in which a frame may not be searched."""
        with self._timed("motion"):
            return self._attention.wants(frame, self.settings.motion, tracking=self._tracker.tracking)

    def _judge(self, frame: Frame, item: TrackedFace, state: GalleryState) -> None:
        observation = self._observe(frame, item, state)
        if observation is None:
            return
        self._on_seen(Sight(frame, item.face, observation))
        now, local = self._clock.monotonic(), self._clock.door_time()
        with self._timed("decide"):
            decision = self._engine.step(observation, state.snapshot, now, local)
        if self._challenge is not None:
            self._decided(self._challenge.watch(observation, decision, state.snapshot, now), state)
        self._decided(decision, state)

    def _observe(self, frame: Frame, item: TrackedFace, state: GalleryState) -> Observation | None:
        """Measure one face; None for one too far away to be a visit, or not worth a closer look."""
        with self._timed("align"):
            aligned = self._pipeline.align(frame.image, item.face)
        with self._timed("quality"):
            quality = self._pipeline.assess(item.face, aligned)
            missing = self._pipeline.shortfall(quality)
        glimpse = Glimpse(
            self._searched, frame.captured_at, item.face.box, quality.score, usable=missing is None
        )
        if missing == _FAR_AWAY:
            return None
        wanted = self._sampler.wanted(item.track_id, glimpse, self._engine.policy)
        if not wanted and self._challenge is None:  # a challenge must see the whole turn, poor frames too
            return None
        track_id, vector, match, alive = item.track_id, None, None, None
        if missing is None:
            with self._timed("embed"):
                vector = self._pipeline.embed([aligned])[0]
            track_id = self._same_face(track_id, vector, state)
            with self._timed("match"):
                match = best_match(state.snapshot, vector)
            if self.liveness is not None:
                with self._timed("liveness"):
                    alive = self.liveness.measure(track_id, frame.captured_at, frame.image, item.face)
        self._sampler.looked(track_id, glimpse)
        return Observation(
            track_id, frame.seq, frame.captured_at, item.face.box, quality, match, alive, vector
        )

    def _same_face(self, track_id: int, vector: FloatArray, state: GalleryState) -> int:
        """Start a new track where the face of this one changed, from one frame to the next or by and by.

        A needless split only costs a few frames of evidence.
        """
        if self._faces.changes(track_id, vector, same_face_floor(state.calibration)):
            ended, track_id = track_id, self._tracker.split(track_id)
            self._faces.succeed(ended, track_id)
            self._finish(ended, state, changed=True)
        self._faces.saw(track_id, vector)
        return track_id

    def _expire(self, state: GalleryState, now: float) -> None:
        for track_id in self._tracker.expire(now):
            self._finish(track_id, state)
        if self._challenge is not None:
            self._challenge.prompt(now)

    def _finish(self, track_id: int, state: GalleryState, *, changed: bool = False) -> None:
        self._faces.forget(track_id)
        self._sampler.forget(track_id)
        if self.liveness is not None:
            self.liveness.forget(track_id)
        if self._challenge is not None:
            self._decided(self._challenge.end(track_id, changed=changed), state)
        self._decided(self._engine.end(track_id), state)

    def _decided(self, asked: Decision | None, state: GalleryState) -> None:
        """Pass on what is asked for, as far as the challenge and the attempts before it allow."""
        if asked is None:
            return
        now = self._clock.monotonic()
        decision = asked if self._challenge is None else self._challenge.judge(asked, now)
        if is_attempt(decision):
            self._faces.refuse(decision.track_id)
        decision = self._attempts.judge(decision, self.settings.attempts, now)
        wanted = asked.outcome in (Outcome.GRANT, Outcome.ASK)
        if wanted:
            self._faces.accept(asked.track_id)
        refused = wanted and decision.outcome is not asked.outcome
        if decision.outcome is not Outcome.WAIT and self._on_decision(decision, state) is False:
            refused = True
        if refused:
            self._engine.take_back(asked)
        self._sampler.follow(asked, refused=refused)

    @contextmanager
    def _timed(self, stage: str) -> Iterator[None]:
        started = self._clock.monotonic()
        try:
            yield
        finally:
            self._metrics.stage.labels(stage).observe(self._clock.monotonic() - started)
