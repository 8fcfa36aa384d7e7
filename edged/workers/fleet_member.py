"""Keeps a door in step with its fleet: listens, takes what was signed, and says what is in force.

One thread with a connection of its own, so that eight megabytes of gallery never stand before an event.
The gallery's own worker notices the change on disk and swaps it in.
"""

import logging
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Protocol

import msgspec

from edged.errors import StoreCorruptError, StoreError
from edged.fleet.broker import BrokerClient, Connected, Disconnected, Happening
from edged.fleet.connection import Arrived
from edged.fleet.gallery_channel import GalleryChannel
from edged.fleet.gallery_format import Action
from edged.fleet.gallery_topics import GalleryTopics
from edged.fleet.receipt_messages import GalleryReceipt, signed_receipt
from edged.membership.identity import DoorIdentity
from edged.membership.state import FleetState
from edged.membership.store import FleetStore
from edged.membership.update import Attempt
from edged.workers.fleet_return import ReturnGate
from edged.workers.outage import Outage
from edged.workers.worker import Worker

logger = logging.getLogger(__name__)

_TURN_SECONDS = 0.1
# News comes by itself; this is for what was missed, and to notice a publisher that has fallen silent.
_AGAIN_SECONDS = 300.0
# After a refusal that time may mend, such as a piece that did not come.
_RETRY_SECONDS = 15.0
# How often the latest certain time is written down: it bounds how far a clock can be set back.
_SEEN_SECONDS = 3600.0
# Refusals that say nothing about the publisher, unless they last.
_PASSING = frozenset({"missing", "altered"})
_LASTING_SECONDS = 600.0
# Wrong bytes in a broker are put right by the publisher, who sends everything again.
_RETRIED = _PASSING | {"mismatch"}
_LOOK_SECONDS = 1.0


class DoorClock(Protocol):
    """The machine's clocks; ``devices.clock.Clock`` is the real one."""

    def monotonic(self) -> float:
        """Return seconds of this boot."""

    def unix(self) -> float:
        """Return seconds since 1970."""

    def synced(self) -> bool:
        """Whether the wall clock is disciplined."""


