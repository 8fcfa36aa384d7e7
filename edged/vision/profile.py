"""The profile of a device: what `edged bench` measured there, and what ``auto`` means because of it.

It lies in the models directory and holds for the machine, the onnxruntime and the packs that it was measured
with; where one of these is another, it is passed over. It may choose between files that a pack describes and
whose embeddings are of one space, and say with how many threads they run; a door that was calibrated stays
with the files that it was calibrated with. A profile that somebody forged, or that is stale, makes a door
slower, and decides nothing at it.
"""

import os
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from edged.config.sections import ModelsConfig
from edged.errors import ModelError, printable
from edged.vision.choice import PROFILE
from edged.vision.packs import Catalogue, ModelSpec, Precision, Task

# The tasks whose files and threads are measured; liveness runs in what its pack comes in.
TASKS: tuple[Task, ...] = ("detector", "embedder")
# A profile has some 2,000 bytes.
_LIMIT_BYTES = 32_768
_MOST_FPS = 240
_EXPECTED = "expected the profile that `edged bench --write` makes"

Digest = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]
Line = Annotated[str, Meta(max_length=400)]
Ms = Annotated[float, Meta(ge=0, le=3_600_000)]


class Took(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Milliseconds: the median, and what 19 of 20 stayed below."""

    p50_ms: Ms
    p95_ms: Ms


class Profile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What was measured, where, and what was chosen.

    ``packs`` are the SHA-256s of all that a pack says of the files of a task. ``frames_per_second`` is what
    the device judges with room to spare, and bounds nothing: of a camera that gives more, the newest frame is
    taken when there is time for it, and a door that waited longer would only decide later. ``frame`` is what
    one frame with one face takes then, ``stages`` its parts and ``cpu_ms`` the processor time of all threads.
    ``reasons`` say why each was chosen.
    """

    schema: Literal[1]
    device: Line
    cores: Annotated[int, Meta(ge=1, le=4096)]
    onnxruntime: Line
    providers: tuple[Line, ...]
    edged: Line
    measured_at: Annotated[float, Meta(ge=0, le=1e11)]
    packs: dict[Task, Digest]
    names: dict[Task, Line]
    precision: dict[Task, Precision]
    threads: Annotated[int, Meta(ge=1, le=64)]
    frames_per_second: Annotated[float, Meta(gt=0, le=_MOST_FPS)]
    frame: Took
    cpu_ms: Ms
    stages: dict[Line, Took]
    reasons: Annotated[tuple[Line, ...], Meta(max_length=16)]


@dataclass(frozen=True, slots=True)
class Standing:
    """The profile in force, or why there is none: ``passed_over`` is None where none lies there at all."""

    profile: Profile | None
    passed_over: str | None = None

    @property
    def text(self) -> str:
        """What is in force, for people; one line, whatever a file or its path says."""
        if self.profile is None:
            return printable(f"no profile: {self.passed_over or 'none was measured here'}")
        found = self.profile
        kinds = ", ".join(f"{task} {precision}" for task, precision in found.precision.items())
        return (
            f"profile in force, which chose {kinds or 'no file'}, threads {found.threads}; measured with "
            f"room to spare: {found.frames_per_second:g} frames a second, {found.frame.p50_ms:.1f} ms each"
        )


def profile_path(models: ModelsConfig) -> Path:
    """Return where the profile of a models directory lies; it may be absent."""
    return models.directory / PROFILE


def standing(models: ModelsConfig) -> Standing:
    """Return the profile in force for ``models``, or why there is none. Never raises."""
    if models.profile == "off":
        return Standing(None, "models.profile is off")
    try:
        told = profile_path(models).lstat()
    except OSError:
        return Standing(None)
    # The daemon opens several networks, and each would read file and packs again.
    return _standing(models, told.st_ctime_ns, told.st_ino)


def fingerprint(spec: ModelSpec) -> str:
    """Return a SHA-256 of what tells a model from any other: its files, how it is fed, its space."""
    import hashlib  # noqa: PLC0415 - most commands never look at a profile

    pins = sorted((one, file.sha256) for one, file in spec.files.items())
    fed = [*spec.input, spec.channels, spec.mean, spec.scale, spec.space, spec.mirrored, spec.zoom]
    return hashlib.sha256(msgspec.json.encode([spec.task, spec.decoder, pins, fed])).hexdigest()


def read_profile(path: Path) -> Profile:
    """Return the profile of a file that only its owner may write. Raises ``ModelError``."""
    from edged.vision.compiled import check_place  # noqa: PLC0415 - it imports onnxruntime

    check_place(path.parent)
    check_place(path)
    try:
        with path.open("rb") as stream:
            data = stream.read(_LIMIT_BYTES + 1)
        if len(data) > _LIMIT_BYTES:
            raise ModelError(f"{path}: {_EXPECTED}, got more than {_LIMIT_BYTES:,} bytes")
        return msgspec.json.decode(data, type=Profile)
    except OSError as exc:
        raise ModelError(f"{path}: cannot be read: {exc.strerror or exc}") from exc
    except msgspec.ValidationError as exc:
        raise ModelError(f"{path}: {_EXPECTED}, got another document: {printable(str(exc)[:200])}") from exc
    except (msgspec.DecodeError, UnicodeDecodeError) as exc:
        got = f"{len(data):,} bytes that are no whole JSON: {printable(str(exc)[:200])}"
        raise ModelError(f"{path}: {_EXPECTED}, got {got if data.strip() else 'an empty file'}") from exc


def write_profile(profile: Profile, models: ModelsConfig) -> Path:
    """Put ``profile`` in force for the models directory, whole or not at all. Raises ``ModelError``."""
    from edged.vision.compiled import check_place  # noqa: PLC0415 - it imports onnxruntime

    path = profile_path(models)
    fresh = path.with_name(f".{PROFILE}.new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        check_place(path.parent)
        fresh.unlink(missing_ok=True)
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o644)
        with os.fdopen(descriptor, "wb") as stream:
            os.fchmod(descriptor, 0o644)
            stream.write(msgspec.json.format(msgspec.json.encode(profile), indent=2) + b"\n")
            stream.flush()
            os.fsync(descriptor)
        fresh.replace(path)
    except OSError as exc:
        raise ModelError(f"{path}: cannot be written: {exc.strerror or exc}") from exc
    return path


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0))


