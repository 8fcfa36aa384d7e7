"""Faces over time: which face of this frame is whose of the last one.

Association is greedy by overlap. At a door a face is large and moves little between two frames, so
overlap decides; a face that jumps farther than its own width starts a new track, which costs that
person a few frames of evidence and never mixes two people.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from edged.domain.types import Box, Face


@dataclass(frozen=True, slots=True)
class TrackedFace:
    """A face and the number of its track; numbers are never used twice."""

    track_id: int
    face: Face


@dataclass(slots=True)
class _Track:
    box: Box
    seen_at: float


class Tracker:
    """Gives each face its track; ``lost_after_seconds``, settable at any time, without a face ends one."""

    def __init__(self, *, lost_after_seconds: float = 1.0, min_iou: float = 0.2) -> None:
        self.lost_after_seconds = lost_after_seconds
        self._min_iou = min_iou
        self._tracks: dict[int, _Track] = {}
        self._next_id = 1
        self._updated_at = float("-inf")

    @property
    def followed(self) -> list[Box]:
        """Where the faces of all tracks are; empty where one of them has none in the newest picture."""
        if any(track.seen_at < self._updated_at for track in self._tracks.values()):
            return []
        return [track.box for track in self._tracks.values()]

    @property
    def tracking(self) -> bool:
        """Whether any track is open."""
        return bool(self._tracks)

    def update(self, faces: Sequence[Face], at: float) -> list[TrackedFace]:
        """Return the faces with their tracks, nearest (widest) first; ``at`` monotonic seconds."""
        pairs = sorted(
            (
                (track.box.iou(face.box), track_id, index)
                for track_id, track in self._tracks.items()
                for index, face in enumerate(faces)
            ),
            reverse=True,
        )
        self._updated_at = at
        owner: dict[int, int] = {}
        for iou, track_id, index in pairs:
            if iou >= self._min_iou and index not in owner and track_id not in owner.values():
                owner[index] = track_id
        for index, face in enumerate(faces):
            track_id = owner.get(index) or self._new_id()
            owner[index] = track_id
            self._tracks[track_id] = _Track(face.box, at)
        tracked = [TrackedFace(owner[index], face) for index, face in enumerate(faces)]
        return sorted(tracked, key=lambda item: -item.face.box.area)

    def split(self, track_id: int) -> int:
        """Give the face of ``track_id`` a new track: it is somebody else's now. Returns the new number."""
        fresh = self._new_id()
        self._tracks[fresh] = self._tracks.pop(track_id)
        return fresh

    def expire(self, at: float) -> list[int]:
        """Forget and return the tracks that were not seen for ``lost_after_seconds``."""
        lost = [
            number for number, track in self._tracks.items() if at - track.seen_at > self.lost_after_seconds
        ]
        for number in lost:
            del self._tracks[number]
        return lost

    def _new_id(self) -> int:
        number = self._next_id
        self._next_id += 1
        return number
