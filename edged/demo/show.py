"""What the daemon tells while the demo runs, shared out to console, tally and picture."""

from collections.abc import Callable

from edged.app import Daemon
from edged.demo.console import DemoConsole, Limits
from edged.demo.moments import Moments
from edged.demo.reel import Reel
from edged.demo.stage import Role
from edged.demo.tally import Tally, Verdict
from edged.domain.calibration import Threshold
from edged.domain.picture import CameraState
from edged.domain.types import Outcome
from edged.workers.door import DoorChange
from edged.workers.effects import Told
from edged.workers.gallery_sync import GalleryState
from edged.workers.listeners import Listeners
from edged.workers.recognition import Sight


class Show:
    """Hears the daemon; ``reel`` is None where a camera shows whoever is there."""

    def __init__(
        self, console: DemoConsole, tally: Tally, moments: Moments, reel: Reel | None, *, min_margin: float
    ) -> None:
        self.console = console
        self.tally = tally
        self.moments = moments
        self.reel = reel
        self.pulses = 0
        self.when_ready: Callable[[], None] = lambda: None
        self._min_margin = min_margin

    @property
    def listeners(self) -> Listeners:
        """What to give to the daemon."""
        return Listeners(
            on_seen=self._seen,
            on_told=self._told,
            on_door=self._door,
            on_prompt=self.console.asks,
            on_camera=self._camera,
            on_ready=self._ready,
        )

    def _ready(self, daemon: Daemon) -> None:
        port = daemon.monitor.port
        if port:
            self.console.say("metrics", f"http://127.0.0.1:{port}/metrics   (also /healthz and /readyz)")
        self.console.say("threshold", _risk(daemon.gallery.current.threshold))
        self.moments.began()
        self.when_ready()

    def _camera(self, state: str) -> None:
        self.tally.cut_short = state != CameraState.ENDED
        self.console.happened("camera", state, "dim")

    def _seen(self, sight: Sight) -> None:
        visit = None if self.reel is None else self.reel.visit_of(sight.frame.image)
        first = self.tally.saw(sight.observation.track_id, visit)
        if first is not None and visit is not None:
            self.console.comes(visit + 1, self.tally.visits, first)
            self.moments.mark("visit", first.name, first.role)
        appearance = None if visit is None else self.tally.appearance(visit)
        self.moments.saw(
            sight, appearance.role if appearance else None, appearance.announcement if appearance else ""
        )

    def _told(self, told: Told, state: GalleryState) -> None:
        decision = told.decision
        person = state.snapshot.person(decision.person_id or "")
        # Of a denial the nearest person is nobody's business but the tally's.
        name = person.name if person and decision.outcome is Outcome.GRANT else None
        verdict = Verdict(decision.outcome, decision.reason.value, name, decision.liveness)
        appearance = self.tally.decided(decision.track_id, verdict)
        threshold = state.threshold.cosine
        self.moments.decided(decision, name, threshold)
        self.console.decided(decision, name, told.punch, Limits(threshold, self._min_margin))
        if appearance is not None and appearance.role is Role.PRINT and name == appearance.name:
            self.console.fooled(decision.liveness)

    def _door(self, change: DoorChange) -> None:
        self.pulses += change.state == "locked"
        if change.state in ("unlocked", "locked"):
            self.moments.door(unlocked=change.state == "unlocked")
        self.console.door(change)


def _risk(threshold: Threshold) -> str:
    """Say what the threshold is for."""
    if threshold.cosine is None:
        return f"none, nobody will be let in: {threshold.claim}"
    return (
        f"a score of {threshold.cosine:.2f}, so that at most 1 in {1 / threshold.target_fpir:,.0f} visits of "
        f"strangers opens the door with {threshold.people} people enrolled"
    )