@lru_cache(maxsize=4)
def _standing(models: ModelsConfig, _changed_at: int, _inode: int) -> Standing:
    try:
        found = read_profile(profile_path(models))
        reason = _mismatch(found, models)
    except ModelError as exc:
        return Standing(None, str(exc))
    return Standing(None, reason) if reason else Standing(found)


def _mismatch(profile: Profile, models: ModelsConfig) -> str | None:
    """Return what keeps ``profile`` from holding here. Raises ``ModelError``."""
    import onnxruntime  # noqa: PLC0415 - most commands never look at a profile

    from edged.vision.compiled import device  # noqa: PLC0415 - as above

    here: dict[str, tuple[object, object]] = {
        "on another processor": (profile.device, device()),
        "with another number of cores": (profile.cores, cores()),
        "with another onnxruntime": (profile.onnxruntime, onnxruntime.__version__),
        "with other providers": (profile.providers, models.providers),
    }
    for what, (measured, have) in here.items():
        if measured != have:
            return f"it was measured {what} ({printable(str(measured))[:80]}, here {str(have)[:80]})"
    if profile.threads > profile.cores:
        return f"it asks for {profile.threads} threads on {profile.cores} cores"
    catalogue = Catalogue(models.directory)
    for task in TASKS:
        pack = catalogue.in_force(models.detector if task == "detector" else models.embedder)
        if profile.packs.get(task) != fingerprint(pack.model(task)):
            return f"it was measured with another {task} than {pack.name} as it is now"
    return None
