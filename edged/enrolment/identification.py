"""Who is on a photograph: the open-set answer of the gallery, with the door's own threshold."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from edged.domain.analysis import FaceAnalyser
from edged.domain.calibration import Threshold
from edged.domain.gallery import GallerySnapshot
from edged.domain.matching import best_match, limits_for, veto_limit
from edged.domain.people import Person
from edged.domain.types import Face, Image, Match, Quality, Reason
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

    ``person`` is set where the verdict is known, ``refusal`` where the door's rules would keep that person
    outside at this moment; ``nearest`` is who came first in any case. ``quality`` is how good the face is.
    """

    label: str
    verdict: Verdict
    box: tuple[int, int, int, int] | None = None
    match: Match | None = None
    person: Person | None = None
    nearest: Person | None = None
    reason: str | None = None
    text: str = ""
    refusal: Reason | None = None
    quality: Quality | None = None

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
            "would_be_refused": self.refusal and self.refusal.value,
            "nearest_id": self.nearest and self.nearest.person_id,
            "score": match and round(match.score, 4),
            "margin": match and match.second_id and round(match.margin, 4),
            "quality": self.quality and round(self.quality.score, 3),
            "flaw": (self.quality and self.quality.flaw) or None,
            "reason": self.reason,
            "text": self.text,
        }


class Identifier:
    """Matches every face of a photograph. A ``threshold`` without a cosine knows nobody.

    ``refusal`` says why a person may not enter now, None if they may.
    """

    def __init__(
        self,
        pipeline: FaceAnalyser,
        snapshot: GallerySnapshot,
        threshold: Threshold,
        min_margin: float,
        *,
        refusal: Callable[[Person], Reason | None] = lambda _person: None,
    ) -> None:
        self._pipeline = pipeline
        self._snapshot = snapshot
        self._threshold = threshold
        self._min_margin = min_margin
        self._refusal = refusal

    def gap(self) -> str | None:
        """Say how many people cannot be compared, None where all can.

        Raises ``EnrolmentError`` (nobody_to_compare) where nobody can: everybody would seem a stranger.
        """
        if not self._snapshot.people:
            raise EnrolmentError("nobody_to_compare", self._snapshot.gap or "nobody is enrolled")
        return self._snapshot.gap

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
            return Identification(label, Verdict.UNUSABLE, box, reason=reason, text=text, quality=quality)
        match = best_match(self._snapshot, self._pipeline.embed([aligned])[0])
        nearest = self._snapshot.person(match.person_id) if match.person_id else None
        verdict = self._verdict(match)
        person = nearest if verdict is Verdict.KNOWN else None
        refusal = self._refusal(person) if person is not None else None
        return Identification(label, verdict, box, match, person, nearest, refusal=refusal, quality=quality)

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
