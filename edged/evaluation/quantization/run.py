"""``edged models quantize``: a pack's float32 model to int8, measured, and installed if it is as good."""

import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np

from edged import __version__
from edged.config.sections import ModelsConfig, QualityConfig
from edged.domain.types import FloatArray, Image
from edged.errors import EvaluationError, ModelError
from edged.evaluation.embedding import main_face, read_image
from edged.evaluation.protocols import Labelled, photographs
from edged.evaluation.quantization.detectors import DetectorFigures, compare_detectors, views
from edged.evaluation.quantization.embedders import (
    EmbedderFigures,
    compare_embeddings,
    count_pairs,
    supported_rates,
)
from edged.evaluation.quantization.split import MIN_CALIBRATION_FACES, Split, split_people
from edged.vision.choice import running_threads
from edged.vision.detector import FaceDetector, network_input
from edged.vision.embedder import FaceEmbedder
from edged.vision.packs import Catalogue, ModelSpec, Pack, Task, sha256_of, verify_file
from edged.vision.pipeline import FacePipeline
from edged.vision.quantization import QuantizationReport, quantize
from edged.vision.session import OrtSession
from edged.vision.tensors import to_tensor
from edged.vision.variants import Variant, add_variant

TASKS: tuple[Task, ...] = ("embedder", "detector")
_BATCH = 8
_TIMED_ROUNDS = 30
# Two pictures each; more change a share by less than the half point that is asked for.
_DETECTOR_PHOTOGRAPHS = 1000
# What a descriptor allows, less the 8 digits and the word that follow.
_SPACE_STEM = 48

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Order:
    """What to quantize, with whose photographs (one folder a person), and where the result goes.

    ``models`` names the detector that finds the faces for an embedder. ``out`` replaces the models directory.
    """

    pack: str
    photos: Path
    models: ModelsConfig
    task: Task | None = None
    out: Path | None = None
    force: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of it; ``installed`` is None where ``problems`` speak against it.

    ``calibration_pictures`` were used; ``float32_ms`` and ``int8_ms`` are medians of one run each, taken
    in turns. ``space`` is the embedding space of the int8 file.
    """

    pack: str
    task: Task
    calibration_pictures: int
    quantization: QuantizationReport
    figures: EmbedderFigures | DetectorFigures
    float32_ms: float
    int8_ms: float
    space: str | None
    problems: tuple[str, ...]
    installed: Pack | None


def quantize_pack(catalogue: Catalogue, order: Order, progress: Progress) -> Outcome:
    """Quantize, measure, and add the file to the pack if nothing speaks against it.

    Raises ``ModelError`` for a pack that cannot be quantized and ``EvaluationError`` for photographs
    that cannot be measured on.
    """
    pack = catalogue.find(order.pack)
    spec = _choose(pack, order)
    source = pack.file_path(spec, "float32")
    if not source.is_file():
        missing = catalogue.place(pack) / source.name
        raise ModelError(f"pack {pack.name} is not installed: {missing} is missing; see `edged models info`")
    verify_file(source, spec.files["float32"])
    split = split_people(photographs(order.photos))
    work = _EmbedderWork if spec.task == "embedder" else _DetectorWork
    with tempfile.TemporaryDirectory(prefix="edged-quantize-") as folder:
        target = Path(folder) / "int8.onnx"
        job = work(catalogue, order, spec, split, progress)
        tensors = job.tensors()
        report = quantize(
            source,
            target,
            tensors,
            float_heads=spec.task == "detector",
            progress=lambda done, total: progress("quantizing", done, total),
        )
        figures = job.measure(source, target)
        times = _times([_session(path, spec, order) for path in (source, target)], tensors[0])
        problems = tuple(figures.problems())
        space = _space(spec, figures, target)
        installed = None
        if not problems:
            told = _provenance(spec, report, figures, split)
            variant = Variant(spec.task, "int8", target, told, None if space == spec.space else space)
            installed = add_variant(pack, variant, order.out or catalogue.installed)
    return Outcome(pack.name, spec.task, len(tensors), report, figures, *times, space, problems, installed)


def _choose(pack: Pack, order: Order) -> ModelSpec:
    wanted = TASKS if order.task is None else (order.task,)
    found = [spec for spec in pack.models if spec.task in wanted]
    if len(found) != 1:
        have = ", ".join(spec.task for spec in pack.models)
        raise ModelError(
            f"pack {pack.name} has: {have}; expected one {' or '.join(wanted)} to quantize"
            + (", name it with --task" if found else "")
        )
    spec = found[0]
    if "float32" not in spec.files:
        raise ModelError(f"pack {pack.name}: its {spec.task} has no float32 file to start from")
    if "int8" in spec.files and not order.force:
        raise ModelError(f"pack {pack.name}: its {spec.task} comes in int8 already; --force makes another")
    return spec


@dataclass(frozen=True, slots=True)
class _EmbedderWork:
    catalogue: Catalogue
    order: Order
    spec: ModelSpec
    split: Split
    progress: Progress

    def tensors(self) -> list[FloatArray]:
        """Check that there is enough to measure on before the long work; return the calibration's input."""
        supported_rates(*count_pairs([one.person for one in self.split.measured]))
        faces = [face for _, face in self._faces(self.split.calibration, "calibration")]
        _check_enough(len(faces))
        spec = self.spec
        return [to_tensor([face], channels=spec.channels, mean=spec.mean, scale=spec.scale) for face in faces]

    def measure(self, source: Path, target: Path) -> EmbedderFigures:
        embedders = [
            FaceEmbedder(_session(path, self.spec, self.order), self.spec) for path in (source, target)
        ]
        vectors: list[list[FloatArray]] = [[], []]
        people: list[str] = []
        waiting: list[Image] = []

        def flush() -> None:
            for embedder, rows in zip(embedders, vectors, strict=True):
                rows.append(embedder.embed(waiting))
            waiting.clear()

        for person, face in self._faces(self.split.measured, "measuring"):
            people.append(person)
            waiting.append(face)
            if len(waiting) == _BATCH:
                flush()
        flush()
        float32, int8 = (np.concatenate(rows) for rows in vectors)
        return compare_embeddings(float32, int8, people)

    def _faces(self, listed: Sequence[Labelled], what: str) -> Iterator[tuple[str, Image]]:
        pipeline = self._pipeline()
        for done, (one, image) in enumerate(_pictures(self.order.photos, listed), start=1):
            face = main_face(pipeline.detect(image), image)
            if face is not None:
                yield one.person, pipeline.align(image, face)
            self.progress(what, done, len(listed))

    def _pipeline(self) -> FacePipeline:
        changes = {
            "directory": self.catalogue.installed,
            "embedder": self.order.pack,
            "precision": "float32",
        }
        return FacePipeline.load(msgspec.structs.replace(self.order.models, **changes), QualityConfig())


