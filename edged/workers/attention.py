"""Where recognition looks: at which pictures, how often, and what is shed when the board is in trouble.

Stands between the motion gate, the camera's cadence and the governor, none of which knows the others.
"""

import logging
import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from edged.config.sections import Config
from edged.devices.board import Board
from edged.devices.clock import Clock
from edged.domain.cadence import Cadence
from edged.domain.glance import Glance
from edged.domain.governor import Condition, Governor, Limits, Pressure
from edged.domain.types import Frame, Image
from edged.metrics import Metrics

logger = logging.getLogger(__name__)

# The firmware of a Raspberry Pi looks at its temperature as often.
_OBSERVE_SECONDS = 2.0
# Somebody who has stopped is found as surely by every third picture of a camera with 15 a second.
_LINGER_PAUSE_SECONDS = 0.18


class Gate(Protocol):
    """What may spare a picture the search; ``vision.motion.MotionGate`` is the real one."""

    @property
    def idle_fps(self) -> float:
        """How many pictures a second are looked at while nothing moves."""

    def look(self, image: Image, now: float) -> Glance:
        """Say what speaks for searching the picture."""

    def restless(self, now: float) -> bool:
        """Whether something moved a moment ago."""

    def searched(self, now: float) -> None:
        """Hear that the picture was searched."""

    def occupied(self, now: float) -> None:
        """Hear that somebody is in view."""


class Attention:
    """Asked once a frame whether to search it, and told what that took; the recognition thread owns it.

    A frame is late that is older than ``late_seconds`` when its turn comes.
    """

    def __init__(
        self,
        metrics: Metrics,
        cadence: Cadence | None = None,
        governor: Governor | None = None,
        *,
        board: Board | None = None,
        late_seconds: float = 0.25,
    ) -> None:
        self._metrics = metrics
        self._cadence = cadence or Cadence(1.0)
        self._governor = governor or Governor(None)
        self._board = board or Board()
        self._late_seconds = late_seconds
        self._glance = Glance.DUE
        self._searched_at = float("-inf")
        self._causes: frozenset[Pressure] = frozenset()
        self._tally = _Tally()

    @property
    def glance(self) -> Glance:
        """What spoke for the newest frame."""
        return self._glance

    def wants(self, frame: Frame, gate: Gate | None, *, tracking: bool) -> bool:
        """Tell whether to search ``frame``. Without a gate every one is; so it is with a face in view."""
        now = frame.captured_at
        self._glance = self._look(frame, gate, tracking=tracking)
        if gate is None or tracking or gate.restless(now):
            self._cadence.wake(now)
        if self._glance is Glance.STILL or self._often_enough(now):
            self._metrics.frames.labels("idle").inc()
            return False
        if not self._governor.admits(self._glance, now):
            self._shed()
            return False
        if gate is not None and not tracking:
            gate.searched(now)
        self._searched_at = now
        return True

    @contextmanager
    def work(self, frame: Frame, clock: Clock) -> Iterator[None]:
        """Take down what the block, all of recognition's work on ``frame``, took."""
        started_at = clock.monotonic()
        yield
        now = clock.monotonic()
        self._tally.add(now - started_at, late=started_at - frame.captured_at > self._late_seconds)
        if self._searched_at == frame.captured_at:
            self._governor.spent(self._glance, now - started_at, now)

    def observe(self, gate: Gate | None, now: float) -> None:
        """Look at the board now and then, and let the governor step; call it at every turn."""
        tally = self._tally
        if 0 <= now - tally.since < _OBSERVE_SECONDS:
            return
        self._tally = _Tally(now)
        before = self._governor.level
        if self._governor.limits is not None:
            heat, throttled = self._board.temperature(), self._board.throttled()
            self._governor.observe(Condition(heat, throttled, *tally.shares(now)), now)
        if gate is not None:
            self._cadence.idle_fps = gate.idle_fps * self._governor.idle_share
        self._tell(before)

    def _look(self, frame: Frame, gate: Gate | None, *, tracking: bool) -> Glance:
        if gate is None or tracking:
            if gate is not None:
                gate.occupied(frame.captured_at)
            return Glance.FACE
        return gate.look(frame.image, frame.captured_at)

    def _often_enough(self, now: float) -> bool:
        return self._glance is Glance.LINGER and 0 <= now - self._searched_at < _LINGER_PAUSE_SECONDS

    def _shed(self) -> None:
        self._metrics.frames.labels("shed").inc()
        for pressure in self._causes:
            self._metrics.shed.labels(pressure.value).inc()

    def _tell(self, before: int) -> None:
        level, pressures = self._governor.level, self._governor.pressures
        self._causes = pressures or self._causes  # a board that cools down sheds for what made it hot
        self._metrics.governor_level.set(level)
        for pressure in Pressure:
            self._metrics.governor_pressure.labels(pressure.value).set(pressure in pressures)
        if level > before:
            why = ",".join(sorted(pressures))
            logger.warning("fewer pictures are searched level=%d because=%s", level, why)
        elif level < before:
            logger.info("more pictures are searched again level=%d", level)


def attention_of(config: Config, cadence: Cadence, metrics: Metrics) -> Attention:
    """Return what the configuration asks for; the camera is asked by ``cadence``."""
    section = config.governor
    limits = Limits(section.warm_celsius, section.hot_celsius, section.busy_share)
    return Attention(
        metrics,
        cadence,
        Governor(limits if section.enabled else None),
        # Half of the age at which it is thrown away.
        late_seconds=config.camera.max_frame_age_ms / 2000,
    )


class _Tally:
    """Of some seconds: how long recognition worked, and how many of its frames were old."""

    def __init__(self, since: float = -math.inf) -> None:
        self.since = since
        self._busy_seconds = 0.0
        self._frames = 0
        self._late = 0

    def add(self, seconds: float, *, late: bool) -> None:
        self._busy_seconds += max(0.0, seconds)
        self._frames += 1
        self._late += late

    def shares(self, now: float) -> tuple[float, float]:
        """Return the share of the time, and that of the frames; 0 where neither is known."""
        passed = now - self.since
        busy = self._busy_seconds / passed if 0 < passed < math.inf else 0.0
        return min(busy, 1.0), self._late / self._frames if self._frames else 0.0
