"""A decision in plain words, for the operator who asks why."""

from collections.abc import Mapping

from edged.domain.challenge import Gesture
from edged.domain.types import EventKind, Gate, Reason, StoredEvent

REASONS: Mapping[str, str] = {
    Reason.MATCHED: "The face is an enrolled person's, surely enough and often enough.",
    Reason.COLLECTING: "Too few pictures had been seen to decide.",
    Reason.UNKNOWN: "The face is not close enough to anybody who is enrolled.",
    Reason.AMBIGUOUS: "Two enrolled people are about equally close to the face.",
    Reason.VETOED: "The face is like one that was taken for this person before and is not theirs.",
    Reason.LOW_QUALITY: "The face was too small, blurred, dark, bright or turned away to be compared.",
    Reason.NOT_LIVE: "The face was not shown to be a living one.",
    Reason.CHALLENGE_UNANSWERED: "The gesture that was asked for was not made in time.",
    Reason.CHALLENGE_WRONG: "Another gesture was made than the one that was asked for, or it was made "
    "before it could have been read.",
    Reason.CHALLENGE_BROKEN: "The face became another one while a gesture was asked for, or time ran "
    "backwards.",
    Reason.CHALLENGE_BLOCKED: "A gesture was missed a moment ago; for some seconds the person is not asked "
    "again.",
    Reason.DISABLED: "The person is disabled, or outside the time of their validity or consent.",
    Reason.OUTSIDE_SCHEDULE: "No group of the person may enter at this time.",
    Reason.COOLING_DOWN: "The person was let in a moment ago and has not gone from view since.",
    Reason.STALE: "The pictures were too old to act on.",
    Reason.DISARMED: "Recognition may not open this door: it is not armed, or has no threshold to go "
    "by. Where a person is named, all else was right: an armed door would have opened.",
    Reason.STORE_FAILED: "The visit could not be recorded, and the door is set to deny then.",
    Reason.DOOR_REFUSED: "All was right, but the door took no grant: it is being shut, is busy, or the "
    "pictures had become too old.",
}
GESTURES: Mapping[str, str] = {
    Gesture.LOOK_AHEAD: "look at the camera",
    Gesture.TURN_LEFT: "turn your head slowly to your left",
    Gesture.TURN_RIGHT: "turn your head slowly to your right",
}
GATES: Mapping[str, str] = {
    "freshness": "age of the picture in seconds; at most the limit",
    "quality": "how usable the face is, 0 to 1; the quality section sets the floor",
    "liveness": "how likely the visit is alive, 0 to 1; at least the limit, if it is one",
    "threshold": "whether there is a threshold to go by; the value is the one in force",
    "armed": "whether a match may open the door",
    "score": "cosine to the nearest enrolled person; at least the limit",
    "margin": "distance to the second nearest person; at least the limit",
    "lookalike": "cosine to the most alike other person, who raises the limits of score and margin",
    "veto": "cosine to a face that was taken for the person and is not theirs; below score less margin",
    "agreement": "recent pictures that agree on the person; at least the limit",
    "person": "validity and schedule of the person",
    "cooldown": "seconds since the person was last let in; at least the limit, and out of view in between",
    "challenge": "how the gestures stood that were asked for",
    "door": "whether the lock's owner takes a grant now",
    "journal": "whether the visit could be recorded first",
}


def reason_text(stored: StoredEvent) -> str:
    """Return why an access event ended as it did; empty for other kinds of event."""
    if stored.event.kind is not EventKind.ACCESS:
        return ""
    reason = str(stored.event.body.get("reason"))
    return REASONS.get(reason, f"The reason is recorded as {reason!r}.")


def gate_text(gate: Gate) -> str:
    """Return what a gate checks; empty for one that this version does not know."""
    return GATES.get(gate.name, "")
