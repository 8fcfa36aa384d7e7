"""Whether a track still shows the face that it did.

People pass in front of each other, so overlap alone may hand a track to somebody else, and a picture that
flows into the next one never jumps. Two frames of one face lie above the loosest threshold of the calibration
table; a pair below it is treated as two people.
"""

from collections.abc import Iterable, Sequence
from typing import Protocol, TypeVar

import numpy as np

from edged.domain.calibration import MeasuredPoint
from edged.domain.types import FloatArray


class _Seen(Protocol):
    """A frame's evidence; ``vector`` is unit (D,), None where the face was not embedded."""

    @property
    def vector(self) -> FloatArray | None: ...


# As many as begin the delay at most doors. A stranger is like one of them by chance one time in twenty.
_MOST_JUDGED = 5

_Evidence = TypeVar("_Evidence", bound=_Seen)


def same_face_floor(calibration: Sequence[MeasuredPoint]) -> float:
    """Return the cosine below which two frames are of two people: the table's loosest, 0 without a table."""
    return max((point.fmr, point.threshold) for point in calibration)[1] if calibration else 0.0


def alike(one: FloatArray, other: FloatArray, floor: float) -> bool:
    """Whether two unit vectors (D,) may be of one face; written so that NaN is unlike everything."""
    return bool(np.dot(one, other) >= floor)


def of_one_face(evidence: Iterable[_Evidence], floor: float | None) -> list[_Evidence]:
    """Return what of ``evidence``, in the order of time, is of the newest face: each like every other.

    What has no vector is like nothing. ``floor`` None compares nothing.
    """
    if floor is None:
        return list(evidence)
    kept: list[_Evidence] = []
    for one in reversed(list(evidence)):
        vector = one.vector
        if vector is not None and all(
            other.vector is not None and alike(vector, other.vector, floor) for other in kept
        ):
            kept.append(one)
        elif not kept:
            return []  # the newest, with which all others have to agree
    return kept[::-1]


class TrackFaces:
    """The newest face of each track, and those that were judged in its place. One thread owns it.

    A track that was refused is held to the faces that were judged there, not to its last frame alone: one
    that is unlike all of them is somebody new, however smoothly it came there, and who turns away and back is
    not. Of 9,134 pairs of photographs of one person (lfw-dev), taken years apart, 0.6 % are so unlike with
    arcface-y1 and 3.8 % with starter. Six photographs of each of 191 people, flowing into one another twice,
    were one attempt for 183 and 147 of them, at most two and four for the others, and never a delay.
    """

    def __init__(self) -> None:
        self._newest: dict[int, FloatArray] = {}
        self._judged: dict[int, tuple[FloatArray, ...]] = {}
        self._earlier: dict[int, tuple[FloatArray, ...]] = {}

    def newest(self, track_id: int) -> FloatArray | None:
        """Return the newest vector (D,) of a track, None where there is none."""
        return self._newest.get(track_id)

    def changes(self, track_id: int, vector: FloatArray, floor: float) -> bool:
        """Whether ``vector`` (D,) is unlike the track's last face, or all judged there if one was refused."""
        before, judged = self._newest.get(track_id), self._judged.get(track_id)
        if before is not None and not alike(before, vector, floor):
            return True
        return judged is not None and not any(alike(face, vector, floor) for face in judged)

    def saw(self, track_id: int, vector: FloatArray) -> None:
        """Take in the newest face (D,) of a track."""
        self._newest[track_id] = vector

    def refuse(self, track_id: int) -> None:
        """Take down that a track was refused with its newest face; only the first time counts."""
        face = self._newest.get(track_id)
        if face is not None and track_id not in self._judged:
            self._judged[track_id] = (*self._earlier.pop(track_id, ()), face)[-_MOST_JUDGED:]

    def accept(self, track_id: int) -> None:
        """Take down that the newest face of a track that was refused is a person's who may enter.

        Who was seen badly first may look aside afterwards as anybody may.
        """
        face, judged = self._newest.get(track_id), self._judged.get(track_id)
        if face is not None and judged is not None:
            self._judged[track_id] = (*judged, face)[-_MOST_JUDGED:]

    def succeed(self, track_id: int, heir: int) -> None:
        """Hand on what was judged where a track ends and ``heir`` begins, for when it is refused too."""
        self._earlier[heir] = self._judged.get(track_id) or self._earlier.get(track_id, ())

    def forget(self, track_id: int) -> None:
        """Drop what is known of a track."""
        for known in (self._newest, self._judged, self._earlier):
            known.pop(track_id, None)
