"""Asks doors for what is missing. One collector of a group does; it holds a lease in the database.

A thread of its own: a door may take a minute for an answer, and events must not wait for that.
"""

import logging
import time
from collections.abc import Callable, Iterator
from threading import Event, Thread
from typing import Protocol

from edged.collecting.figures import Figures
from edged.collecting.gaps import Gap, Gaps
from edged.collecting.links import Link
from edged.errors import EdgedError, FleetError
from edged.fleet.replay import ReplayResult
from edged.fleet.replay_asking import Wanted

logger = logging.getLogger(__name__)

CHECK_SECONDS = 15.0
# A kind of events that a broker refuses for a moment is tried again within a minute at the door.
GRACE_SECONDS = 60.0
_AGAIN_SECONDS, _AGAIN_MOST_SECONDS = 60.0, 3600.0
_LEASE_SECONDS = 180.0
# A door that was away for a month has many; the others have their turn too.
_MOST_GAPS = 50


class Asking(Protocol):
    """See ``ReplayAsking``."""

    def results(self, wanted: Wanted) -> Iterator[ReplayResult]:
        """Yield how each stretch ended. Raises ``FleetError``."""
        ...


class Refill:
    """``asking`` reaches a door of a site, None: none is asked. ``site``: only doors there, None: all."""

    def __init__(
        self,
        open_link: Callable[[], Link],
        asking: Callable[[str, str], Asking] | None,
        figures: Figures,
        *,
        holder: str,
        site: str | None,
        check_seconds: float = CHECK_SECONDS,
        grace_seconds: float = GRACE_SECONDS,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._open_link = open_link
        self._asking = asking
        self._figures = figures
        self._holder = holder
        self._site = site
        self._check_seconds = check_seconds
        self._grace = grace_seconds
        self._wall_clock = wall_clock
        self._stopping = Event()
        # A daemon thread: a door that does not answer must not keep the process from ending.
        self._thread = Thread(target=self._run, name="refill", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End after the door that is being asked; waits a moment, no longer."""
        self._stopping.set()
        self._thread.join(1.0)

    def _run(self) -> None:
        while not self._stopping.wait(self._check_seconds):
            try:
                self.check()
            except EdgedError as exc:
                logger.warning("missing events not looked for error=%s", exc)
            except Exception:
                logger.exception("missing events not looked for")

    def check(self) -> None:
        """Look once, and ask once for what is due. Raises ``StoreError``, ``ConfigError``."""
        link = self._open_link()
        try:
            gaps = Gaps(link)
            gaps.advance()
            found = gaps.open(self._site)
            self._figures.missing.set(sum(gap.missing for gap in found))
            self._figures.missing_since.set(min((gap.since for gap in found), default=0.0))
            if self._asking is not None:
                self._ask_all(gaps, [gap for gap in found if self._due(gap)][:_MOST_GAPS], self._asking)
        finally:
            link.close()

    def _ask_all(self, gaps: Gaps, due: list[Gap], asking: Callable[[str, str], Asking]) -> None:
        silent: set[tuple[str, str]] = set()
        for gap in due:
            door = (gap.site, gap.door)
            if self._stopping.is_set() or not gaps.lease(self._holder, self._wall_clock(), _LEASE_SECONDS):
                return
            if door not in silent and not self._ask(gaps, gap, asking(*door)):
                silent.add(door)

    def _due(self, gap: Gap) -> bool:
        now = self._wall_clock()
        pause = min(_AGAIN_MOST_SECONDS, _AGAIN_SECONDS * 2 ** min(gap.times, 10)) if gap.times else 0.0
        return now - gap.since >= self._grace and now - gap.asked_at >= pause

    def _ask(self, gaps: Gaps, gap: Gap, asking: Asking) -> bool:
        """Ask the door; False where it is not to be reached, and another gap of it need not be tried."""
        logger.warning(
            "events missing site=%s door=%s epoch=%s from=%d to=%d; asking",
            gap.site, gap.door, gap.epoch, gap.from_seq, gap.to_seq,
        )  # fmt: skip
        answer, word, reached = "", "unreachable", True
        try:
            for result in asking.results(Wanted(gap.from_seq, gap.to_seq, gap.epoch)):
                word, answer = result.result, _said(result)
                self._note_gone(gaps, gap, result)
        except FleetError as exc:
            word, answer, reached = "unreachable", str(exc), False
        self._figures.replays.labels(word).inc()
        logger.info("asked door=%s result=%s answer=%r", gap.door, word, answer)
        gaps.answered(gap, answer, self._wall_clock())
        return reached

    def _note_gone(self, gaps: Gaps, gap: Gap, result: ReplayResult) -> None:
        now = self._wall_clock()
        if result.result == "epoch":
            gaps.gone(gap, gap.to_seq, "the door has another journal now", now)
        elif result.epoch == gap.epoch and result.oldest_seq > gap.from_seq:
            gaps.gone(gap, result.oldest_seq - 1, f"the door's journal begins at {result.oldest_seq}", now)


def _said(result: ReplayResult) -> str:
    words: list[str] = [result.result]
    counts = ("sent", "unheard", "unsendable", "gone")
    words += [f"{name} {getattr(result, name)}" for name in counts if getattr(result, name)]
    return ", ".join(words if result.reason is None else [*words, result.reason])
