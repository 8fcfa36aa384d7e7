"""edged as it stands at a door: the recognition worker on frames that follow each other.

Beside detection and embedding it tracks, judges quality, matches against the gallery and decides. Half of
the visitors are enrolled among a thousand others, so that some are let in and some are not.
"""

from typing import Any

import cv2
import numpy as np
from prometheus_client import CollectorRegistry

from edged.devices.clock import Clock
from edged.domain.access import AccessRules
from edged.domain.calibration import threshold_for
from edged.domain.decision_policy import DecisionPolicy
from edged.domain.gallery import GallerySnapshot, build_snapshot
from edged.domain.people import Person, Template
from edged.domain.risk import Risk
from edged.domain.types import FloatArray, Frame
from edged.metrics import Metrics
from edged.vision.pipeline import FacePipeline
from edged.workers.gallery_sync import GalleryState
from edged.workers.recognition import RecognitionSettings, RecognitionWorker, Sight
from edged.workers.slot import LatestSlot
from tests.peers.kinds import pipeline as alone
from tests.peers.peer import Image, Peer, Vector

_OTHERS = 1000
_FRAME_SECONDS = 1 / 15
# What a frame has behind it when its turn comes.
_AGE_SECONDS = 0.03


class _FrameClock(Clock):
    """Stands still but for the frames: fifteen of them are a second, however long they take here."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


class _Door:
    def __init__(self, pipeline: FacePipeline, enrolled: list[FloatArray]) -> None:
        self._clock = _FrameClock()
        self._track: int | None = None
        snapshot = _gallery(pipeline, enrolled)
        limit = threshold_for(pipeline.calibration, len(snapshot.people), Risk(0.01, frames_per_visit=1))
        self._state = GalleryState(snapshot, limit, pipeline.calibration)
        self._worker = RecognitionWorker(
            LatestSlot(),
            pipeline,
            gallery=lambda: self._state,
            settings=RecognitionSettings(0.5, _policy, AccessRules()),
            metrics=Metrics(CollectorRegistry()),
            clock=self._clock,
            on_decision=lambda _decision, _state: True,
            on_seen=self._note,
        )
        self._number = 0

    def look(self, image: Image) -> Vector | None:
        """Let the worker have the frame; the newest vector of the track that was seen last."""
        self._number += 1
        self._clock.now += _FRAME_SECONDS
        self._worker._process(Frame(self._number, self._clock.now - _AGE_SECONDS, image), self._state)
        self._worker._expire(self._state, self._clock.now)
        return None if self._track is None else self._worker.face_of(self._track)

    def _note(self, sight: Sight) -> None:
        self._track = sight.observation.track_id


def _policy(threshold: float | None) -> DecisionPolicy:
    return DecisionPolicy(threshold, 3, 5, 0.06, 10, 1, 2, 0.5)


def _gallery(pipeline: FacePipeline, enrolled: list[FloatArray]) -> GallerySnapshot:
    others = np.random.default_rng(1).normal(size=(_OTHERS, pipeline.dimension)).astype(np.float32)
    others /= np.linalg.norm(others, axis=1, keepdims=True)
    vectors = [*enrolled, *others]
    names = [f"person-{number}" for number in range(len(vectors))]
    templates = [
        Template(name, name, pipeline.space, vector, 1.0, b"")
        for name, vector in zip(names, vectors, strict=True)
    ]
    return build_snapshot(
        pipeline.space, pipeline.dimension, 1, [Person(name, name) for name in names], templates
    )


def open_peer(options: dict[str, Any]) -> Peer:
    """Open edged's pipeline and enrol the people of the photographs ``enrolled``."""
    pipeline = alone.load(options)
    single = alone.Alone(pipeline)
    vectors = [single.look(cv2.imread(name)) for name in options["enrolled"]]
    return _Door(pipeline, [vector for vector in vectors if vector is not None])
