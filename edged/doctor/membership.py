"""Whether a door of a fleet has what its publisher sent."""

from edged.doctor.finding import Finding, State
from edged.doctor.patient import Patient
from edged.domain.count import counted
from edged.membership.state import FleetState

_DAY = 86_400
# Whoever has to publish again wants a week to notice; root keys have to be fetched out of a safe.
_SOON_DAYS = 7
_KEYS_SOON_DAYS = 30


def membership(patient: Patient) -> Finding:
    """Look whether the door has joined, how old its gallery is, and what it refused last."""
    if not patient.config.fleet.enabled:
        return Finding(State.NOT_APPLICABLE, "no door of a fleet: people are enrolled here")
    member = patient.membership
    state, group = member.store.state(), member.invitation.group
    facts = _facts(state, group, patient.now)
    if state.gallery is None:
        detail = f"joined group {group}, and no gallery came yet: nobody can be let in"
        return Finding(State.WARNING, f"{detail}{_refused(state)}", facts)
    if not member.store.intact(state):
        detail = "the received gallery is damaged: nobody is let in until the broker brings it again"
        return Finding(State.FAILED, detail, facts)
    if state.lapsed or patient.now >= state.gallery.valid_until:
        return Finding(State.FAILED, _past(state, patient), facts)
    people = counted(state.gallery.people, "person", "people")
    told = f"group {group}, gallery {state.gallery.version} of {people}"
    left = (state.gallery.valid_until - patient.now) / _DAY
    worries = []
    if state.expires is not None and patient.now >= state.expires:
        worries.append("the publisher has been silent: `edged fleet renew` at its desk")
    if left < _SOON_DAYS:
        worries.append(f"it ends in {counted(left, 'day')}: `edged fleet publish`")
    keys_left = float("inf") if state.signed_until is None else (state.signed_until - patient.now) / _DAY
    if keys_left < _KEYS_SOON_DAYS:
        worries.append(
            f"what was signed ends in {counted(keys_left, 'day')}: `edged fleet status` at the desk says what"
        )
    if state.refused is not None:
        worries.append(_refused(state).removeprefix("; "))
    if worries:
        return Finding(State.WARNING, f"{told}; {'; '.join(worries)}", facts)
    days = max(0.0, patient.now - state.gallery.applied_at) / _DAY
    age = "today" if days < 1 else f"{counted(days, 'day')} ago"
    return Finding(State.OK, f"{told}, applied {age}, good for {counted(left, 'day')}", facts)


def _past(state: FleetState, patient: Patient) -> str:
    detail = "the gallery is past its last day"
    detail += ": nobody is let in" if patient.config.fleet.on_lapsed == "deny" else ", and serves on"
    ahead = state.seen_at - patient.now
    if ahead > _DAY:
        return (
            f"{detail}. The clock was {counted(ahead / _DAY, 'day')} ahead once, and the door does not "
            "believe it now: if it is right today, stop edged, remove the file `state` in fleet.directory, "
            "start again"
        )
    behind = state.vouched_at - patient.now
    if behind > _DAY:
        late = counted(behind / _DAY, "day")
        return f"{detail}. The clock is {late} behind what the publisher has signed: set it"
    return f"{detail}; `edged fleet publish` at the publisher's desk"


def _refused(state: FleetState) -> str:
    return "" if state.refused is None else f"; what came last was refused: {state.refused}"


def _facts(state: FleetState, group: str, now: float) -> dict[str, object]:
    gallery, denied = state.gallery, state.denied
    return {
        "group": group,
        "version": 0 if gallery is None else gallery.version,
        "people": 0 if gallery is None else gallery.people,
        "deny_list": 0 if denied is None else denied.version,
        "age_seconds": None if gallery is None else round(now - gallery.applied_at),
        "last_day": None if gallery is None else gallery.valid_until,
        "publisher_due": state.expires,
        "signed_until": state.signed_until,
        "lapsed": state.lapsed,
        "refused": state.refused,
    }
