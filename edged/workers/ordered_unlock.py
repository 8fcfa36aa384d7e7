"""An unlock that somebody ordered from afar: the same checks and the same record, whoever ordered it."""

from edged.domain.types import EventKind
from edged.workers.door import UnlockRequest
from edged.workers.effects import Door
from edged.workers.event_log import EventLog


class OrderedUnlock:
    """``needs_record``: as with a face under ``journal.on_failure: deny``, no record means no opening."""

    def __init__(self, door: Door, log: EventLog, *, needs_record: bool) -> None:
        self._door = door
        self._log = log
        self._needs_record = needs_record

    def refusal(self, now: float) -> str | None:
        """Say why it would be refused at ``now`` (monotonic seconds), None if not."""
        if (refusal := self._door.refusal(now)) is not None:
            return f"the door takes no grant now: {refusal}"
        if self._needs_record and self._log.trouble is not None:
            return f"it cannot be recorded: {self._log.trouble}"
        return None

    def open(self, now: float, *, key: str, reason: str) -> str | None:
        """Record who ordered it, then ask for one pulse; return the record's id, None where it is refused."""
        body = {"type": "command_unlock", "key": key, "reason": reason}
        event = self._log.event(EventKind.SYSTEM, body)
        self._log.record(event)
        asked = self._door.request(UnlockRequest(event.event_id, "command", granted_at=now))
        return event.event_id if asked else None
