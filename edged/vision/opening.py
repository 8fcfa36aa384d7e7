"""From the configuration's names to running models."""

import logging
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from edged.config.sections import ModelsConfig
from edged.errors import ModelError
from edged.vision.choice import Weights, running_precision, running_threads, wanted_precision
from edged.vision.compiled import open_compiled
from edged.vision.detector import FaceDetector
from edged.vision.embedder import FaceEmbedder
from edged.vision.liveness import LivenessEnsemble
from edged.vision.packs import Catalogue, ModelSpec, Pack, Precision
from edged.vision.profile import cores
from edged.vision.session import OrtSession
from edged.vision.tensors import AnySession
from edged.vision.threads import (
    Clock,
    Threads,
    clock,
    detailed_picture,
    least_ms,
    most_threads,
    pick_threads,
    stated_threads,
)

logger = logging.getLogger(__name__)

# What a camera is configured for unless somebody says otherwise.
_FRAME = (640, 480)


@dataclass(frozen=True, slots=True)
class Networks:
    """A detector and an embedder, each with its pack and the SHA-256 of its file; ``threads`` run both."""

    threads: Threads
    detector: tuple[Pack, FaceDetector, str]
    embedder: tuple[Pack, FaceEmbedder, str]


def open_networks(models: ModelsConfig, measured: Weights | None = None, *, now: Clock = clock) -> Networks:
    """Open the configured detector and embedder with as many threads as this machine needs.

    On a board where one is not enough they are opened again with more, up to three times; see ``threads``.
    ``measured``: see ``wanted_precision``. Raises ``ModelError`` naming the command that mends it.
    """
    trial = _Trial(models, measured, now)
    threads = stated_threads(models) or pick_threads(trial.took_ms, most_threads(cores()))
    logger.info("%s", threads.text)
    return trial.networks(threads)


class _Trial:
    """Times a frame with one number of threads after the other, and holds the networks of one at a time."""

    def __init__(self, models: ModelsConfig, measured: Weights | None, now: Clock) -> None:
        self._models, self._measured, self._now = models, measured, now
        self._held: Networks | None = None

    def took_ms(self, count: int) -> float:
        """Return what a frame takes with so many threads. Raises ``ModelError``."""
        networks = self.networks(Threads(count, "tried"))
        frame = detailed_picture(*_FRAME)
        face = detailed_picture(*networks.embedder[0].model("embedder").input)

        def look() -> None:
            networks.detector[1].detect(frame)
            networks.embedder[1].embed([face])

        return least_ms(look, count, self._now)

    def networks(self, threads: Threads) -> Networks:
        """Return the networks with so many threads. Raises ``ModelError``."""
        if self._held is not None and self._held.threads.count == threads.count:
            return replace(self._held, threads=threads)
        self._held = None  # a small board need not hold both
        self._held = _opened(self._models, self._measured, threads)
        return self._held


def _opened(models: ModelsConfig, measured: Weights | None, threads: Threads) -> Networks:
    models = msgspec.structs.replace(models, threads=threads.count)
    return Networks(threads, open_detector(models, measured), open_embedder(models, measured))


def open_detector(models: ModelsConfig, measured: Weights | None = None) -> tuple[Pack, FaceDetector, str]:
    """Open the detector of ``models.detector``; return its pack, it, and the SHA-256 of its file.

    One that comes in a single precision runs in that, whatever is configured: YuNet in int8 is slower
    (4.1 ms to 3.0) and no better. ``measured``: see ``wanted_precision``.
    Raises ``ModelError`` naming the command that mends it.
    """
    pack = Catalogue(models.directory).in_force(models.detector)
    spec = pack.model("detector")
    precision = running_precision(pack, spec, models, measured)
    session = _session(pack, spec, precision, models)
    detector = FaceDetector(session, spec, threshold=models.detection_threshold)
    return pack, detector, spec.files[precision].sha256


def open_embedder(models: ModelsConfig, measured: Weights | None = None) -> tuple[Pack, FaceEmbedder, str]:
    """Open the embedder of ``models.embedder``; return its pack, it, and the SHA-256 of its file.

    ``measured``: see ``wanted_precision``.
    Raises ``ModelError`` naming the command that mends it.
    """
    pack = Catalogue(models.directory).in_force(models.embedder)
    spec = pack.model("embedder")
    precision = wanted_precision(pack, spec, models, measured)
    if precision not in spec.files:
        raise ModelError(
            f"models.precision: pack {pack.name} has no {precision} embedder, only {', '.join(spec.files)}"
        )
    session = _session(pack, spec, precision, models)
    embedder = FaceEmbedder(session, spec, space=spec.space_of(precision))
    return pack, embedder, spec.files[precision].sha256


def open_liveness(models: ModelsConfig, name: str) -> tuple[Pack, LivenessEnsemble, str]:
    """Open all liveness networks of the pack ``name``; return its pack, them, and their SHA-256s joined.

    They run in float32 where the pack has it: together they take less time than one detection, and a
    quantized one would have to be measured on attacks. Raises ``ModelError`` naming the command that
    mends it.
    """
    pack = Catalogue(models.directory).in_force(name)
    specs = pack.specs("liveness")
    if not specs:
        raise ModelError(f"pack {pack.name}: none of its models is for liveness")
    chosen = [(spec, running_precision(pack, spec, models)) for spec in specs]
    members = [(_session(pack, spec, precision, models), spec) for spec, precision in chosen]
    digests = "+".join(spec.files[precision].sha256 for spec, precision in chosen)
    return pack, LivenessEnsemble(members), digests


def _session(pack: Pack, spec: ModelSpec, precision: Precision, models: ModelsConfig) -> AnySession:
    """Open the compiled file that was verified to give the same numbers, or else the pack's own."""
    path = pack.file_path(spec, precision)
    if not path.is_file():
        missing = Catalogue(models.directory).place(pack) / path.name
        raise ModelError(_how_to_install(pack, spec.task, missing))
    compiled = open_compiled(pack, spec, precision, models)
    if compiled is not None:
        return compiled
    return OrtSession(
        path,
        sha256=spec.files[precision].sha256,
        threads=running_threads(models),
        providers=models.providers,
        input_size=spec.input,
    )


def _how_to_install(pack: Pack, task: str, path: Path) -> str:
    pulled = any(file.url for spec in pack.models for file in spec.files.values())
    pull = f"`edged models pull {pack.name}`, or " if pulled else ""
    return (
        f"the {task} of pack {pack.name} is not installed: {path} is missing; "
        f"run {pull}`edged models import DIR` with a folder that holds it"
    )
