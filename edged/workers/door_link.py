"""The door as a reader of a door process sees it: the same as ``DoorWorker``, with the line elsewhere.

While the door process is away, or silent, every grant is refused. A connection that breaks ends what it was
granted at the other end, whichever side it breaks on; here it is made again. Whatever happened at the door
comes as an event with an id, and is acknowledged once the journal has it.

A grant without an answer is given up only once the door process speaks and has told everything: until then
the door may have opened. Where the daemon ends first, its next start decides (``open_punches``).
"""

import contextlib
import logging
import select
import socket
import threading
import time
from collections.abc import Callable
from typing import Literal

from msgspec import UNSET

from edged.config.sections import DoorConfig
from edged.doorway.channel import Channel, pair
from edged.doorway.messages import (
    BEAT_SECONDS,
    Answer,
    Beat,
    Former,
    FromDoor,
    Happened,
    Hello,
    Look,
    Secure,
    Show,
    Status,
    Taken,
    TurnedAway,
    Welcome,
)
from edged.errors import DoorwayError
from edged.fleet.backoff import Backoff
from edged.metric_labels import LOCK_CAUSES, LOCK_REFUSALS
from edged.metrics import Metrics
from edged.workers.door import DoorChange, UnlockRequest
from edged.workers.door_grants import OpenGrants
from edged.workers.door_journal import DoorJournal
from edged.workers.door_line import HUNG_SECONDS, DoorLine, unlock_of
from edged.workers.door_words import AWAY, DoorWords, words_of
from edged.workers.reports import Reporter
from edged.workers.worker import Worker

logger = logging.getLogger(__name__)

_RECONNECT_SECONDS = (0.1, 5.0)  # a door process starts in under a second on a small board
# What is asked and not answered for so long, by a door process that has told everything since, was not done.
_ANSWER_SECONDS = 30.0
_LAST_EVENTS_SECONDS = 1.5
_LAST_REPORTS_SECONDS = 2.0
_SHOW_SECONDS = 0.5
_DENIED_SECONDS = 1.0


