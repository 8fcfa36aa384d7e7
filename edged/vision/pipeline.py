"""What recognition, enrolment and evaluation share: pictures to faces to vectors."""

from collections.abc import Sequence
from pathlib import Path

import cv2

from edged.config.sections import ModelsConfig, QualityConfig
from edged.domain.types import Face, FloatArray, Image, Quality
from edged.errors import ModelError
from edged.vision import alignment
from edged.vision.detector import FaceDetector
from edged.vision.embedder import FaceEmbedder
from edged.vision.packs import (
    STANDARD_LANDMARKS,
    CalibrationPoint,
    Catalogue,
    ModelSpec,
    Pack,
    Precision,
    Task,
)
from edged.vision.quality import assess, shortfall
from edged.vision.session import OrtSession


class FacePipeline:
    """A detector and an embedder with the template that joins them.

    Not for several threads at once. ``calibration`` is the embedder's table, empty where its pack has
    none. ``template`` (5, 2) fits this detector, ``standard_template`` is the embedder's own.
    """

    def __init__(
        self,
        detector: FaceDetector,
        embedder: FaceEmbedder,
        *,
        template: FloatArray,
        quality: QualityConfig,
        standard_template: FloatArray | None = None,
        calibration: tuple[CalibrationPoint, ...] = (),
        detector_name: str = "detector",
        embedder_name: str = "embedder",
    ) -> None:
        self.detector_name = detector_name
        self.embedder_name = embedder_name
        self.calibration = calibration
        self.template = template
        self.standard_template = template if standard_template is None else standard_template
        self.landmarks = detector.landmarks
        self.space = embedder.space
        self.dimension = embedder.dimension
        self._detector = detector
        self._embedder = embedder
        self.quality = quality

    @classmethod
    def load(cls, models: ModelsConfig, quality: QualityConfig) -> "FacePipeline":
        """Open the configured packs. Raises ``ModelError`` naming the command that mends it."""
        # Pictures this small gain nothing from OpenCV's threads, which would compete with inference.
        cv2.setNumThreads(1)
        catalogue = Catalogue(models.directory)
        detectors, embedders = catalogue.in_force(models.detector), catalogue.in_force(models.embedder)
        seeing, embedding = detectors.model("detector"), embedders.model("embedder")
        seeing_precision = _detector_precision(seeing, models.precision)
        detector = FaceDetector(
            _open(detectors, seeing, seeing_precision, models), seeing, threshold=models.detection_threshold
        )
        embedder = FaceEmbedder(
            _open(embedders, embedding, models.precision, models),
            embedding,
            space=embedding.space_of(models.precision),
        )
        return cls(
            detector,
            embedder,
            template=embedding.template_for(detector.landmarks),
            quality=quality,
            standard_template=embedding.template_for(STANDARD_LANDMARKS),
            calibration=embedding.calibration,
            detector_name=detectors.name,
            embedder_name=embedders.name,
        )

    def detect(self, image: Image) -> list[Face]:
        """Return the faces of ``image`` (H, W, 3) uint8 BGR in its own pixels, best score first."""
        return self._detector.detect(image)

    def align(self, image: Image, face: Face) -> Image:
        """Return the (112, 112, 3) uint8 BGR aligned face."""
        return alignment.align(image, face.landmarks, self.template)

    def assess(self, face: Face, aligned: Image) -> Quality:
        """Measure how usable ``face`` is."""
        return assess(face, aligned, self.quality, template=self.template)

    def shortfall(self, quality: Quality) -> str | None:
        """Name what is not good enough about a face, or None."""
        return shortfall(quality, self.quality)

    def embed(self, faces: Sequence[Image]) -> FloatArray:
        """Return (N, D) float32 unit rows for N aligned faces."""
        return self._embedder.embed(faces)


def _detector_precision(spec: ModelSpec, wanted: Precision) -> Precision:
    """Detectors often come in float32 alone: YuNet in int8 is slower (4.1 ms to 3.0) and no better."""
    return wanted if wanted in spec.files or "float32" not in spec.files else "float32"


def _open(pack: Pack, spec: ModelSpec, precision: Precision, models: ModelsConfig) -> OrtSession:
    path = pack.file_path(spec, precision)
    if not path.is_file():
        raise ModelError(_how_to_install(pack, spec.task, path))
    return OrtSession(
        path,
        sha256=spec.files[precision].sha256,
        threads=models.threads,
        providers=models.providers,
        input_size=spec.input,
    )


def _how_to_install(pack: Pack, task: Task, path: Path) -> str:
    pulled = any(file.url for spec in pack.models for file in spec.files.values())
    pull = f"`edged models pull {pack.name}`, or " if pulled else ""
    return (
        f"the {task} of pack {pack.name} is not installed: {path} is missing; "
        f"run {pull}`edged models import DIR` with a folder that holds it"
    )
