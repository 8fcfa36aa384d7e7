"""Who is on a photograph: the open-set answer of the gallery, with the door's own threshold."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from edged.domain.analysis import FaceAnalyser
from edged.domain.calibration import Threshold
from edged.domain.gallery import GallerySnapshot
from edged.domain.matching import best_match, limits_for, veto_limit
from edged.domain.people import Person
from edged.domain.types import Face, Image, Match
from edged.enrolment.checks import shortfall_text
from edged.enrolment.ports import PhotoSource
from edged.errors import EnrolmentError


class Verdict(StrEnum):
    """What a face is to the gallery."""

    KNOWN = "known"
    UNKNOWN = "unknown"
    AMBIGUOUS = "ambiguous"
    VETOED = "vetoed"
    UNUSABLE = "unusable"


@dataclass(frozen=True, slots=True)
class Identification:
    """One face of a photograph, or a photograph without any (``match`` None, ``reason`` says why).

    ``person`` is set where the verdict is known; ``nearest`` is who came first in any case.
    """

    label: str
    verdict: Verdict
    box: tuple[int, int, int, int] | None = None
    match: Match | None = None
    person: Person | None = None
    nearest: Person | None = None
    reason: str | None = None
    text: str = ""

    def as_json(self) -> dict[str, Any]:
        """JSON values; the box is x, y, width, height in pixels of the picture as it was analysed."""
        match = self.match
        return {
            "photo": self.label,
            "verdict": self.verdict.value,
            "box": None if self.box is None else list(self.box),
            "person_id": self.person and self.person.person_id,
            "name": self.person and self.person.name,
            "enabled": self.person and self.person.enabled,
            "nearest_id": self.nearest and self.nearest.person_id,
            "score": match and round(match.score, 4),
            "margin": match and match.second_id and round(match.margin, 4),
            "reason": self.reason,
            "text": self.text,
        }


class Identifier:
    """Matches every face of a photograph. A ``threshold`` without a cosine knows nobody."""

    def __init__(
        self, pipeline: FaceAnalyser, snapshot: GallerySnapshot, threshold: Threshold, min_margin: float
    ) -> None:
        self._pipeline = pipeline
        self._snapshot = snapshot
        self._threshold = threshold
        self._min_margin = min_margin

    def identify(self, source: PhotoSource) -> Iterator[Identification]:
        """Yield one answer a face, from left to right, or one that says why there is none."""
        try:
            image = source.decode(source.content())
        except EnrolmentError as exc:
            yield Identification(source.label, Verdict.UNUSABLE, reason=exc.reason, text=str(exc))
            return
        faces = sorted(self._pipeline.detect(image), key=lambda face: face.box.x)
        if not faces:
            yield Identification(source.label, Verdict.UNUSABLE, reason="no_face", text="no face was found")
        for face in faces:
            yield self._answer(source.label, image, face)

    def _answer(self, label: str, image: Image, face: Face) -> Identification:
        box = (round(face.box.x), round(face.box.y), round(face.box.width), round(face.box.height))
        aligned = self._pipeline.align(image, face)
        quality = self._pipeline.assess(face, aligned)
        reason = self._pipeline.shortfall(quality)
        if reason is not None:
            text = shortfall_text(reason, quality)
            return Identification(label, Verdict.UNUSABLE, box, reason=reason, text=text)
        match = best_match(self._snapshot, self._pipeline.embed([aligned])[0])
        nearest = self._snapshot.person(match.person_id) if match.person_id else None
        verdict = self._verdict(match)
        person = nearest if verdict is Verdict.KNOWN else None
        return Identification(label, verdict, box, match, person, nearest)

    def _verdict(self, match: Match) -> Verdict:
        cosine = self._threshold.cosine
        if cosine is None or match.person_id is None:
            return Verdict.UNKNOWN
        limits = limits_for(match.person_id, self._snapshot, cosine, self._min_margin)
        if limits.score is None or match.score < limits.score:
            return Verdict.UNKNOWN
        if match.veto_score is not None and not match.veto_score < veto_limit(match, limits):
            return Verdict.VETOED
        return Verdict.KNOWN if match.margin >= limits.margin else Verdict.AMBIGUOUS
