"""Grants that a door process was asked for and has not answered yet.

An answer that is missing says nothing of the door: it may have opened, and the word of it wait on the other
side. So a grant is open until the door has told of it, or has told everything and not of it.
"""

import threading
from collections import deque
from dataclasses import dataclass

from edged.workers.door import UnlockRequest

# A person stands before a camera every few seconds, and a door answers within milliseconds.
MOST_OPEN = 16


@dataclass(frozen=True, slots=True)
class OpenGrant:
    """A request under way; ``at`` is when it was sent (monotonic seconds)."""

    request: UnlockRequest
    at: float


class OpenGrants:
    """Any thread may call."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: dict[str, OpenGrant] = {}
        self._own: deque[str] = deque(maxlen=MOST_OPEN)

    def add(self, request: UnlockRequest, at: float) -> bool:
        """Remember a request; False where too many are open."""
        with self._lock:
            if len(self._open) >= MOST_OPEN:
                return False
            self._open[request.event_id] = OpenGrant(request, at)
            self._own.append(request.event_id)
        return True

    @property
    def any(self) -> bool:
        """Whether an answer is waited for."""
        with self._lock:
            return bool(self._open)

    def is_own(self, event_id: str) -> bool:
        """Whether this process asked for it, lately."""
        with self._lock:
            return event_id in self._own

    def answered(self, event_id: str) -> OpenGrant | None:
        """Return a request and remember it no longer; None where it is not open."""
        with self._lock:
            return self._open.pop(event_id, None)

    def take(self, asked_before: float) -> list[OpenGrant]:
        """Return those asked for before a moment, and remember them no longer."""
        with self._lock:
            found = [key for key, grant in self._open.items() if grant.at < asked_before]
            return [self._open.pop(key) for key in found]
