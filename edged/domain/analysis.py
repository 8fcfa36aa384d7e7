"""What recognition and enrolment ask of the models."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from edged.domain.calibration import MeasuredPoint
from edged.domain.liveness import Cue
from edged.domain.types import Face, FloatArray, Image, Quality


class FaceAnalyser(Protocol):
    """Pictures to faces to unit vectors; ``vision.pipeline.FacePipeline`` is the real one."""

    @property
    def space(self) -> str:
        """Name of the embedding space."""
        ...

    @property
    def dimension(self) -> int:
        """Length of an embedding."""
        ...

    @property
    def calibration(self) -> Sequence[MeasuredPoint]:
        """Measured cosines a false match rate; empty where the pack has none."""
        ...

    def detect(self, image: Image) -> list[Face]:
        """Faces of an (H, W, 3) uint8 BGR picture, best score first."""
        ...

    def align(self, image: Image, face: Face) -> Image:
        """Return the face as (112, 112, 3) uint8 BGR."""
        ...

    def assess(self, face: Face, aligned: Image) -> Quality:
        """How usable the face is."""
        ...

    def shortfall(self, quality: Quality) -> str | None:
        """Why the face is not usable, or None."""
        ...

    def embed(self, aligned: Sequence[Image]) -> FloatArray:
        """(N, D) float32 unit rows."""
        ...


class LivenessMeter(Protocol):
    """Looks for signs of life; ``vision.liveness_meter.FaceLiveness`` is the real one."""

    def measure(self, track_id: int, at: float, image: Image, face: Face) -> Mapping[Cue, float]:
        """Return each cue's evidence for life in log-odds; ``at`` monotonic seconds of the frame.

        A cue for which this frame and those before it give no evidence is left out.
        """
        ...

    def forget(self, track_id: int) -> None:
        """Drop what is remembered of a track."""
        ...
