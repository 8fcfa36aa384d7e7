"""A decision in plain words, for the operator who asks why."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from edged.domain.challenge import Gesture
from edged.domain.second_factor import FactorCause, FactorOutcome
from edged.domain.types import Event, EventKind, Gate, Reason, StoredEvent

REASONS: Mapping[str, str] = {
    Reason.MATCHED: "The face is an enrolled person's, surely enough and often enough.",
    Reason.COLLECTING: "Too few pictures had been seen to decide.",
    Reason.UNKNOWN: "The face is not close enough to anybody who is enrolled.",
    Reason.AMBIGUOUS: "Two enrolled people are about equally close to the face.",
    Reason.VETOED: "In this visit the face came close to one that was taken for this person before and is "
    "not theirs.",
    Reason.LOW_QUALITY: "The face was too small, blurred, dark, bright or turned away to be compared.",
    Reason.NOT_LIVE: "The face was not shown to be a living one.",
    Reason.CHALLENGE_UNANSWERED: "The person was recognised and asked to turn the head, and did not in time.",
    Reason.CHALLENGE_WRONG: "The person was recognised, but turned the other way than asked, or too soon.",
    Reason.CHALLENGE_BROKEN: "While the gesture was awaited the face became another, or time ran backwards.",
    Reason.CHALLENGE_BLOCKED: "The person failed to answer with a gesture a moment ago and has to wait.",
    Reason.DISABLED: "The person is disabled, or outside the time of their validity or consent.",
    Reason.OUTSIDE_SCHEDULE: "No group of the person may enter at this time.",
    Reason.COOLING_DOWN: "The person was let in, or asked for a second factor, a moment ago and has not gone "
    "from view since.",
    Reason.TOO_MANY_ATTEMPTS: "All was right, but others had been refused so often that nobody is let in "
    "for a moment.",
    Reason.STALE: "The pictures were too old to act on.",
    Reason.DISARMED: "Recognition may not open this door: it is not armed, or has no threshold to go "
    "by. Where a person is named, all else was right: an armed door would have opened, or asked for more "
    "first.",
    Reason.STORE_FAILED: "The visit could not be recorded, and the door is set to deny then.",
    Reason.DOOR_REFUSED: "All was right, but the door took no grant: it is being shut, is busy, or the "
    "pictures had become too old.",
    Reason.NO_SECOND_FACTOR: "The face alone was not enough, and the person has no PIN or badge that "
    "counts here.",
    Reason.SECOND_FACTOR_UNANSWERED: "The face alone was not enough; a PIN or badge was asked for and not "
    "given in time.",
    Reason.SECOND_FACTOR_WRONG: "The face alone was not enough, and the PIN or badge was wrong too often.",
    Reason.SECOND_FACTOR_LOCKED_OUT: "The face alone was not enough, and after too many wrong answers none "
    "is taken for a while.",
    Reason.SECOND_FACTOR_FAILED: "The face alone was not enough, and a PIN or badge could not be asked for "
    "or checked.",
}
CAUSES: Mapping[str, str] = {
    FactorCause.RISK: "the calibration does not carry the stated risk for so many people",
    FactorCause.LIVENESS: "it was not sure that the face is a living one",
    FactorCause.LOOKALIKE: "somebody who is enrolled resembles the person",
    FactorCause.ALWAYS: "this door asks everybody",
}
GESTURES: Mapping[str, str] = {
    Gesture.LOOK_AHEAD: "look into the camera",
    Gesture.TURN_LEFT: "turn your head to your left",
    Gesture.TURN_RIGHT: "turn your head to your right",
}
GATES: Mapping[str, str] = {
    "freshness": "age of the picture in seconds; at most the limit",
    "nearest": "cosine to the enrolled person whom the face is most like, let in or not",
    "second": "cosine to the second person",
    "flaw": "what makes the face least usable, or which limit of the quality section it misses",
    "quality": "the share of its likeness that such a picture keeps; a limit that is missed fails it",
    "liveness": "how likely the visit is alive, 0 to 1; at least the limit, if it is one",
    "threshold": "whether there is a threshold to go by; the value is the one in force",
    "armed": "whether a match may open the door (decision.armed)",
    "score": "cosine to the nearest enrolled person; at least the limit",
    "margin": "distance to the second nearest person; at least the limit",
    "lookalike": "how like the most alike other person is; may raise the limits of score and margin",
    "veto": "cosine to a face that was taken for the person and is not theirs; below score less margin",
    "visit_veto": "whether a picture of this visit was vetoed for the person; then none of it lets them in",
    "agreement": "recent pictures that agree on the person; at least the limit",
    "mean_score": "cosine of the mean of the recent pictures to the person; at least the limit",
    "mean_veto": "cosine of that mean to a face that was taken for the person; below its score less margin",
    "mean_margin": "distance of that mean to the nearest other person; at least the limit",
    "person": "validity and schedule of the person",
    "challenge": "how the gesture that was asked for stands",
    "cooldown": "seconds since the person was last let in; at least the limit, and out of view in between",
    "attempts": "seconds for which nobody is let in after too many refused attempts",
    "door": "whether the lock's owner takes a grant now",
    "second_factor": "how asking for a PIN or badge ended, and why it was asked",
    "journal": "whether the visit could be recorded first",
}


# What stands in a trace to be known, and was never held against a limit.
FACTS = frozenset({"nearest", "second", "flaw", "lookalike"})


@dataclass(frozen=True, slots=True)
class Candidate:
    """An enrolled person whom a face came near, ``score`` the cosine.

    ``value`` is that of the best person and the margin of the second; ``limit`` what it had to reach, None
    where it was not held against one.
    """

    person_id: str
    score: float
    value: float
    limit: float | None


def candidates_of(trace: Sequence[Gate]) -> tuple[Candidate, ...]:
    """Return the best and the second person of a decision; fewer where fewer were compared or recorded."""
    found = {gate.name: gate for gate in trace}
    scores = [(name, _number(found, name)) for name in ("nearest", "second") if name in found]
    limits = {"nearest": _limit(found, "score"), "second": _limit(found, "margin")}
    told: list[Candidate] = []
    for name, score in scores:
        who = found[name].who
        if who is not None and score is not None:
            value = told[0].score - score if told else score
            told.append(Candidate(who, score, value, limits[name]))
    return tuple(told)


def candidates_text(trace: Sequence[Gate], names: Mapping[str, str]) -> str:
    """Say whom the face was most like, and whom next; empty where nobody is recorded."""
    told = [
        f"{place} {named(one.person_id, names)}: {what} {one.value:.3f}"
        + ("" if one.limit is None else f", needs {one.limit:.3f}")
        for place, what, one in zip(
            ("Nearest:", "Second:"), ("score", "margin"), candidates_of(trace), strict=False
        )
    ]
    return ". ".join(told) + "." if told else ""


def named(person_id: str, names: Mapping[str, str]) -> str:
    """Return name and id of a person, the id alone where the name is not known."""
    return f"{names[person_id]} ({person_id})" if person_id in names else person_id


def _number(found: Mapping[str, Gate], name: str) -> float | None:
    value = found[name].value
    return float(value) if isinstance(value, int | float) else None


def _limit(found: Mapping[str, Gate], name: str) -> float | None:
    limit = found[name].limit if name in found else None
    return float(limit) if isinstance(limit, int | float) else None


def reason_text(stored: StoredEvent) -> str:
    """Return why an access event ended as it did; empty for other kinds of event."""
    if stored.event.kind is not EventKind.ACCESS:
        return ""
    reason = str(stored.event.body.get("reason"))
    text = REASONS.get(reason, f"The reason is recorded as {reason!r}.")
    gesture = "An armed door would have asked for a gesture." if challenge_foreseen(stored.event) else ""
    return " ".join(filter(None, (text, gesture, _factor_text(stored.event.body))))


def challenge_foreseen(event: Event) -> bool:
    """Whether a door that was not armed left out a challenge."""
    return any(gate.name == "challenge" and gate.value == "not_asked" for gate in event.trace)


def _factor_text(body: Mapping[str, Any]) -> str:
    """Return what the second factor had to do with it; empty where none was asked for."""
    cause, outcome = body.get("second_factor"), body.get("factor_outcome")
    if cause is None:
        return ""
    why = CAUSES.get(str(cause), f"the cause is recorded as {cause!r}")
    if outcome is None:
        who = "An armed door" if body.get("reason") == Reason.DISARMED else "Else the door"
        return f"{who} would have asked for a second factor: {why}."
    wrong = f" after {body['factor_wrong']} wrong" if body.get("factor_wrong") else ""
    if outcome == FactorOutcome.MISSING:
        return f"A second factor was needed: {why}."
    given = f" by {body['factor_kind']} over {body['factor_source']}" if body.get("factor_kind") else ""
    return f"A second factor was asked for ({why}): {str(outcome).replace('_', ' ')}{given}{wrong}."


def gate_text(gate: Gate) -> str:
    """Return what a gate checks; empty for one that this version does not know."""
    return GATES.get(gate.name, "")
