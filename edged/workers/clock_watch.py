"""Notes when the clock becomes right, so that what was recorded before can be put right by its readers.

The kernel says when its clock is right, and takes that back: when somebody sets the clock, and after nine
hours without a time server (its error may then be 16 seconds). So it is asked for as long as the daemon runs.
"""

import logging
from collections.abc import Callable
from pathlib import Path

from edged.devices.clock import Clock
from edged.domain.boots import is_of_boot
from edged.domain.clock_correction import correction_body, corrections_of
from edged.domain.types import EventKind
from edged.errors import StoreError
from edged.storage import journal_clock
from edged.storage.journal_reader import JournalReader
from edged.workers.event_log import EventLog, Written

logger = logging.getLogger(__name__)

_LOOK_SECONDS = 1.0
_WRITE_SECONDS = 1.0  # so that ``on_corrected`` finds it in the journal
# The door process keeps its events while no daemon runs, and hands them over when the clock is long right.
_SEARCH_SECONDS = 60.0
# Starts of one boot of the machine before its clock is right; a crash loop makes a few hundred.
_NEWEST_SYSTEM_EVENTS = 500
# Two days of a busy door, read once at the start: rows are read whole, 2 MB of them.
_NEWEST_EVENTS = 2_000
# A leap second sets the clock back by one, and was right before.
_STEP_SECONDS = 2.0
# A thread that is held up between two clocks would see a step where there is none.
_TOGETHER_SECONDS, _TRIES = 0.05, 5


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
        self._last = clock.unix() - clock.monotonic()
        # The wall clock less the monotonic one while the former was not right; None while it is.
        self._before: float | None = None if clock.synced() else self._last
        self._right_since = clock.monotonic()
        self._look_at = self._search_at = float("-inf")
        self._searched = 0

    def look(self) -> None:
        """Record a correction where the clock became right or was set back."""
        now = self._clock.monotonic()
        if now < self._look_at:
            return
        self._look_at = now + _LOOK_SECONDS
        offset, last = self._offset(), self._last
        self._last = offset
        if not self._clock.synced():
            self._before = offset
        elif self._before is not None:
            step, self._before = offset - self._before, None
            self._right_since = now
            self._correct([*self._waiting(now), self._boot_id], offset, step)
        elif last - offset > _STEP_SECONDS:
            self._correct(self._present(), offset, offset - last, self._right_since)
        elif offset - last > _STEP_SECONDS:
            self._right_since = now
            logger.warning("clock set forward while it counted as right step_s=%.3f", offset - last)
        elif now >= self._search_at:
            self._correct(self._waiting(now), offset, None)

    def _correct(
        self, boots: list[str], offset: float, step: float | None, synced_from: float | None = None
    ) -> None:
        if not boots:
            return
        logger.info("clock corrected step_s=%s starts=%d", step and round(step, 3), len(boots))
        event = self._log.event(EventKind.SYSTEM, correction_body(boots, offset, step, synced_from))
        if self._log.record_within(_WRITE_SECONDS, event) is Written.FAILED:
            self._log.keep(event)
        self._on_corrected()

    def _offset(self) -> float:
        """Return Unix time less the monotonic clock; the last one where the two cannot be read together."""
        for _ in range(_TRIES):
            before, unix, after = self._clock.monotonic(), self._clock.unix(), self._clock.monotonic()
            if after - before < _TOGETHER_SECONDS:
                return unix - (before + after) / 2
        return self._last

    def _waiting(self, now: float) -> list[str]:
        """Return the other starts of this boot of the machine that recorded times nobody put right yet."""
        self._search_at = now + _SEARCH_SECONDS
        try:
            found = journal_clock.boots(self._journal, self._searched, _NEWEST_EVENTS)
            unsynced = {boot: seq for boot, seq in found.unsynced.items() if seq and boot != self._boot_id}
            waiting = self._not_corrected(unsynced) if unsynced or not self._searched else []
        except StoreError as exc:
            logger.warning("earlier starts not put right error=%s", exc)
            return []
        self._searched = found.newest_seq
        return waiting

    def _not_corrected(self, unsynced: dict[str, int]) -> list[str]:
        with JournalReader.open(self._journal, on_damage=lambda _damage: None) as reader:
            system = list(reader.events(kind=EventKind.SYSTEM, limit=_NEWEST_SYSTEM_EVENTS))
        ours, done = set(filter(self._of_the_door, unsynced)), dict[str, int]()
        for stored in system:
            event, body = stored.event, stored.event.body
            if body.get("type") == "started" and body.get("machine_boot") == self._machine_boot:
                ours.add(event.boot_id)
                if not event.time_synced and event.boot_id != self._boot_id:
                    unsynced.setdefault(event.boot_id, stored.seq)
            done |= dict.fromkeys(corrections_of([event]), stored.seq)
        return [boot for boot, seq in unsynced.items() if boot in ours and seq > done.get(boot, 0)]

    def _present(self) -> list[str]:
        """Return the starts that share what this daemon took for the time: its own and the door process's."""
        try:
            found = journal_clock.boots(self._journal, 0, _NEWEST_EVENTS)
        except StoreError as exc:
            logger.warning("the door's events not put right error=%s", exc)
            return [self._boot_id]
        return [*filter(self._of_the_door, found.unsynced), self._boot_id]

    def _of_the_door(self, boot: str) -> bool:
        return is_of_boot(boot, self._machine_boot)
