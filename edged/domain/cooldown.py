"""Who has just been let in, and is not again before they have gone.

A person cools down for a time after a grant, and until they were out of view for a while: whoever stands
before the camera does not open the door over and over.
"""

from edged.domain.types import Gate


class Cooldowns:
    """Of all people. Times are monotonic seconds; one thread owns it."""

    def __init__(self) -> None:
        self._granted_at: dict[str, float] = {}
        self._seen_at: dict[str, float] = {}
        self._rearmed: set[str] = set()
        self._reported: set[str] = set()
        # Of each person the state before the newest grant, and the track that it was on.
        self._before: dict[str, tuple[int, float | None, bool]] = {}

    def seen(self, person_id: str, at: float, absence_seconds: float) -> None:
        """Re-arm a person who had gone from view for ``absence_seconds`` since the last frame."""
        if at - self._seen_at.get(person_id, float("-inf")) >= absence_seconds:
            self._rearmed.add(person_id)
        self._seen_at[person_id] = at

    def gate(self, person_id: str, now: float, cooldown_seconds: float) -> Gate:
        """Return the gate that holds back somebody who was just let in."""
        granted_at = self._granted_at.get(person_id)
        if granted_at is None:
            return Gate("cooldown", None, cooldown_seconds, passed=True)
        elapsed = now - granted_at
        cooled = elapsed >= cooldown_seconds and person_id in self._rearmed
        return Gate("cooldown", elapsed, cooldown_seconds, cooled)

    def first_report(self, person_id: str) -> bool:
        """Whether this cool-down was not told yet; it counts as told from now on."""
        first = person_id not in self._reported
        self._reported.add(person_id)
        return first

    def granted(self, person_id: str, track_id: int, now: float) -> None:
        """Begin to cool down after a grant on a track."""
        self._before[person_id] = (track_id, self._granted_at.get(person_id), person_id in self._rearmed)
        self._granted_at[person_id] = now
        self._rearmed.discard(person_id)
        self._reported.discard(person_id)

    def take_back(self, person_id: str, track_id: int) -> bool:
        """Forget a person's newest grant; False where there is none, or it was on another track.

        As it was: a grant before that, which did open the door, still cools down.
        """
        before = self._before.get(person_id)
        if before is None or before[0] != track_id:
            return False
        _, granted_at, rearmed = self._before.pop(person_id)
        if granted_at is None:
            self._granted_at.pop(person_id, None)
        else:
            self._granted_at[person_id] = granted_at
        if rearmed:
            self._rearmed.add(person_id)
        return True
