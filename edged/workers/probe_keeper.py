"""Keeps the faces of visits that name a person, so that one taken for them wrongly can be vetoed.

The recognition thread only queues; sealing and writing happen here. A probe that cannot be kept is let
go: nothing but the chance to correct that visit is lost.
"""

import logging
import queue
from collections.abc import Callable, Collection, Mapping
from typing import Any, Protocol

from edged.domain.types import FloatArray
from edged.errors import StoreError
from edged.storage.probes import Probe
from edged.workers.worker import Worker

logger = logging.getLogger(__name__)

# Grants are seconds apart; a disk that is this far behind does not keep up at all.
_INBOX = 32
_TURN_SECONDS = 0.25
# Age alone erases probes too, so it is looked at without visits; a quarter of an hour late is soon enough.
_PRUNE_TURNS = 3600


class Probes(Protocol):
    """Where probes go; ``storage.probes.ProbeStore`` is the real one."""

    @property
    def keeps(self) -> bool:
        """Whether any probe is kept."""
        ...

    def keep(self, probe: Probe) -> None:
        """Keep one, and let go of what is too old or too many."""

    def retain(self, person_ids: Collection[str]) -> None:
        """Erase those of everybody else."""

    def prune(self) -> None:
        """Erase what is too old or too many."""


class ProbeKeeper(Worker):
    """``enrolled`` gives the ids in the gallery; once it is another mapping, those who left are erased.

    ``alarm`` is told once a trouble begins where they cannot be.
    """

    # A dying disk may hold one write for long; it delays nobody at the door.
    stall_seconds = 60.0

    def __init__(
        self,
        probes: Probes,
        *,
        space: str,
        enrolled: Callable[[], Collection[str]],
        alarm: Callable[[Mapping[str, Any]], None] = lambda _body: None,
    ) -> None:
        super().__init__("probes")
        self._probes = probes
        self._alarm = alarm
        self._space = space
        self._enrolled = enrolled
        self._inbox: queue.Queue[Probe] = queue.Queue(_INBOX)
        self._known: Collection[str] | None = None
        self._failing = self._stuck = False
        self._turns = 0

    def keep(self, event_id: str, person_id: str | None, vector: FloatArray | None) -> None:
        """Queue the face behind an event; never blocks. A visit that names nobody is not kept."""
        if person_id is None or vector is None or not self._probes.keeps:
            return
        try:
            self._inbox.put_nowait(Probe(event_id, person_id, self._space, vector))
        except queue.Full:
            logger.warning("a probe is not kept: the disk does not keep up")

    def only_of(self, enrolled: Collection[str]) -> bool:
        """Whether no face is on the disk but of ``enrolled``, the very mapping of the gallery; any thread."""
        return self._known is enrolled

    def run(self) -> None:
        """Write what is queued until told to stop, and then what is left."""
        while not self.stopping.is_set():
            self.beat()
            try:
                probe = self._inbox.get(timeout=_TURN_SECONDS)
            except queue.Empty:
                probe = None
            self._turn(probe)
        while not self._inbox.empty():
            self._turn(self._inbox.get_nowait())

    def _turn(self, probe: Probe | None) -> None:
        known = self._enrolled()
        self._erase_others(known)
        try:
            # Whoever is gone from the gallery must not come back through the queue.
            if probe is not None and probe.person_id in known:
                self._probes.keep(probe)
            if self._turns % _PRUNE_TURNS == 0:
                self._probes.prune()
            self._turns += 1
        except StoreError as exc:
            logger.log(
                logging.DEBUG if self._failing else logging.WARNING, "probes not kept or erased error=%s", exc
            )
            self._failing = True
        else:
            self._failing = False

    def _erase_others(self, known: Collection[str]) -> None:
        """Erase those who left; somebody waits for it where a fleet has forgotten them."""
        if known is self._known:
            return
        try:
            self._probes.retain(known)
        except StoreError as exc:
            if not self._stuck:
                logger.warning("faces of who left not erased error=%s", exc)
                self._alarm({"type": "probes_not_erased", "reason": str(exc)[:200]})
            self._stuck = True
        else:
            self._known, self._stuck = known, False
