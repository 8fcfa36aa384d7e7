"""One photograph: from its source to a template's vector, or to the reason why not."""

import math
from collections.abc import Callable
from dataclasses import dataclass

from edged.domain.analysis import FaceAnalyser
from edged.domain.types import Face, FloatArray, Quality
from edged.enrolment.ports import PhotoSource
from edged.errors import EnrolmentError

# In 222 of 1,191 photographs of lfw-dev there are several faces. The widest belongs to the person in
# all 168 where it is 1.3 times as wide as the next, and to somebody else in 4 of the others.
DOMINANT_WIDTH_RATIO = 1.5

_SHORTFALLS = {
    "too_small": "the face is too small: {face_px:.0f} px wide, eyes {eye_px:.0f} px apart",
    "blurred": "the face is blurred: sharpness {sharpness:.0f}",
    "too_dark": "the face is too dark: brightness {brightness:.0f} of 255",
    "too_bright": "the face is too bright: brightness {brightness:.0f} of 255",
    "extreme_pose": "the head is turned too far: yaw {yaw:.0f}, pitch {pitch:.0f}, roll {roll:.0f} degrees",
}


# What costs a usable face some of its likeness, by the code in ``Quality.flaw``.
_FLAWS = {
    "too_small": "small",
    "blurred": "a little blurred",
    "too_dark": "dark",
    "too_bright": "very light",
    "extreme_pose": "not seen from the front",
    "covered_eyes": "eyes covered",
    "covered_mouth": "mouth covered",
    "cut_off": "cut off by the edge",
}


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """An accepted photograph: ``vector`` (D,) float32 unit length, ``quality`` 0..1, keyed ``digest``.

    ``flaw`` names what the quality suffers from most, empty where from nothing.
    """

    label: str
    vector: FloatArray
    quality: float
    digest: bytes
    flaw: str = ""


class PhotoCheck:
    """Applies the checks in the order of their cost; nothing of a picture outlives the call.

    ``digest`` is the vault's keyed digest. ``largest_face`` takes the widest of several faces.
    """

    def __init__(
        self, pipeline: FaceAnalyser, digest: Callable[[bytes], bytes], *, largest_face: bool = False
    ) -> None:
        self._pipeline = pipeline
        self._digest = digest
        self._largest_face = largest_face

    def examine(self, source: PhotoSource, holder: Callable[[bytes], str | None]) -> Candidate:
        """Return the candidate of ``source``; ``holder`` names who holds a digest already.

        Raises ``EnrolmentError`` with the reason.
        """
        content = source.content()
        digest = self._digest(content)
        if (owner := holder(digest)) is not None:
            raise EnrolmentError("duplicate_photo", f"this very photograph is {owner}'s already")
        image = source.decode(content)
        del content
        face = self.choose(self._pipeline.detect(image))
        aligned = self._pipeline.align(image, face)
        quality = self._pipeline.assess(face, aligned)
        if (reason := self._pipeline.shortfall(quality)) is not None:
            raise EnrolmentError(reason, shortfall_text(reason, quality))
        vector = self._pipeline.embed([aligned])[0]
        return Candidate(source.label, vector, quality.score, digest, quality.flaw)

    def choose(self, faces: list[Face]) -> Face:
        """Return the face that was meant. Raises ``EnrolmentError``: ``no_face``, ``several_faces``."""
        if not faces:
            raise EnrolmentError("no_face", "no face was found")
        widest, *others = sorted(faces, key=lambda face: -face.box.width)
        limit = widest.box.width / DOMINANT_WIDTH_RATIO
        if others and others[0].box.width > limit and not self._largest_face:
            raise EnrolmentError(
                "several_faces", f"{len(faces)} faces, and none is {DOMINANT_WIDTH_RATIO:g} x wider"
            )
        return widest


def quality_text(quality: float, flaw: str) -> str:
    """Say how good a usable face is, and what it suffers from: "quality 0.93, dark"."""
    # Cut and not rounded, so that only what lost nothing is called 1.
    told = f"quality {math.floor(100 * quality) / 100:.2f}"
    return f"{told}, {_FLAWS.get(flaw, flaw)}" if flaw else told


def shortfall_text(reason: str, quality: Quality) -> str:
    """Say in words what is not good enough; ``reason`` as ``FaceAnalyser.shortfall`` gives it."""
    values = {name: getattr(quality, name) for name in Quality.__slots__}
    return _SHORTFALLS.get(reason, reason).format(**values)
