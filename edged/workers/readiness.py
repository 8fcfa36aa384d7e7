"""Whether a person could be let in now, check by check."""

from edged.config import Config
from edged.workers.event_log import EventLog
from edged.workers.gallery_sync import GallerySyncWorker
from edged.workers.health import Check, HealthReport
from edged.workers.liveness import LivenessWatch


def readiness(
    config: Config,
    gallery: GallerySyncWorker,
    log: EventLog,
    *,
    locked_down: bool,
    fleet: Check,
    camera: str,
    models: str,
    liveness: LivenessWatch | None,
    lock: Check,
) -> HealthReport:
    """Return the report; ``camera`` is the state it is in, ``models`` what runs.

    ``fleet`` is whether its news keep anybody outside, ``locked_down`` whether a command does.
    """
    state, trouble = gallery.current, log.trouble
    armed = config.decision.armed and state.threshold.cosine is not None
    return HealthReport(
        {
            "camera": Check(camera == "up", camera),
            "models": Check(ok=True, detail=models),
            "liveness": _liveness(config, liveness),
            "gallery": Check(bool(state.snapshot.people) and not gallery.failing, gallery.summary),
            "armed": Check(armed, state.threshold.claim if config.decision.armed else "disarmed"),
            "journal": Check(trouble is None or config.journal.on_failure == "open", trouble or "ok"),
            "lock": lock,
            "lockdown": Check(not locked_down, "locked down by a command" if locked_down else "none"),
            "fleet": fleet,
        }
    )


def _liveness(config: Config, watch: LivenessWatch | None) -> Check:
    """Only where it is required can it keep everybody outside."""
    mode = config.liveness.mode
    trouble = "nothing measures it" if watch is None else watch.trouble
    if mode == "off" or trouble is None:
        return Check(ok=True, detail=mode)
    return Check(ok=mode != "required", detail=f"{mode}, not measured: {trouble}")
