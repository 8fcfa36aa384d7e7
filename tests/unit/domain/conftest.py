"""A small door: people, a gallery and observations made to measure."""

from collections.abc import Callable
from datetime import UTC, datetime

import numpy as np
import pytest

from edged.domain.decision import DecisionPolicy
from edged.domain.gallery import GallerySnapshot, build_snapshot
from edged.domain.people import Person, Template
from edged.domain.types import Box, Match, Observation, Quality

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)  # a Monday
POLICY = DecisionPolicy(
    threshold=0.4,
    confirm_frames=3,
    window_frames=5,
    min_margin=0.06,
    cooldown_seconds=10,
    absence_seconds=1,
    evidence_seconds=2,
    max_frame_age_seconds=0.5,
)
GOOD = Quality(0.9, 120, 50, 200, 120, 0, 0, 0)


def template(person_id: str, axis: int, dimension: int = 8) -> Template:
    vector = np.zeros(dimension, np.float32)
    vector[axis] = 1
    return Template(f"t-{person_id}", person_id, "toy/1", vector, 0.9, b"")


@pytest.fixture
def gallery() -> GallerySnapshot:
    people = [Person("p-ada", "Ada"), Person("p-ben", "Ben"), Person("p-off", "Off", enabled=False)]
    templates = [template("p-ada", 0), template("p-ben", 1), template("p-off", 2)]
    return build_snapshot("toy/1", 8, 1, people, templates)


def seen(
    seq: int,
    at: float,
    person_id: str | None = "p-ada",
    *,
    score: float = 0.7,
    second: float = 0.1,
    track: int = 1,
    match: bool = True,
    liveness: float | None = None,
) -> Observation:
    found = Match(person_id, score, "p-ben", second) if match else None
    return Observation(track, seq, at, Box(0, 0, 100, 100), GOOD, found, liveness)


Seen = Callable[..., Observation]
