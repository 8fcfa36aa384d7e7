"""Liveness on the recognition thread: measured in time, or not measured at all."""

import logging
from collections.abc import Callable
from contextlib import suppress

from edged.config.sections import LivenessConfig
from edged.domain.analysis import LivenessMeter
from edged.domain.liveness import face_liveness
from edged.domain.types import Face, Image
from edged.metrics import Metrics

logger = logging.getLogger(__name__)

# Faces in a row that could not be measured, until the check itself counts as broken: at the door's pace a
# second, and a single slow one on a busy board is none.
_BROKEN_AFTER = 10


class LivenessWatch:
    """Asks ``meter`` and counts what it says; whatever fails is a face that was not measured.

    ``clock`` gives monotonic seconds. A measurement that took longer than ``timeout_seconds`` does not
    count: one that hangs altogether stops the thread's heartbeat, and with it the daemon.
    """

    def __init__(
        self, meter: LivenessMeter, metrics: Metrics, clock: Callable[[], float], *, timeout_seconds: float
    ) -> None:
        self._meter = meter
        self._metrics = metrics
        self._clock = clock
        self._timeout = timeout_seconds
        self._failing = False
        self._failures_in_a_row = 0
        self._cause = ""

    @property
    def trouble(self) -> str | None:
        """What keeps faces from being measured, None while they are."""
        return self._cause if self._failures_in_a_row >= _BROKEN_AFTER else None

    def measure(self, track_id: int, at: float, image: Image, face: Face) -> float | None:
        """Return the liveness of a face 0..1, or None."""
        started = self._clock()
        try:
            cues = self._meter.measure(track_id, at, image, face)
            score = face_liveness(cues)
        except Exception as exc:  # noqa: BLE001 - any failure of the check is a face that is not alive
            self._failed("error", exc)
            return None
        if not self._clock() - started <= self._timeout:
            self._failed("timeout", None)
            return None
        if score is None:
            self._failed("not_finite", None)
            return None
        self._failing, self._failures_in_a_row = False, 0
        for cue, value in cues.items():
            self._metrics.liveness_score.labels(cue.value).observe(face_liveness({cue: value}) or 0.0)
        self._metrics.liveness_score.labels("face").observe(score)
        return score

    def forget(self, track_id: int) -> None:
        """Drop what is remembered of a track that has ended."""
        with suppress(Exception):
            self._meter.forget(track_id)

    def _failed(self, cause: str, error: Exception | None) -> None:
        self._metrics.liveness_failures.labels(cause).inc()
        self._cause, self._failures_in_a_row = cause, self._failures_in_a_row + 1
        # Once a failure: a broken model would fill the log at ten lines a second.
        if not self._failing:
            logger.error("liveness not measured cause=%s", cause, exc_info=error)
        self._failing = True


def liveness_watch(
    meter: LivenessMeter | None, config: LivenessConfig, metrics: Metrics, clock: Callable[[], float]
) -> LivenessWatch | None:
    """Return the watch around ``meter``; None where nothing is measured."""
    if meter is None:
        return None
    return LivenessWatch(meter, metrics, clock, timeout_seconds=config.timeout_ms / 1000)
