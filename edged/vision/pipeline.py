"""What recognition, enrolment and evaluation share: pictures to faces to vectors."""

from collections.abc import Mapping, Sequence

import cv2
import msgspec

from edged.config.sections import ModelsConfig, QualityConfig
from edged.domain.region_search import RegionPlan
from edged.domain.types import Face, FloatArray, Image, Quality
from edged.vision import alignment
from edged.vision.choice import Weights
from edged.vision.detector import FaceDetector
from edged.vision.embedder import FaceEmbedder
from edged.vision.opening import open_networks
from edged.vision.packs import STANDARD_LANDMARKS, CalibrationPoint
from edged.vision.quality import assess, shortfall
from edged.vision.threads import Threads
from edged.vision.tracked_search import TrackedSearch


class FacePipeline:
    """A detector and an embedder with the template that joins them.

    ``weights`` are the SHA-256 of the files by task, ``restrictions`` the licences that forbid commercial
    use by pack, ``threads`` how many the networks run with.

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
        weights: Mapping[str, str] | None = None,
        restrictions: Mapping[str, str] | None = None,
        threads: Threads,
    ) -> None:
        self.threads = threads
        self.detector_name = detector_name
        self.embedder_name = embedder_name
        self.weights = dict(weights or {})
        self.restrictions = dict(restrictions or {})
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
    def load(
        cls, models: ModelsConfig, quality: QualityConfig, measured: Weights | None = None
    ) -> "FacePipeline":
        """Open the configured packs; ``measured`` are the weights that this door was calibrated with.

        Raises ``ModelError`` naming the command that mends it.
        """
        # Pictures this small gain nothing from OpenCV's threads, which would compete with inference.
        cv2.setNumThreads(1)
        networks = open_networks(models, measured)
        detectors, detector, detector_sha256 = networks.detector
        embedders, embedder, embedder_sha256 = networks.embedder
        embedding = embedders.model("embedder")
        return cls(
            detector,
            embedder,
            template=embedding.template_for(detector.landmarks),
            quality=quality,
            standard_template=embedding.template_for(STANDARD_LANDMARKS),
            # A table holds for the space that it was measured in, not for a file with one of its own.
            calibration=embedding.calibration if embedder.space == embedding.space else (),
            detector_name=detectors.name,
            embedder_name=embedders.name,
            weights={"detector": detector_sha256, "embedder": embedder_sha256},
            restrictions={pack.name: pack.licence for pack in (detectors, embedders) if not pack.commercial},
            threads=networks.threads,
        )

    def threaded(self, models: ModelsConfig) -> ModelsConfig:
        """Return ``models`` with the number of threads that this pipeline's networks run with."""
        return msgspec.structs.replace(models, threads=self.threads.count)

    def shown_of(self, image_size: tuple[int, int]) -> tuple[int, int]:
        """Return the width and height of what the detector's network is shown of such a picture."""
        return self._detector.shown_of(image_size)

    def detect(self, image: Image) -> list[Face]:
        """Return the faces of ``image`` (H, W, 3) uint8 BGR in its own pixels, best score first."""
        return self._detector.detect(image)

    def search(self, whole_every: int) -> TrackedSearch:
        """Return the search of pictures that follow each other, every ``whole_every``-th as a whole."""
        part = self._detector.at_half_size() if whole_every > 1 else None
        side = 1 if part is None else min(part.input_size)
        return TrackedSearch(self._detector, part, RegionPlan(whole_every, side))

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
