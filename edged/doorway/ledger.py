"""From happenings to events: each gets its id, its times, and a place in the spool."""

import logging
import os
import time
from collections import deque
from pathlib import Path
from typing import Any

from edged.devices import timekeeping
from edged.domain.boots import boot_name
from edged.domain.doorway import Act, Happening
from edged.doorway.keeper import Refusal
from edged.doorway.messages import Happened
from edged.doorway.spool import Spool
from edged.doorway.ulid import new_id

logger = logging.getLogger(__name__)

# What is told in the records alone; everything else is an alarm.
_ORDINARY = frozenset(
    {Act.UNLOCKED, Act.LOCKED, Act.NEVER_OPENED, Act.EXIT, Act.OPENED, Act.SHUT, Act.HELD_OPEN_OVER,
     Act.FORCED_OPEN_OVER, Act.EMERGENCY_OVER, Act.TAMPER_OVER, Act.INPUT_FAULT_OVER}
)  # fmt: skip


class Ledger:
    """A ``keeper.Listener``. ``refusals`` wait for the server to send them.

    ``casual`` names readers that keep no journal: what they were granted is offered to whoever does.
    """

    def __init__(self, spool: Spool) -> None:
        self.boot_id = boot_name(_machine_boot(), os.urandom(6).hex())
        self.refusals: deque[Refusal] = deque()
        self.casual: set[str] = set()
        self._spool = spool

    def begin(self) -> None:
        """Tell what an earlier process left, and what is wrong with it; before anything else is told."""
        if self._spool.damaged:
            self.alarm("door_disk")
        if self._spool.lost_unread:  # without a count: nobody knows it
            self.alarm("events_lost")
        self.tell_lost()
        readers = sorted(self._spool.readers)
        if readers:
            # A reader that was renamed never comes: then they wait for ever, and this is where to see it.
            logger.info("events wait for the readers they belong to names=%s", ",".join(readers))
        period = self._spool.period
        if period is None:
            return
        # The guard secured the line, or this start did; when, nobody saw. Where the disk did not take the
        # end of the period any more, it is not known either.
        self._keep(
            "lock_aborted", time.monotonic(), alarm=True, cause=period.cause, request=period.request,
            reader=period.reader, ends=True,
        )  # fmt: skip

    def happened(self, happening: Happening, at: float) -> None:
        """Keep an event of what happened."""
        act, holder = happening.act, happening.holder
        if act in (Act.EMERGENCY, Act.EMERGENCY_OVER):
            self._spool.latch(emergency=act is Act.EMERGENCY)
        reader = None if holder is None or holder.reader in self.casual else holder.reader
        self._keep(
            act.value,
            at,
            alarm=act not in _ORDINARY,
            cause=None if holder is None else holder.cause,
            request=None if holder is None else holder.request,
            reader=reader,
            held_seconds=round(happening.held_seconds, 3),
            reason=happening.reason,
            begins=act is Act.UNLOCKED,
            ends=act in (Act.LOCKED, Act.EMERGENCY),  # a period that runs becomes part of an emergency
        )

    def refused(self, refusal: Refusal) -> None:
        """Let the reader hear it. It is no event: the reader, who knows why it asked, records it."""
        self.refusals.append(refusal)

    def alarm(self, what: str) -> None:
        """Keep an alarm about a reader or about the door process itself."""
        self._keep(what, time.monotonic(), alarm=True)

    def tell_lost(self) -> None:
        """Keep an event of how many were lost, once there is room for it; call it when there may be."""
        if self._spool.lost and not self._spool.full:
            logger.error("events of the door are lost count=%d", self._spool.lost)
            self._put("events_lost", time.monotonic(), alarm=True, count=self._spool.lost)

    def _keep(self, what: str, at: float, **facts: Any) -> None:
        self.tell_lost()
        self._put(what, at, **facts)

    def _put(
        self,
        what: str,
        at: float,
        *,
        alarm: bool,
        cause: str | None = None,
        request: str | None = None,
        reader: str | None = None,
        held_seconds: float = 0.0,
        reason: str | None = None,
        count: int | None = None,
        begins: bool = False,
        ends: bool = False,
    ) -> None:
        event = Happened(
            event=new_id(), what=what, alarm=alarm, ts=time.time(), at=at, boot_id=self.boot_id,
            time_synced=timekeeping.synced() is True, cause=cause, request=request, reader=reader,
            held_seconds=held_seconds, reason=reason, count=count,
        )  # fmt: skip
        logger.log(
            logging.WARNING if alarm else logging.INFO,
            "door %s cause=%s request=%s held_s=%.2f reason=%s", what, cause, request, held_seconds, reason,
        )  # fmt: skip
        if not self._spool.put(event, begins=begins, ends=ends, tells=count or 0):
            logger.error("event not kept, too many wait what=%s", what)


def _machine_boot() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    except OSError:
        return ""
