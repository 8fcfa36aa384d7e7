"""Notes when the clock becomes right, so that what was recorded before can be put right by its readers."""

import logging
from collections.abc import Callable
from pathlib import Path

from edged.devices.clock import Clock
from edged.domain.clock_correction import correction_body, corrections_of
from edged.domain.types import EventKind
from edged.errors import StoreError
from edged.storage.journal_reader import JournalReader
from edged.workers.event_log import EventLog, Written

logger = logging.getLogger(__name__)

_LOOK_SECONDS = 1.0
_WRITE_SECONDS = 1.0  # so that ``on_corrected`` finds it in the journal
# Starts of one boot of the machine before its clock is right; a crash loop makes a few hundred.
_NEWEST_SYSTEM_EVENTS = 500


class ClockWatch:
    """Call ``look`` often, from one thread. ``machine_boot`` names the boot whose monotonic clock we share.

    ``on_corrected`` is called after a correction was written.
    """

    def __init__(
        self,
        clock: Clock,
        log: EventLog,
        journal: Path,
        *,
        boot_id: str,
        machine_boot: str,
        on_corrected: Callable[[], None] = lambda: None,
    ) -> None:
        self._clock = clock
        self._log = log
        self._journal = journal
        self._boot_id = boot_id
        self._machine_boot = machine_boot
        self._on_corrected = on_corrected
        # The wall clock less the monotonic one while the former was not right; None where it always was.
        self._before: float | None = None if clock.synced() else self._offset()
        self._done = False
        self._look_at = float("-inf")

    def look(self) -> None:
        """Record a correction once the clock is right, for this start and those of the same boot before."""
        now = self._clock.monotonic()
        if self._done or now < self._look_at:
            return
        self._look_at = now + _LOOK_SECONDS
        if not self._clock.synced():
            self._before = self._offset()
            return
        self._done = True
        boots = self._earlier() + ([] if self._before is None else [self._boot_id])
        if not boots:
            return
        offset = self._offset()
        step = None if self._before is None else offset - self._before
        logger.info("clock synchronised step_s=%s starts=%d", step and round(step, 3), len(boots))
        event = self._log.event(EventKind.SYSTEM, correction_body(boots, offset, step))
        if self._log.record_within(_WRITE_SECONDS, event) is Written.FAILED:
            self._log.keep(event)
        self._on_corrected()

    def _offset(self) -> float:
        return self._clock.unix() - self._clock.monotonic()

    def _earlier(self) -> list[str]:
        """Return the starts before, of this boot of the machine, whose clock was never put right."""
        try:
            with JournalReader.open(self._journal, on_damage=lambda _damage: None) as reader:
                found = reader.events(kind=EventKind.SYSTEM, limit=_NEWEST_SYSTEM_EVENTS)
                events = [stored.event for stored in found]
        except StoreError as exc:
            logger.warning("earlier starts not put right error=%s", exc)
            return []
        known = corrections_of(events)
        return [
            event.boot_id
            for event in events
            if event.body.get("type") == "started"
            and event.body.get("machine_boot") == self._machine_boot
            and not event.time_synced
            and event.boot_id != self._boot_id
            and event.boot_id not in known
        ]