class DoorLink(Worker):
    """``connect`` returns a connected socket or raises ``DoorwayError``; ``close`` frees what it holds.

    ``end_hung`` ends a door process that hangs, where that is the business of this one.
    ``on_change`` is told of this reader's grants, on a thread of its own, in order; each change is on record
    by then or will be. The worker may be started before its supervisor does so.
    """

    def __init__(
        self,
        connect: Callable[[], socket.socket],
        *,
        reader: str,
        formerly: tuple[Former, ...] = (),
        config: DoorConfig,
        metrics: Metrics,
        journal: DoorJournal,
        on_change: Callable[[DoorChange], None],
        close: Callable[[], None] = lambda: None,
        end_hung: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__("door")
        self._connect = connect
        self._free = close
        self._end_hung = end_hung
        self._hello = Hello(reader=reader, formerly=formerly or UNSET)
        self._max_age_seconds = config.max_grant_age_ms / 1000
        self._metrics = metrics
        self._journal = journal
        self._clock = clock
        self._on_words: Callable[[DoorWords], None] = lambda _words: None
        self._on_alarm: Callable[[str], None] | None = None
        self._alarms: list[str] = []  # before there is anybody to be told
        self._words = AWAY
        self._telling = threading.Lock()
        self._reports: Reporter[DoorChange] = Reporter("door-reports", on_change)
        self._line: DoorLine | None = None
        self._grants = OpenGrants()
        self._started = False
        self._caught_up = threading.Event()
        self._sealed = False
        self._backoff = Backoff(*_RECONNECT_SECONDS)
        self._connect_at = float("-inf")
        self._shown_at = float("-inf")
        self._woken, self._wake = pair()

    def tell(
        self,
        on_words: Callable[[DoorWords], None],
        on_recorded: Callable[[], None],
        on_alarm: Callable[[str], None],
    ) -> None:
        """Say how the door is, now and whenever it changes, when something was recorded, what is wrong.

        On the worker's thread and the journal's.
        """
        self._journal.on_recorded = on_recorded
        with self._telling:
            self._on_words = on_words
            self._on_alarm = on_alarm
            on_words(self._words)
            for alarm in self._alarms:
                on_alarm(alarm)
            self._alarms.clear()

    def start(self) -> None:
        """Start the thread, unless it runs already: the connection is held while models are loaded."""
        if not self._started:
            self._started = True
            super().start()

    def catch_up(self, seconds: float) -> bool:
        """Wait until what waited at the door is in the journal; False if that took too long."""
        return self._caught_up.wait(seconds)

    @property
    def caught_up(self) -> bool:
        """Whether what waited at the door when this process started is in the journal."""
        return self._caught_up.is_set()

    def time_synced(self) -> bool | None:
        """Return whether the door process says that the wall clock is right; None where it does not say."""
        line = self._line
        return None if line is None else line.time_synced(self._clock())

    def refusal(self, granted_at: float) -> str | None:
        """Say why a grant of ``granted_at`` (monotonic seconds) would be refused now, None if not."""
        line = self._line
        if self._sealed:
            return "stopping"
        if line is None or line.status is None or line.silent(self._clock()):
            return "away"
        if line.status.condition == "emergency":
            return "emergency"
        if not 0 <= self._clock() - granted_at <= self._max_age_seconds:
            return "stale"
        return None

    def request(self, request: UnlockRequest) -> bool:
        """Ask for the door; never waits. False if the door process is not there, or the end has come."""
        line = self._line
        if self._sealed or line is None or line.status is None:
            self._metrics.lock_refusals.labels("away").inc()
            return False
        if not self._grants.add(request, self._clock()):
            self._metrics.lock_refusals.labels("queue_full").inc()
            return False
        if not line.say(unlock_of(request)):
            self._grants.answered(request.event_id)
            return False
        return True

    def show(self, look: Look) -> None:
        """Let the person before the camera see how it stands."""
        line, now = self._line, self._clock()
        # Twenty faces a second say "looking", and a denial is to be seen for a moment.
        due = self._shown_at + (_SHOW_SECONDS if look == "looking" else 0.0)
        if line is None or now < due:
            return
        self._shown_at = now + (_DENIED_SECONDS if look == "denied" else 0.0)
        line.say(Show(look=look))

    def relock(self) -> None:
        """End what this reader was granted, and take further grants; from any thread."""
        if self._line is not None:
            self._line.say(Secure())

    def secure_now(self) -> None:
        """End what this reader was granted, and ask for nothing from now on; from any thread."""
        self._sealed = True
        self.relock()

    def stop(self) -> None:
        """Secure at once, then ask the loop to end."""
        super().stop()
        self.secure_now()
        with contextlib.suppress(OSError):  # it has ended already
            self._wake.send(b".")

    def close_unstarted(self) -> None:
        """Free everything where the worker was never started, or has ended."""
        self._end_line()
        self._free()
        self._woken.close()
        self._wake.close()

    def run(self) -> None:
        """Keep the connection and hear the door until told to stop."""
        self._reports.start()
        try:
            while not self.stopping.is_set():
                self.turn()
            self._finish()
        finally:
            if self._line is not None and self._line.silent(self._clock()):
                self._end_hung()  # it would not even hear that this is the end
            self.close_unstarted()
            if not self._reports.close(_LAST_REPORTS_SECONDS):
                logger.error("door reports not delivered in time")

    def turn(self) -> None:
        """Hear what there is, at most for a beat; send what is due."""
        if self._reports.busy_seconds(time.monotonic()) < self.stall_seconds:
            self.beat()
        if self._line is None and self._clock() >= self._connect_at:
            self._begin()
        self._hear()
        now = self._clock()
        line = self._line
        if line is not None and now - line.beat_at >= BEAT_SECONDS:
            line.beat_at = now
            line.say(Beat())
        for event_id in self._journal.taken(now):
            if line is not None:
                line.say(Taken(event=event_id))
        if self._told_everything(now):
            self._caught_up.set()
        if line is not None and line.ended:
            self._lost("it takes no message")
        elif line is not None and line.hung(now):
            self._hangs(line)
        self._give_up(now)

    def _told_everything(self, now: float) -> bool:
        """Whether the journal has all that the door process had to tell."""
        return self._line is not None and self._line.told_everything(now) and not self._journal.waiting

    def _hangs(self, line: DoorLine) -> None:
        """End a connection on which nothing is heard, and its process with it; at once anew."""
        if line.status is not None:
            self._alarm("door_hung")
        self._lost(f"nothing heard for {HUNG_SECONDS:g} s")
        self._end_hung()
        self._connect_at = float("-inf") if line.status is not None else self._connect_at

    def _alarm(self, what: str) -> None:
        with self._telling:
            if self._on_alarm is None:
                self._alarms.append(what)
            else:
                self._on_alarm(what)

    def _begin(self) -> None:
        try:
            line = DoorLine(Channel(self._connect()), self._clock())
        except DoorwayError as exc:
            delay = self._backoff.delay()
            logger.warning("no door process, nobody can be let in; again in %.1f s: %s", delay, exc)
            self._connect_at = self._clock() + delay
            return
        self._line = line
        line.say(self._hello)

    def _hear(self) -> None:
        ends: list[socket.socket | Channel] = (
            [self._woken] if self._line is None else [self._woken, self._line.channel]
        )
        ready, _, _ = select.select(ends, [], [], BEAT_SECONDS if not self.stopping.is_set() else 0.02)
        if self._woken in ready:
            self._woken.recv(64)
        line = self._line
        if line is None or line.channel not in ready:
            return
        try:
            for message in line.heard(self._clock()):
                self._heed(line, message)
        except DoorwayError as exc:
            self._lost(str(exc))

    def _heed(self, line: DoorLine, message: FromDoor) -> None:
        match message:
            case Welcome() as welcome:
                line.welcome = welcome
                self._metrics.door_connected.set(1)
                logger.info("door process connected lock=%s version=%s", welcome.lock, welcome.version)
            case TurnedAway(reason=reason):
                raise DoorwayError(f"{reason}; each needs a site and door_id of its own")
            case Status() as status:
                line.status = status
                self._metrics.door_is(status)
                self._tell(words_of(status))
            case Answer() as answer:
                self._answered(answer)
            case Happened() as happened:
                self._journal.offer(happened)
                self._happened(happened)

    def _answered(self, answer: Answer) -> None:
        asked = self._grants.answered(answer.request)
        reason = answer.reason if answer.reason in LOCK_REFUSALS else "line_failed"
        self._metrics.lock_refusals.labels(reason).inc()
        if asked is None:
            return
        self._report(answer.result, answer.at, answer.request, cause=asked.request.cause, reason=reason)

    def _happened(self, event: Happened) -> None:
        """Tell of the grants of this process. What is older was told in its time, or is history."""
        if event.what == "unlocked" and event.cause in LOCK_CAUSES and not event.held_seconds:
            self._metrics.lock_actuations.labels(event.cause).inc()
        if event.what == "relocked_late":
            self._metrics.lock_overruns.inc()
        if event.request is None or event.cause is None:
            return
        if event.what == "locked" and self._grants.is_own(event.request):
            self._report(
                "locked", event.at, event.request, cause=event.cause, held_seconds=event.held_seconds
            )
        if event.what != "unlocked":
            return
        asked = self._grants.answered(event.request)
        if asked is None:
            return
        if asked.request.first_seen_at is not None:
            self._metrics.decision_latency.observe(max(0.0, event.at - asked.request.first_seen_at))
        self._metrics.stage.labels("actuate").observe(max(0.0, event.at - asked.at))
        self._report("unlocked", event.at, event.request, cause=event.cause, held_seconds=event.held_seconds)

    def _report(
        self,
        state: Literal["unlocked", "locked", "refused", "failed"],
        at: float,
        request: str,
        *,
        cause: str,
        held_seconds: float = 0.0,
        reason: str | None = None,
    ) -> None:
        recorded = state in ("unlocked", "locked")
        logger.info("door %s event=%s cause=%s reason=%s", state, request, cause, reason)
        self._reports.put(DoorChange(state, at, request, cause, held_seconds, reason, recorded=recorded))

    def _lost(self, why: str) -> None:
        if self._line is None:
            return
        delay = self._backoff.delay(self._clock() - self._line.began_at)
        logger.warning("door process lost, nobody can be let in: %s", why)
        self._end_line()
        self._connect_at = self._clock() + delay

    def _end_line(self) -> None:
        line, self._line = self._line, None
        if line is None:
            return
        line.channel.close()
        self._journal.forget()
        self._metrics.door_connected.set(0)
        self._metrics.door_is(None)
        if not self._sealed:
            self._tell(self._words.gone())

    def _tell(self, words: DoorWords) -> None:
        with self._telling:
            if words != self._words:
                self._words = words
                self._on_words(words)

    def _give_up(self, now: float) -> None:
        """Answer what the door process will not answer any more, where that is known."""
        if not self._told_everything(now):
            return
        for grant in self._grants.take(asked_before=now - _ANSWER_SECONDS):
            self._metrics.lock_refusals.labels("away").inc()
            request = grant.request
            self._report("refused", now, request.event_id, cause=request.cause, reason="away")

    def _finish(self) -> None:
        """Hear the end of what was granted, and get it into the journal, before the connection ends.

        A grant that stays unanswered is left to the next start.
        """
        until = self._clock() + _LAST_EVENTS_SECONDS
        quiet = 0
        while self._line is not None and self._clock() < until and quiet < 3:
            self.turn()
            status = None if self._line is None else self._line.status
            done = status is None or (status.condition != "granted" and not status.waiting)
            quiet = quiet + 1 if done and not self._journal.waiting and not self._grants.any else 0
