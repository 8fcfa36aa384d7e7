"""Who was let in a moment ago, and has not gone from view since, is not let in again."""

from edged.domain.types import Gate


class CoolDown:
    """The newest grant and sight of every person. Every time is a parameter, monotonic seconds.

    ``told`` holds who was denied for it since their newest grant: once is enough.
    """

    def __init__(self) -> None:
        self.told: set[str] = set()
        self._granted_at: dict[str, float] = {}
        self._seen_at: dict[str, float] = {}
        self._rearmed: set[str] = set()
        self._before: tuple[str, float | None, bool] | None = None  # of whom the newest grant is

    def gate(self, person_id: str, seconds: float, now: float) -> Gate:
        """Return whether ``seconds`` have gone since the person was let in, who went from view meanwhile."""
        granted_at = self._granted_at.get(person_id)
        if granted_at is None:
            return Gate("cooldown", None, seconds, passed=True)
        elapsed = now - granted_at
        return Gate("cooldown", elapsed, seconds, elapsed >= seconds and person_id in self._rearmed)

    def see(self, person_id: str, at: float, absence_seconds: float) -> None:
        """Re-arm a person who had gone from view for ``absence_seconds`` since the last frame."""
        if at - self._seen_at.get(person_id, float("-inf")) >= absence_seconds:
            self._rearmed.add(person_id)
        self._seen_at[person_id] = at

    def start(self, person_id: str, now: float) -> None:
        """Begin with a grant."""
        self._before = (person_id, self._granted_at.get(person_id), person_id in self._rearmed)
        self._granted_at[person_id] = now
        self._rearmed.discard(person_id)
        self.told.discard(person_id)

    def take_back(self, person_id: str) -> bool:
        """Make it as it was before the newest grant; False where that was not the person's.

        A grant before that, which did open the door, still cools down.
        """
        if self._before is None or self._before[0] != person_id:
            return False
        _, granted_at, rearmed = self._before
        self._before = None
        if granted_at is None:
            self._granted_at.pop(person_id, None)
        else:
            self._granted_at[person_id] = granted_at
        if rearmed:
            self._rearmed.add(person_id)
        return True
