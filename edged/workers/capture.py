"""The capture worker: keeps the camera open, and the newest good frame in a slot of one.

The camera is read without pause, since drivers and FFmpeg hand out buffered frames otherwise: at
25 fps against 100 ms of work a frame, a frame is 8 s old after 14 s.
"""

import logging
import time
from collections.abc import Callable

from edged.config.sections import CameraConfig
from edged.devices.camera import Camera, CameraFormatError, CameraTimeoutError, EndOfStream
from edged.domain.picture import CameraState, PictureWatch
from edged.domain.types import Frame
from edged.errors import CameraError
from edged.fleet.backoff import Backoff
from edged.metrics import Metrics
from edged.vision.picture import measure
from edged.workers.outage import Outage
from edged.workers.reader import Arrival, FrameReader
from edged.workers.slot import LatestSlot
from edged.workers.worker import Worker

logger = logging.getLogger(__name__)

_TURN_SECONDS = 0.1
# A driver that repeats its last picture after an unplug does so until it is opened again.
_FROZEN_SECONDS = 10.0
# Each reader that hangs in a driver keeps a thread and a picture; a few attempts show that it is no
# accident. Only a new process frees them, so that is asked for when none has come back.
_MAX_STUCK = 3
_STUCK_SECONDS = 60.0

_PROBLEMS = {
    CameraState.FROZEN: "the same picture again and again",
    CameraState.BLIND: "a black, white or empty picture: is the lens covered?",
}


