"""The camera: what it gives, without taking it from a daemon that has it."""

from edged.config.sections import CameraConfig, CommandSource, FileSource, FolderSource, V4l2Source
from edged.devices.camera_factory import open_camera
from edged.doctor.finding import Finding, State
from edged.doctor.patient import Patient
from edged.domain.picture import CameraState
from edged.errors import CameraError
from edged.workers.camera_probe import CameraProbe, CameraSample

# Three frames must agree before somebody is let in (decision.confirm_frames), and people do not stand still
# for longer than a second.
_LEAST_FPS = 3.0
_WATCHED_SECONDS = 2.0
# A USB camera's exposure settles within a second, and the first frames of some are late.
_SETTLE_SECONDS = 1.0


def camera(patient: Patient) -> Finding:
    """Watch it for two seconds; where a daemon runs, ask that."""
    config, daemon = patient.config.camera, patient.daemon
    if daemon.running and not isinstance(config.source, FileSource | FolderSource):
        if "camera" not in daemon.checks:
            detail = f"in use by edged run (process {daemon.pid}), which cannot be asked: {daemon.silence}"
            return Finding(State.WARNING, detail, {"asked": "daemon"})
        fine, told = daemon.checks["camera"]
        detail = f"edged run (process {daemon.pid}) has it and says: {told}"
        return Finding(State.OK if fine else State.FAILED, detail, {"asked": "daemon"})
    with CameraProbe(open_camera(config), config) as probe:
        try:
            probe.frame(
                config.first_frame_timeout_ms / 1000 + _SETTLE_SECONDS, settle_seconds=_SETTLE_SECONDS
            )
        except CameraError as exc:
            detail = f"{exc}; `edged camera list` shows what there is, and only one program may have it"
            return Finding(State.FAILED, detail)
        return _judged(config, probe.sample(_WATCHED_SECONDS))


def _judged(config: CameraConfig, sample: CameraSample) -> Finding:
    facts: dict[str, object] = {
        "state": str(sample.state), "width": sample.width, "height": sample.height,
        "fps": round(sample.fps, 1), "age_ms": round(sample.age_ms),
    }  # fmt: skip
    if sample.state == CameraState.ENDED:
        return Finding(State.OK, "the replay was read to its end", facts)
    if sample.state != CameraState.UP:
        return Finding(State.FAILED, f"{sample.state}: {sample.problem or 'no pictures'}", facts)
    seen = f"{sample.width}x{sample.height}, {sample.fps:.1f} fps, oldest frame {sample.age_ms:.0f} ms"
    if sample.age_ms > config.max_frame_age_ms:
        detail = f"{seen}: older than camera.max_frame_age_ms ({config.max_frame_age_ms}) opens nothing"
        return Finding(State.FAILED, detail, facts)
    if sample.fps < _LEAST_FPS:
        return Finding(State.WARNING, f"{seen}: too few for a visit; see `edged camera check`", facts)
    asked = _asked_size(config)
    turned = asked[::-1] if config.rotate in (90, 270) else asked
    if turned and turned != (sample.width, sample.height):
        detail = f"{seen}, not the {turned[0]}x{turned[1]} asked for: set a size that it has"
        return Finding(State.WARNING, detail, facts)
    return Finding(State.OK, seen, facts)


def _asked_size(config: CameraConfig) -> tuple[int, ...]:
    source = config.source
    if isinstance(source, V4l2Source):
        return source.width, source.height
    if isinstance(source, CommandSource) and source.width and source.height:
        return source.width, source.height
    return ()