@dataclass(frozen=True, slots=True)
class _DetectorWork:
    catalogue: Catalogue
    order: Order
    spec: ModelSpec
    split: Split
    progress: Progress

    def tensors(self) -> list[FloatArray]:
        # Every second one a far face, so that ranges and measurement are of the same kind.
        chosen = [
            views(image)[index % 2]
            for index, (_, image) in enumerate(_pictures(self.order.photos, self.split.calibration))
        ]
        _check_enough(len(chosen))
        return [network_input(image, self.spec) for image in chosen]

    def measure(self, source: Path, target: Path) -> DetectorFigures:
        threshold = self.order.models.detection_threshold
        float32, int8 = (
            FaceDetector(_session(path, self.spec, self.order), self.spec, threshold=threshold)
            for path in (source, target)
        )
        return compare_detectors(float32.detect, int8.detect, self._views())

    def _views(self) -> Iterator[Image]:
        listed = self.split.measured[:_DETECTOR_PHOTOGRAPHS]
        for done, (_, image) in enumerate(_pictures(self.order.photos, listed), start=1):
            yield from views(image)
            self.progress("measuring", done, len(listed))


def _pictures(directory: Path, listed: Sequence[Labelled]) -> Iterator[tuple[Labelled, Image]]:
    for one in listed:
        yield one, read_image(directory / one.image)


def _check_enough(pictures: int) -> None:
    if pictures < MIN_CALIBRATION_FACES:
        raise EvaluationError(
            f"too few faces to calibrate with: {pictures}, expected at least {MIN_CALIBRATION_FACES} (fewer "
            "leave out what doors will see); a quarter of the people calibrate, so give four times as many"
        )


def _session(path: Path, spec: ModelSpec, order: Order) -> OrtSession:
    """Open a file in onnxruntime's own kernels: those are what the daemon runs int8 with."""
    return OrtSession(
        path,
        sha256=None,
        threads=running_threads(order.models),
        providers=("CPUExecutionProvider",),
        input_size=spec.input,
    )


def _times(sessions: Sequence[OrtSession], tensor: FloatArray) -> tuple[float, float]:
    """Return the median milliseconds of each of two sessions, run in turns on a machine that may be busy."""
    taken: list[list[float]] = [[], []]
    for _ in range(_TIMED_ROUNDS):
        for session, times in zip(sessions, taken, strict=True):
            started = time.perf_counter()
            session.run(tensor)
            times.append(time.perf_counter() - started)
    first, second = (float(np.median(times)) * 1000 for times in taken)
    return first, second


def _space(spec: ModelSpec, figures: EmbedderFigures | DetectorFigures, target: Path) -> str | None:
    """Return the space of the int8 vectors: float32's where one threshold serves both."""
    if isinstance(figures, DetectorFigures) or figures.one_space or spec.space is None:
        return spec.space
    return f"{spec.space[:_SPACE_STEM]}.int8.{sha256_of(target)[:8]}"


def _provenance(
    spec: ModelSpec, report: QuantizationReport, figures: EmbedderFigures | DetectorFigures, split: Split
) -> str:
    people = len({one.person for one in split.calibration})
    made = (
        f"int8 of the {spec.task}: equalized across channels and statically quantized (QDQ, U8S8, a scale "
        f"per channel) by edged {__version__} with {report.samples} pictures of {people} people. "
    )
    if isinstance(figures, DetectorFigures):
        return made + (
            f"On {figures.pictures} pictures of others it finds a face in {figures.int8_found:.1%} (float32 "
            f"{figures.float32_found:.1%}), landmarks {figures.landmark_shift:.3f} eye distances apart."
        )
    before, after = figures.float32[-1], figures.int8[-1]
    return made + (
        f"On {figures.photographs} photographs of {figures.people} others: FNMR {after.fnmr:.2%} at FMR "
        f"{after.fmr:g} (float32 {before.fnmr:.2%}), scores correlate by {figures.correlation:.4f}, "
        f"thresholds within {figures.shift:.4f}."
    )