class CaptureWorker(Worker):
    """Puts frames into ``slot`` and reports each change of state to ``on_state``, on its own thread.

    A picture that is not ``wanted``, asked with the monotonic second at which it came, is not decoded.

    ``up``: frames arrive. ``down``: none do, the camera is opened again with growing delays.
    ``frozen``: a live camera repeats itself; repeated pictures are never passed on. ``blind``: the
    pictures are empty, and passed on. ``ended``: a replay is over, the worker idles.
    """

    def __init__(
        self,
        camera: Camera,
        slot: LatestSlot[Frame],
        config: CameraConfig,
        metrics: Metrics,
        on_state: Callable[[CameraState], None] = lambda _state: None,
        *,
        wanted: Callable[[float], bool] = lambda _at: True,
    ) -> None:
        super().__init__("capture", daemon=True)
        self._camera = camera
        self._slot = slot
        self._metrics = metrics
        self._on_state = on_state
        self._wanted = wanted
        self._first_frame_seconds = config.first_frame_timeout_ms / 1000
        # What piles up in less time is still young enough to be judged.
        self._stall_seconds = config.max_frame_age_ms / 1000
        # A source may be slow by its own configuration.
        fps = getattr(config.source, "fps", None) or float("inf")
        self._frame_seconds = max(config.no_frame_timeout_ms / 1000, 2 / fps)
        self._backoff = Backoff(config.reconnect_min_ms / 1000, config.reconnect_max_ms / 1000)
        self._watch = PictureWatch(
            live=camera.live, frozen_after=config.frozen_after_frames, blind_after=config.blind_after_frames
        )
        self._outage = Outage(logger, "camera")
        self._state: CameraState | None = None
        self._problem = "not opened yet"
        self._seq = 0
        self._stuck: list[FrameReader] = []
        self._stuck_since = 0.0

    @property
    def state(self) -> str:
        """The last state, ``down`` before the first frame."""
        return self._state or CameraState.DOWN

    @property
    def problem(self) -> str:
        """Why the state is not ``up``; empty when it is."""
        return self._problem

    def run(self) -> None:
        """Open, feed, and open again. Raises ``CameraError`` when the driver keeps too many threads."""
        try:
            while not self.stopping.is_set():
                if self._may_open(time.monotonic()):
                    self._pause(self._backoff.delay(self._session()))
                else:
                    self._pause(_TURN_SECONDS)
        finally:
            self._metrics.camera_up.set(0)

    def _session(self) -> float:
        """Open the camera once and feed until it fails; return for how many seconds it was of use."""
        reader = FrameReader(self._camera, stall_seconds=self._stall_seconds, wanted=self._wanted)
        started_at, seq = time.monotonic(), self._seq
        try:
            self._feed(reader)
        except EndOfStream:
            self._enter(CameraState.ENDED, "the replay is over")
        except CameraError as exc:
            self._metrics.camera_faults.labels(_fault(exc, opened=reader.opened)).inc()
            self._enter(CameraState.DOWN, str(exc))
        finally:
            if not reader.finish():
                self._stuck.append(reader)
        while self._state is CameraState.ENDED and not self.stopping.is_set():
            self._pause(1.0)
        useless = seq == self._seq or self._state is CameraState.FROZEN
        return 0.0 if useless else time.monotonic() - started_at

    def _feed(self, reader: FrameReader) -> None:
        """Pass frames on until told to stop, or the camera has been frozen for long."""
        arrival = self._next(reader, self._first_frame_seconds)
        if arrival is not None and self._seq:
            self._metrics.camera_reconnects.inc()
        fresh_at = time.monotonic()
        while arrival is not None:
            if self._arrived(arrival):
                fresh_at = arrival.at
            elif self._state is CameraState.FROZEN and arrival.at - fresh_at > _FROZEN_SECONDS:
                return
            arrival = self._next(reader, self._frame_seconds)

    def _next(self, reader: FrameReader, patience: float) -> Arrival | None:
        """Wait for a picture; None when told to stop. Raises ``CameraTimeoutError`` after ``patience``."""
        deadline = time.monotonic() + patience
        while not self.stopping.is_set():
            self.beat()
            arrival = reader.take(_TURN_SECONDS)
            if arrival is not None:
                return arrival
            if time.monotonic() > max(deadline, reader.skipped_at + patience):
                raise CameraTimeoutError(f"no frame for {patience:g} s")
        return None

    def _arrived(self, arrival: Arrival) -> bool:
        """Judge a picture and pass it on if it is fresh; return whether it was."""
        verdict = self._watch.step(measure(arrival.image), passed=arrival.skipped)
        frames = self._metrics.frames
        frames.labels("captured").inc(1 + arrival.missed + arrival.skipped)
        frames.labels("skipped").inc(arrival.skipped)
        frames.labels("replaced").inc(arrival.missed)
        self._enter(verdict.state, _PROBLEMS.get(verdict.state, ""))
        if not verdict.fresh:
            return False
        self._metrics.camera_last_frame.set_to_current_time()
        arrival.image.setflags(write=False)
        self._seq += 1
        if self._slot.put(Frame(self._seq, arrival.at, arrival.image)):
            frames.labels("replaced").inc()
        return True

    def _enter(self, state: CameraState, problem: str) -> None:
        self._problem = problem
        changed = state is not self._state
        if state is CameraState.DOWN or (changed and state in _PROBLEMS):
            self._outage.failed(problem, time.monotonic())
        if not changed:
            return
        self._state = state
        self._metrics.camera_up.set(state is CameraState.UP)
        if state in _PROBLEMS:
            self._metrics.camera_faults.labels(state.value).inc()
        elif state is CameraState.UP:
            self._outage.recovered(time.monotonic())
        logger.debug("camera state=%s", state)
        self._on_state(state)

    def _may_open(self, now: float) -> bool:
        """Whether another reader may be started beside those that hang."""
        self._stuck = [reader for reader in self._stuck if reader.alive]
        if len(self._stuck) < _MAX_STUCK:
            self._stuck_since = now
            return True
        if now - self._stuck_since > _STUCK_SECONDS:
            raise CameraError(f"{len(self._stuck)} reads never returned: only a new process frees the camera")
        return False

    def _pause(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while (remaining := until - time.monotonic()) > 0 and not self.stopping.is_set():
            self.beat()
            self.stopping.wait(min(remaining, 1.0))


def _fault(error: CameraError, *, opened: bool) -> str:
    """Name the fault, one of ``edged.metrics.CAMERA_FAULTS``."""
    if isinstance(error, CameraFormatError):
        return "format"
    if not opened:
        return "open"
    return "timeout" if isinstance(error, CameraTimeoutError) else "ended"
