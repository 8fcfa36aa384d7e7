"""In which ways the configured networks could run on this machine."""

from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import msgspec

from edged.config.sections import ModelsConfig
from edged.errors import ModelError
from edged.vision.choice import Weights, running_precision, usable_precisions, wanted_precision
from edged.vision.compiled import find_compiled
from edged.vision.detector import FaceDetector
from edged.vision.embedder import FaceEmbedder
from edged.vision.packs import Catalogue, ModelSpec, Pack, Precision, Task
from edged.vision.profile import cores
from edged.vision.session import OrtSession, PixelSession
from edged.vision.tensors import AnySession
from edged.vision.threads import MOST_THREADS


@dataclass(frozen=True, slots=True)
class Setting:
    """One way: the detector's pack, what runs of both packs, and how."""

    detector: str
    detector_precision: Precision
    embedder_precision: Precision
    threads: int
    spinning: bool = False
    compiled: bool = False


class Workshop:
    """Opens the configured networks in any ``Setting``; a session that two of them share is opened once.

    ``measured`` are the SHA-256s by task that the door was calibrated with: no other files stand for those.
    """

    def __init__(self, models: ModelsConfig, measured: Weights | None = None) -> None:
        self.models = models
        self.measured = measured
        self._catalogue = Catalogue(models.directory)
        self.embedder_pack = self._catalogue.in_force(models.embedder)
        self.embedder_spec = self.embedder_pack.model("embedder")
        self._open = cache(self._opened)

    def detector(self, name: str) -> tuple[Pack, ModelSpec]:
        """Return a detector's pack and its model. Raises ``ModelError``."""
        pack = self._catalogue.in_force(name)
        return pack, pack.model("detector")

    def base(self) -> Setting:
        """Return the way that a door without a profile goes, in one thread."""
        plain = msgspec.structs.replace(self.models, profile="off")
        pack, spec = self.detector(plain.detector)
        precision = running_precision(pack, spec, plain, self.measured)
        own = wanted_precision(self.embedder_pack, self.embedder_spec, plain, self.measured)
        base = Setting(plain.detector, precision, own, 1)
        return replace(base, compiled=plain.compile == "auto" and self.has_compiled(base))

    def precisions(self, task: Task) -> tuple[Precision, ...]:
        """Return the files that may stand for each other, what runs without a profile first."""
        base = self.base()
        if self.measured:
            return (base.detector_precision if task == "detector" else base.embedder_precision,)
        if task == "detector":
            return usable_precisions(*self.detector(base.detector), base.detector_precision)
        return usable_precisions(self.embedder_pack, self.embedder_spec, base.embedder_precision)

    def has_compiled(self, setting: Setting) -> bool:
        """Whether a compiled file of one of the two networks is there."""
        pack, spec = self.detector(setting.detector)
        pairs = [
            (pack, spec, setting.detector_precision),
            (self.embedder_pack, self.embedder_spec, setting.embedder_precision),
        ]
        return any(self._compiled(spec, precision) is not None for _, spec, precision in pairs)

    def other_detectors(self) -> list[str]:
        """Return the installed packs whose detector is of the configured one's family, at another size."""
        _, own = self.detector(self.models.detector)
        found = []
        for pack in self._catalogue.packs():
            specs = pack.specs("detector")
            if len(specs) != 1 or pack.name == self.models.detector or specs[0].decoder != own.decoder:
                continue
            if specs[0].input != own.input and "float32" in pack.present():
                found.append(pack.name)
        return found

    def open_detector(self, setting: Setting) -> FaceDetector:
        """Return the detector as ``setting`` has it. Raises ``ModelError``."""
        _, spec = self.detector(setting.detector)
        session = self._open("detector", setting.detector, setting.detector_precision, _how(setting))
        return FaceDetector(session, spec, threshold=self.models.detection_threshold)

    def open_embedder(self, setting: Setting) -> FaceEmbedder:
        """Return the embedder as ``setting`` has it. Raises ``ModelError``."""
        precision, spec = setting.embedder_precision, self.embedder_spec
        session = self._open("embedder", self.embedder_pack.name, precision, _how(setting))
        return FaceEmbedder(session, spec, space=spec.space_of(precision))

    def _opened(self, task: Task, name: str, precision: Precision, how: tuple[int, bool, bool]) -> AnySession:
        threads, spinning, compiled = how
        pack = self._catalogue.in_force(name)
        spec = pack.model(task)
        path = self._compiled(spec, precision) if compiled else None
        if path is not None:
            return PixelSession(
                path[0], sha256=path[1], threads=threads, providers=self.models.providers,
                input_size=spec.input, spinning=spinning,
            )  # fmt: skip
        return OrtSession(
            pack.file_path(spec, precision), sha256=spec.files[precision].sha256, threads=threads,
            providers=self.models.providers, input_size=spec.input, spinning=spinning,
        )  # fmt: skip

    def _compiled(self, spec: ModelSpec, precision: Precision) -> tuple[Path, str] | None:
        if precision not in spec.files:
            return None
        try:
            found = find_compiled(spec, precision, self.models)
        except ModelError:
            return None  # a door passes over it as well, and says why
        return None if found is None else (found.path, found.record.sha256)


def thread_counts() -> list[int]:
    """Return the numbers of threads that are worth a try here."""
    return list(range(1, min(cores(), MOST_THREADS) + 1))


def settings_to_try(workshop: Workshop) -> list[Setting]:
    """Return the base first, then all that may run in its place, and what is there to compare it with.

    Each file that may stand for another one is tried with every number of threads; spinning, compiled files
    and detectors of another size against the base alone. Raises ``ModelError``.
    """
    base = workshop.base()
    kinds = [base]
    kinds += [replace(base, detector_precision=one) for one in workshop.precisions("detector")[1:]]
    kinds += [replace(base, embedder_precision=one) for one in workshop.precisions("embedder")[1:]]
    found = [replace(kind, threads=threads) for kind in kinds for threads in thread_counts()]
    if len(thread_counts()) > 1:
        found.append(replace(base, threads=2, spinning=True))
    if workshop.has_compiled(base):
        found.append(replace(base, compiled=not base.compiled))
    found += [
        replace(base, detector=name, detector_precision="float32", compiled=False)
        for name in workshop.other_detectors()
    ]
    return list(dict.fromkeys(found))


def _how(setting: Setting) -> tuple[int, bool, bool]:
    return setting.threads, setting.spinning, setting.compiled
