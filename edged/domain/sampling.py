"""Which of a track's pictures are worth an embedding.

Every usable face is, until the decision's window is full of them; then those about as good as the best of
late. Once a visit is decided a look now and then is enough to notice that somebody else stands there, and
one at once where the track was interrupted, or its face moved far or came out clearly better than before.
"""

from collections import deque
from dataclasses import dataclass, field

from edged.domain.decision_policy import DecisionPolicy
from edged.domain.types import Box, Decision, Outcome, Reason

# Of a decided track; so long a second person may go unnoticed, who has no evidence of their own then.
_LOOK_SECONDS = 0.4
# Of the time after which a person counts as gone: two looks may fail before one who stays seems to return.
_LOOKS_AN_ABSENCE = 2.5
# Below this overlap from one frame to the next the track may have changed hands.
_SAME_PLACE_IOU = 0.5
# Quality is noisy by some hundredths from frame to frame of a face that keeps still.
_NEAR_BEST = 0.9
_CLEARLY_BETTER = 0.1
# What a face that matches by itself may still fail, and more like it mend.
_GATHERING = ("agreement", "mean_score", "mean_veto", "mean_margin")
# A disarmed door names whom an armed one would have let in.
_LET_IN = (Reason.MATCHED, Reason.DISARMED)


@dataclass(frozen=True, slots=True)
class Glimpse:
    """A face before it is embedded: ``frame`` counts the frames that were searched, ``at`` monotonic seconds.

    ``quality`` 0..1; ``usable`` tells whether it meets the limits, an unusable one is never embedded.
    """

    frame: int
    at: float
    box: Box
    quality: float
    usable: bool


@dataclass(slots=True)
class _Track:
    last: Glimpse | None = None
    embedded: deque[Glimpse] = field(default_factory=deque)
    told_at: float = float("-inf")
    burst: int = 0
    decided: bool = False
    granted: bool = False


class FrameSampler:
    """Says of each face whether to look at it closely. Forgetting a track is its owner's business."""

    def __init__(self) -> None:
        self._tracks: dict[int, _Track] = {}

    def wanted(self, track_id: int, seen: Glimpse, policy: DecisionPolicy) -> bool:
        """Tell whether this face is to be embedded, or, where it is not usable, to be told of at all.

        Every face of every track must be asked about, in the order of time.
        """
        track = self._tracks.setdefault(track_id, _Track())
        before, track.last = track.last, seen
        while track.embedded and seen.at - track.embedded[0].at > policy.evidence_seconds:
            track.embedded.popleft()
        pause = min(_LOOK_SECONDS, policy.absence_seconds / _LOOKS_AN_ABSENCE)
        if not seen.usable:
            return not track.decided or seen.at - track.told_at >= pause
        if _disturbed(before, seen) or _better(track, seen):
            track.burst = 0
            return True
        if not track.embedded or seen.at - track.embedded[-1].at >= pause:
            return True
        if track.granted:
            return False
        if track.burst < policy.window_frames:
            return True
        best = max(one.quality for one in track.embedded)
        return not track.decided and (
            len(track.embedded) < policy.window_frames or seen.quality >= _NEAR_BEST * best
        )

    def looked(self, track_id: int, seen: Glimpse) -> None:
        """Take down that the face was looked at; ``track_id`` is the track it turned out to be of."""
        track = self._tracks.setdefault(track_id, _Track(last=seen))
        track.told_at = seen.at
        if seen.usable:
            track.embedded.append(seen)
            track.burst += 1

    def follow(self, decision: Decision, *, refused: bool = False) -> None:
        """Take down what the engine said of a look; ``refused`` is a grant that opened nothing.

        A track that is not shown to be alive stays under watch: signs of life take many frames.
        """
        track = self._tracks.get(decision.track_id)
        if track is None:
            return
        if refused:
            track.decided, track.granted, track.burst = False, False, 0
        elif decision.outcome is not Outcome.WAIT and decision.reason is not Reason.NOT_LIVE:
            track.decided = True
            track.granted = track.granted or (decision.reason in _LET_IN and decision.person_id is not None)
        elif decision.trace and decision.trace[-1].name in _GATHERING and not decision.trace[-1].passed:
            track.burst = 0  # the newest face matched by itself: more of them may do

    def forget(self, track_id: int) -> None:
        """Drop what is known of a track."""
        self._tracks.pop(track_id, None)


def _disturbed(before: Glimpse | None, seen: Glimpse) -> bool:
    """Whether the track was without a face in between, or the face moved far."""
    return before is None or seen.frame > before.frame + 1 or before.box.iou(seen.box) < _SAME_PLACE_IOU


def _better(track: _Track, seen: Glimpse) -> bool:
    """Whether the face shows clearly more than those of late did."""
    return all(seen.quality >= one.quality + _CLEARLY_BETTER for one in track.embedded)