class FleetMemberWorker(Worker):
    """Says nothing of what is in force before what was is erased.

    ``alarm`` is told a type and facts, once a trouble begins; ``changed``: something else lies on disk.

    ``swapped`` says that what lies on disk is what frames are compared with, ``forgotten`` that no face of
    whoever is gone from that is kept here; no receipt goes out before.
    ``lapse`` False lets a gallery past its last day serve on, with an alarm. ``gate`` has faces wait.
    """

    stall_seconds = 60.0  # a turn may connect: TCP, TLS, and a resolver that hangs

    def __init__(
        self,
        client: BrokerClient,
        topics: GalleryTopics,
        receipt_topic: str,
        store: FleetStore,
        identity: DoorIdentity,
        *,
        space: str,
        clock: DoorClock,
        make_update: Callable[[GalleryChannel], Callable[[datetime], Attempt]],
        alarm: Callable[[str, Mapping[str, Any]], None],
        changed: Callable[[], None] = lambda: None,
        swapped: Callable[[], bool] = lambda: True,
        forgotten: Callable[[], bool] = lambda: True,
        tried: Callable[[Attempt, FleetState | None], None] = lambda _attempt, _state: None,
        lapse: bool = True,
        gate: ReturnGate | None = None,
    ) -> None:
        super().__init__("fleet", daemon=True)
        self._client = client
        self._store = store
        self._identity = identity
        self._space = space
        self._clock = clock
        self._alarm = alarm
        self._changed = changed
        self._swapped = swapped
        self._forgotten = forgotten
        self._tried = tried
        self._lapse = lapse
        self._gate = gate or ReturnGate()
        self._receipt_topic = receipt_topic
        self._group = topics.group
        self._channel = GalleryChannel(client, topics, on_turn=self._waiting, on_other=self._heard)
        self._attempt = make_update(self._channel)
        self.on_message: Callable[[Arrived], bool] = lambda _message: False
        self._outage = Outage(logger, "fleet connection")
        self._disk = Outage(logger, "gallery from the fleet")
        self._last = Attempt()
        self._told: set[str] = set()
        self._due_at = self._seen_due_at = self._looked_at = self._store_due_at = 0.0
        self._refused_since: float | None = None
        self._said: GalleryReceipt | None = None
        self._connection = 0
        self._roles_heard_in: int | None = None
        self._denied_heard_in: int | None = None
        state = self._state() or FleetState()
        self._bound = (state.seen_at, clock.monotonic())
        self._vouched = (state.vouched_at, clock.monotonic())

    @property
    def client(self) -> BrokerClient:
        """The connection of this thread; only what runs on it may use it."""
        return self._client

    @property
    def connected(self) -> bool:
        """Whether the broker answers."""
        return self._client.connected

    def start(self) -> None:
        """Start the thread; that it connects begins with that, and so do faces wait."""
        self._gate.close()
        super().start()

    def stop(self) -> None:
        """Ask the loop to end; returns at once."""
        super().stop()
        self._client.wake()

    def run(self) -> None:
        """Follow the publisher until told to stop."""
        try:
            while not self.stopping.is_set():
                self._channel.turn(_TURN_SECONDS)
                now = time.monotonic()
                if self._client.connected and (self._channel.news() or now >= self._due_at):
                    self._follow()
                self._store_denial()
                self._let_faces_in()
                self._say()
        finally:
            self._client.close(goodbye=True)

    def certain(self) -> datetime:
        """Return a time that has passed for certain: no clock that is set back goes below it.

        Where no time server keeps the clock it is not before anything that was signed, either; where one
        does, a publisher whose clock is fast shuts nobody out.
        """
        least = self._grown(self._bound)
        if not self._clock.synced():
            least = max(least, self._grown(self._vouched))
        return datetime.fromtimestamp(max(self._clock.unix(), least), UTC)

    def _grown(self, bound: tuple[float, float]) -> float:
        return bound[0] + self._clock.monotonic() - bound[1]

    def withheld(self, action: Action) -> str | None:
        """Return why ``action`` is not carried out now, None where it is; a lockdown always is.

        What lies on disk may name a key that was taken away meanwhile: it counts once this connection has
        told who may command, and opens only while the publisher is known to be heard.
        """
        if action == "lockdown":
            return None
        if self._roles_heard_in != self._connection:
            return "the door has not heard yet who may command now; try again"
        if action not in ("unlock", "release"):
            return None
        state = self._state()
        if state is None or state.expires is None or self.certain().timestamp() >= state.expires:
            return "the publisher has been silent for too long to say who may open"
        return None

    def _waiting(self) -> None:
        """At every turn, also of a fetch that a broker draws out: the last day comes all the same."""
        self.beat()
        if time.monotonic() - self._looked_at >= _LOOK_SECONDS:
            self._looked_at = time.monotonic()
            self._look_at_the_time()

    def _state(self) -> FleetState | None:
        """Return what is in force; None where the disk does not tell."""
        try:
            return self._store.state()
        except StoreError as exc:
            self._disk.failed(exc, time.monotonic())
            if isinstance(exc, StoreCorruptError):  # it is mended by fetching everything again
                self._due_at = min(self._due_at, time.monotonic() + _RETRY_SECONDS)
            return None

    def _follow(self) -> None:
        connection = self._connection
        try:
            attempt = self._attempt(self.certain())
        except StoreError as exc:
            self._roles_heard_in = None  # the silence may count from now, and the roles be those of before
            self._due_at = time.monotonic() + _RETRY_SECONDS
            self._last = Attempt(refused="disk", text=str(exc)[:400])
            self._fail_to_store(exc)
            self._tried(self._last, self._state())
            self._changed()  # a denial may have been in force before the disk failed
            return
        self._disk.recovered(time.monotonic())
        self._told -= {"gallery_disk"} if self._store.denial_waits else {"gallery_disk", "denial_unstored"}
        if attempt.vouched_at > self._grown(self._vouched):
            self._vouched = (attempt.vouched_at, self._clock.monotonic())
            self._seen_due_at = 0.0
        if attempt.heard:
            self._denied_heard_in = connection
        if attempt.roles is not None:
            self._roles_heard_in = connection if attempt.roles else None
        again, self._last = attempt.refused == self._last.refused, attempt
        state = self._state()
        if state is not None:
            if state.refused != attempt.refused:
                self._commit(refused=attempt.refused)
            self._tried(attempt, state)
        passing = attempt.refused in _PASSING
        self._due_at = time.monotonic() + (_RETRY_SECONDS if attempt.refused in _RETRIED else _AGAIN_SECONDS)
        if attempt.changed:
            self._changed()
            version = 0 if state is None or state.gallery is None else state.gallery.version
            logger.info("gallery of the fleet in force version=%d denied=%s", version, attempt.denied)
        if attempt.refused is None:
            self._refused_since = None
            self._told.discard("gallery_refused")
        else:
            since = self._refused_since = self._refused_since or time.monotonic()
            passing = passing and time.monotonic() - since < _LASTING_SECONDS
            level = logging.DEBUG if again else logging.WARNING
            logger.log(level, "gallery of the fleet refused reason=%s text=%r", attempt.refused, attempt.text)
            if not passing:
                self._begin("gallery_refused", {"reason": attempt.refused})

    def _fail_to_store(self, exc: StoreError) -> None:
        self._disk.failed(exc, time.monotonic())
        self._begin("gallery_disk", {"reason": str(exc)[:200]})
        denial = self._store.denial()
        if self._store.denial_waits and denial is not None:  # a restart would undo it
            self._begin("denial_unstored", {"denied": denial.version, "reason": str(exc)[:200]})

    def _store_denial(self) -> None:
        """Make a denial last that is in force in memory alone; without the broker, too.

        Never within an attempt: it erases what no gallery in force names, and so what was fetched.
        """
        if not self._store.denial_waits or time.monotonic() < self._store_due_at:
            return
        self._store_due_at = time.monotonic() + _RETRY_SECONDS
        try:
            self._store.store_denial()
        except StoreError as exc:
            self._fail_to_store(exc)
            return
        self._told.discard("denial_unstored")
        self._changed()
        logger.info("denial stored")

    def _look_at_the_time(self) -> None:
        """Two ends: the publisher should have spoken (alarm), and the gallery's last day (nobody enters)."""
        state, now = self._state(), self.certain().timestamp()
        if state is None:
            return
        if state.expires is not None and now >= state.expires:
            self._begin("gallery_stale", {"expired_seconds": round(now - state.expires)})
        else:
            self._told.discard("gallery_stale")
        gallery = state.gallery
        past = gallery is not None and now >= gallery.valid_until
        if past and gallery is not None:
            self._begin("gallery_lapsed", {"version": gallery.version})
        else:
            self._told.discard("gallery_lapsed")
        if (past and self._lapse) != state.lapsed or self._store.past_last_day:
            self._pass_last_day(state, past=past and self._lapse)
        if time.monotonic() >= self._seen_due_at:
            self._seen_due_at = time.monotonic() + _SEEN_SECONDS
            self._write_the_time(state)

    def _write_the_time(self, state: FleetState) -> None:
        """Keep what is certain over a restart, and what only a clock in doubt says not."""
        vouched_at = max(state.vouched_at, self._grown(self._vouched))
        if self._clock.synced():
            now = self.certain().timestamp()
            self._bound = (now, self._clock.monotonic())
            self._commit(seen_at=now, vouched_at=vouched_at)
        elif vouched_at > state.vouched_at:
            self._commit(vouched_at=vouched_at)

    def _pass_last_day(self, state: FleetState, *, past: bool) -> None:
        """Let nobody in any more; or again, where it was a clock in doubt that said so and is right now."""
        self._seen_due_at = (
            0.0  # a time that is certain is written down at once: setting it back undoes nothing
        )
        self._store.past_last_day = past  # a full disk must not keep the door open
        if self._commit(lapsed=past, revision=state.revision + 1):
            self._store.past_last_day = False
        self._changed()

    def _commit(self, **changes: Any) -> bool:
        try:
            self._store.commit(msgspec.structs.replace(self._store.state(), **changes))
        except StoreError as exc:
            self._disk.failed(exc, time.monotonic())
            return False
        return True

    def _begin(self, kind: str, facts: Mapping[str, Any]) -> None:
        if kind not in self._told:
            self._told.add(kind)
            self._alarm(kind, facts)

    def _heard(self, happening: Happening) -> None:
        match happening:
            case Connected():
                self._outage.recovered(time.monotonic())
                self._connection += 1
                self._gate.close()
                self._said, self._due_at = None, 0.0
            case Disconnected():
                self._gate.open()
                self._outage.failed(f"{happening.cause}: {happening.text}", time.monotonic())
            case Arrived():
                self.on_message(happening)
            case _:
                pass

    def _let_faces_in(self) -> None:
        """End their waiting once faces are compared with what this connection has told."""
        if self._gate.shut and self._denied_heard_in == self._connection and self._in_memory():
            self._gate.open()

    def _in_memory(self) -> bool:
        try:
            return self._swapped()
        except StoreError:  # the gallery's worker says so
            return False

    def _say(self) -> None:
        """Say what is in force, once a connection and whenever it changes."""
        if not self._client.connected or self._client.room() < 1:
            return
        state = self._state()
        if state is None or not (self._store.swept and self._in_memory() and self._forgotten()):
            return
        receipt = self._receipt(state)
        if (
            self._said is not None
            and msgspec.structs.replace(receipt, said_at=self._said.said_at) == self._said
        ):
            return
        payload = signed_receipt(receipt, self._identity.signing)
        if self._client.publish(self._receipt_topic, payload, retain=True) is not None:
            self._said = receipt

    def _receipt(self, state: FleetState) -> GalleryReceipt:
        member = self._store.member
        gallery, denied = state.gallery, state.denied
        return GalleryReceipt(
            site=member.site,
            door=member.door,
            group=self._group,
            space=self._space,
            revision=state.revision,
            root=state.root,
            version=0 if gallery is None else gallery.version,
            manifest=None if gallery is None else gallery.sha256,
            people=0 if gallery is None else gallery.people,
            denied=0 if denied is None else denied.version,
            roles=0 if state.roles is None else state.roles.version,
            applied_at=0.0 if gallery is None else gallery.applied_at,
            said_at=round(self._clock.unix(), 3),
            lapsed=state.lapsed,
            refused=self._last.refused,
            text=self._last.text,
        )
