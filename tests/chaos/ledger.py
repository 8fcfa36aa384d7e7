"""What was recorded against what arrived: nothing missing, nothing invented, in order."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

Place = tuple[str, int]  # epoch and seq


@dataclass(frozen=True, slots=True)
class Arrival:
    """One event at the collector."""

    place: Place
    event_id: str


@dataclass(frozen=True, slots=True)
class Balance:
    """``lost``: acknowledged or recorded, and not arrived. ``duplicated``: arrivals after the first."""

    recorded: int
    lost: int
    duplicated: int
    breaches: tuple[str, ...]


def balance(journal: dict[Place, str], acknowledged: Iterable[str], arrivals: Sequence[Arrival]) -> Balance:
    """Hold the three against each other; ``journal`` maps a place to its event id."""
    first: dict[Place, str] = {}
    breaches = []
    for arrival in arrivals:
        known = first.setdefault(arrival.place, arrival.event_id)
        if known != arrival.event_id:
            breaches.append(f"{arrival.place[1]} arrived under two ids")
    known_ids = set(journal.values())
    forgotten = set(acknowledged) - known_ids
    missing = journal.keys() - first.keys()
    invented = [place for place, event_id in first.items() if journal.get(place) != event_id]
    if invented:
        breaches.append(f"{len(invented)} arrived that the journal does not hold")
    if len(set(first.values())) != len(first):
        breaches.append("one id at two places")
    for epoch in {place[0] for place in first}:
        seqs = [seq for place_epoch, seq in first if place_epoch == epoch]
        if seqs != sorted(seqs):
            breaches.append("first arrivals out of order")
    lost = len(forgotten) + len(missing)
    if lost:
        breaches.append(f"{lost} lost")
    return Balance(len(journal), lost, len(arrivals) - len(first), tuple(breaches))
