"""One presentation after the other before the door's own camera: what its liveness check makes of them."""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from edged.config.sections import DecisionConfig
from edged.domain.analysis import FaceAnalyser
from edged.domain.liveness import RunningMean, measured, visit_liveness
from edged.domain.tracking import Tracker
from edged.domain.types import Image
from edged.workers.liveness import LivenessWatch


@dataclass(frozen=True, slots=True)
class TrialLimits:
    """A presentation ends after so many judged ``frames``, or so many ``seconds``."""

    frames: int
    seconds: float


@dataclass(frozen=True, slots=True)
class TrialVisit:
    """What became of one presentation.

    ``frames`` had a face good enough to be compared, ``measured`` of them have a liveness; ``liveness`` is
    the best that the visit reached, None where nothing was measured. ``alive``: the check would have let
    it pass. ``ended``: the camera had no more pictures.
    """

    frames: int
    measured: int
    liveness: float | None
    alive: bool
    ended: bool = False


class LivenessTrial:
    """Judges presentations as the door would, by the numbers of ``decision`` and ``threshold``."""

    def __init__(
        self,
        pipeline: FaceAnalyser,
        watch: LivenessWatch,
        decision: DecisionConfig,
        *,
        threshold: float,
        limits: TrialLimits,
        clock: Callable[[], float],
    ) -> None:
        self._pipeline = pipeline
        self._watch = watch
        self._decision = decision
        self._threshold = threshold
        self._limits = limits
        self._clock = clock
        self._tracker = Tracker(lost_after_seconds=decision.absence_seconds)

    def present(self, images: Iterator[Image]) -> TrialVisit:
        """Take pictures until the presentation is over. Raises ``CameraError``, ``ModelError``."""
        self._forget()
        recent: deque[float | None] = deque(maxlen=self._decision.window_frames)
        whole, scores, reached, alive = RunningMean(), 0, None, False
        frames, deadline = 0, self._clock() + self._limits.seconds
        while frames < self._limits.frames and self._clock() < deadline:
            image = next(images, None)
            if image is None:
                return TrialVisit(frames, scores, reached, alive, ended=True)
            judged, score = self._judge(image)
            if not judged:
                continue
            frames, scores = frames + 1, scores + measured([score])
            recent.append(score)
            whole.add(score)
            if len(recent) < self._decision.confirm_frames:
                continue
            liveness = visit_liveness(recent, whole)
            if liveness is not None:
                reached = liveness if reached is None else max(reached, liveness)
                enough = measured(tuple(recent)) >= self._decision.confirm_frames
                alive = alive or (enough and liveness >= self._threshold)
        return TrialVisit(frames, scores, reached, alive)

    def _judge(self, image: Image) -> tuple[bool, float | None]:
        """Return whether there is a face worth comparing, and how alive the nearest one is."""
        at = self._clock()
        tracked = self._tracker.update(self._pipeline.detect(image), at)
        for item in tracked[:1]:
            aligned = self._pipeline.align(image, item.face)
            if self._pipeline.shortfall(self._pipeline.assess(item.face, aligned)) is None:
                return True, self._watch.measure(item.track_id, at, image, item.face)
        return False, None

    def _forget(self) -> None:
        """End all tracks: the next presentation has nothing to do with the last one."""
        for track_id in self._tracker.expire(float("inf")):
            self._watch.forget(track_id)
