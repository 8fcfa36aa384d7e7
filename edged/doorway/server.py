"""The readers of the door process: who may speak, what they say, what they are told.

A connection belongs to a user that is allowed, by the kernel's word. It begins with a hello. It ends, and
with it what its reader was granted, at the end of the other process, at a silence of ``SILENCE_SECONDS``,
and at anything that is no message. One packet of each reader is heard a turn: no reader can keep the door
from its deadlines.
"""

import logging
import selectors
import socket
from collections.abc import Callable
from dataclasses import dataclass, field

from msgspec import UNSET, UnsetType

from edged import __version__
from edged.devices import timekeeping
from edged.doorway.channel import Channel
from edged.doorway.keeper import Keeper
from edged.doorway.ledger import Ledger
from edged.doorway.messages import (
    MOST_ABSENT,
    SILENCE_SECONDS,
    Answer,
    Former,
    FromDoor,
    FromReader,
    Happened,
    Hello,
    Look,
    Reset,
    Secure,
    Show,
    Status,
    Taken,
    TurnedAway,
    Unlock,
    Welcome,
    from_reader,
)
from edged.doorway.spool import Spool
from edged.errors import DoorwayError

logger = logging.getLogger(__name__)

_MOST_PEERS = 8
_WINDOW = 16  # events offered to a reader and not yet taken
_TURN_SECONDS = 0.25
_LOOK_SECONDS = 1.5
# Less than a turn: a door that turns is heard by its readers at each, and one that hangs is not.
_TELL_SECONDS = 0.2


@dataclass(eq=False)
class _Peer:
    """One connection; ``hello`` is None until it has said who it is."""

    channel: Channel
    heard_at: float
    hello: Hello | None = None
    told: Status | None = None
    told_at: float = float("-inf")
    offered: set[str] = field(default_factory=set)

    @property
    def name(self) -> str:
        return "?" if self.hello is None else self.hello.reader


class Server:
    """Speaks to readers for ``keeper``; ``turn`` is called for ever, by the thread that keeps the door."""

    def __init__(
        self,
        keeper: Keeper,
        ledger: Ledger,
        spool: Spool,
        *,
        lock_name: str,
        allowed: frozenset[int],
        clock: Callable[[], float],
    ) -> None:
        self.look: Look = "idle"
        self.look_until = float("-inf")
        self._keeper = keeper
        self._ledger = ledger
        self._spool = spool
        self._welcome = Welcome(version=__version__, boot_id=ledger.boot_id, lock=lock_name)
        self._allowed = allowed
        self._clock = clock
        self._peers: list[_Peer] = []
        self._selector = selectors.DefaultSelector()

    @property
    def readers(self) -> int:
        """How many readers that watch a camera are there."""
        return sum(peer.hello is not None and peer.hello.listens for peer in self._peers)

    @property
    def deserted(self) -> bool:
        """Whether nobody is connected."""
        return not self._peers

    def look_age(self, now: float) -> float:
        """Return for how many seconds the word of a reader on what to show has stood."""
        return now - (self.look_until - _LOOK_SECONDS)

    def wake_on(self, end: socket.socket) -> None:
        """Let whatever arrives at ``end`` end the wait of a turn."""
        self._selector.register(end, selectors.EVENT_READ, end)

    def listen_on(self, listener: socket.socket) -> None:
        """Take connections of ``listener``."""
        self._selector.register(listener, selectors.EVENT_READ, listener)

    def join(self, end: socket.socket, *, inherited: bool = False) -> None:
        """Take one connection, if its user is allowed.

        Whoever started this process is told at once that the line is held, and may say hello when it likes.
        """
        channel = Channel(end)
        if channel.uid not in self._allowed or len(self._peers) >= _MOST_PEERS:
            logger.warning("connection refused uid=%d pid=%d", channel.uid, channel.pid)
            channel.close()
            return
        peer = _Peer(channel, self._clock())
        self._peers.append(peer)
        self._selector.register(channel, selectors.EVENT_READ, peer)
        if inherited:
            peer.heard_at = float("inf")
            self._say(peer, self._welcome)

    def turn(self) -> None:
        """Wait for the next deadline or message, and do what it asks for. Raises ``LockError``."""
        for key, _ in self._selector.select(min(_TURN_SECONDS, self._keeper.due_in())):
            if isinstance(key.data, _Peer):
                self._hear(key.data)
            else:
                self._wake(key.data)
        self._keeper.turn()
        now = self._clock()
        for peer in tuple(self._peers):
            if now - peer.heard_at > SILENCE_SECONDS:
                self._lose(peer, "silent")
        self._tell()

    def close(self) -> None:
        """Say the last words and end every connection."""
        self._tell()
        for peer in tuple(self._peers):
            self._end(peer)
        self._selector.close()

    def _wake(self, end: socket.socket) -> None:
        if not end.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            end.recv(64)
            return
        try:
            accepted, _ = end.accept()
        except OSError as exc:
            logger.warning("connection lost before it began error=%s", exc.strerror)
        else:
            self.join(accepted)

    def _hear(self, peer: _Peer) -> None:
        try:
            packet = peer.channel.receive()
            if packet is None:
                return
            message = from_reader(packet)
            # Once: whoever took another name would leave behind what it was granted under the first.
            if (peer.hello is None) != isinstance(message, Hello):
                raise DoorwayError("expected a hello, first and once")  # noqa: TRY301 - one way out for all
        except DoorwayError as exc:
            self._lose(peer, str(exc))
            return
        peer.heard_at = self._clock()
        self._heed(peer, message)

    def _heed(self, peer: _Peer, message: FromReader) -> None:
        match message:
            case Hello():
                self._greet(peer, message)
            case Unlock():
                self._keeper.request(peer.name, message)
            case Secure():
                self._keeper.drop(peer.name)
            case Taken(event=event):
                if event in peer.offered:
                    peer.offered.discard(event)
                    self._spool.taken(event)
                    self._ledger.tell_lost()
            case Show(look=look):
                self.look, self.look_until = look, self._clock() + _LOOK_SECONDS
            case Reset():
                self._keeper.reset()

    def _greet(self, peer: _Peer, hello: Hello) -> None:
        """Take a reader in, unless one of its name is there and alive.

        Two that threw each other out would end each other's grants for ever, and neither would know why. One
        that hangs is alive until it has been silent for too long. Visitors share their name.
        """
        for other in tuple(self._peers):
            if other is peer or other.name != hello.reader or not (hello.listens or _listens(other)):
                continue
            if not other.channel.gone:
                self._turn_away(peer, other, hello.reader)
                return
            self._lose(other, "the other end is gone")
        peer.hello = hello
        if hello.listens:
            self._ledger.casual.discard(hello.reader)
        else:
            self._ledger.casual.add(hello.reader)
        logger.info("reader connected name=%s uid=%d", hello.reader, peer.channel.uid)
        if hello.listens and (absent := self._absent()):
            logger.warning("events wait for readers that are not connected names=%s", ",".join(absent))
        self._say(peer, self._welcome)

    def _turn_away(self, peer: _Peer, other: _Peer, name: str) -> None:
        """Say no, and leave it to the other end to close: what is closed with words unheard is reset."""
        logger.warning(
            "reader turned away name=%s pid=%d: another reader of this name is connected pid=%d; "
            "each needs a site and door_id of its own", name, peer.channel.pid, other.channel.pid,
        )  # fmt: skip
        reason = f"another reader of this name is connected: {name}, process {other.channel.pid}"
        self._say(peer, TurnedAway(reason=reason))

    def _lose(self, peer: _Peer, why: str) -> None:
        """End a connection and what its reader was granted. Raises ``LockError``."""
        if peer not in self._peers:
            return
        logger.info("reader gone name=%s why=%s", peer.name, why)
        self._end(peer)
        if peer.hello is not None:
            self._keeper.drop(peer.name)

    def _end(self, peer: _Peer) -> None:
        self._peers.remove(peer)
        self._selector.unregister(peer.channel)
        peer.channel.close()

    def _say(self, peer: _Peer, message: FromDoor) -> bool:
        try:
            peer.channel.send(message)
        except DoorwayError as exc:
            self._lose(peer, str(exc))
            return False
        return True

    def _tell(self) -> None:
        refusals = self._ledger.refusals
        while refusals:
            no = refusals.popleft()
            answer = Answer(request=no.request, result=no.result, reason=no.reason, at=no.at)
            for peer in [peer for peer in self._peers if peer.hello and peer.name == no.reader]:
                self._say(peer, answer)
        greeted = [peer for peer in self._peers if peer.hello is not None]
        self._offer([peer for peer in greeted if peer.hello is not None and peer.hello.listens])
        now = self._clock()
        for peer in greeted:
            status = self._status(peer)
            due = peer.told != status or now - peer.told_at >= _TELL_SECONDS
            if due and peer in self._peers:
                peer.told, peer.told_at = status, now
                self._say(peer, status)

    def _offer(self, listening: list[_Peer]) -> None:
        """Offer the oldest events to whom they belong; those of nobody to whoever connected first."""
        if not listening:
            return
        for event in tuple(self._spool.waiting.values()):
            open_peers = [peer for peer in listening if len(peer.offered) < _WINDOW]
            if not open_peers:
                return
            peer = _addressee(event, listening)
            if peer is None or peer not in open_peers or event.event in peer.offered:
                continue
            if self._say(peer, event):
                peer.offered.add(event.event)
            else:
                listening.remove(peer)

    def _status(self, peer: _Peer) -> Status:
        door, contact = self._keeper.door, self._keeper.has_contact
        return Status(
            condition=door.condition.value,
            released=door.released,
            leaf=None if not contact else "open" if door.leaf_open else "shut",
            tampered=door.tampered,
            waiting=len(peer.offered),
            kept=self._spool.kept,
            faulty=self._keeper.faulty,
            time_synced=timekeeping.synced(),
            absent=self._absent() or UNSET,
        )

    def _absent(self) -> tuple[str, ...]:
        """Name readers for whom events wait, and who are not here under any name of theirs."""
        hellos = [peer.hello for peer in self._peers if peer.hello is not None and peer.hello.listens]
        here = {hello.reader for hello in hellos}
        here |= {one.name for hello in hellos for one in _former(hello) if self._all_before(one)}
        return tuple(sorted(self._spool.readers.keys() - here)[:MOST_ABSENT])

    def _all_before(self, former: Former) -> bool:
        """Whether all that waits for a name given up is from before: the rest is for who has it now."""
        events = self._spool.waiting.values() if former.name in self._spool.readers else ()
        return all(event.ts <= former.until for event in events if event.reader == former.name)


def _listens(peer: _Peer) -> bool:
    return peer.hello is not None and peer.hello.listens


def _former(hello: Hello) -> tuple[Former, ...]:
    return () if isinstance(hello.formerly, UnsetType) else hello.formerly


def _addressee(event: Happened, listening: list[_Peer]) -> _Peer | None:
    """Return whom an event is for, None while nobody of them is there.

    What a reader was granted waits for that reader, for however long: it takes back the punch of a grant
    whose answer its own journal lacks, and another's journal would be of no use to it. One that was renamed
    is that reader still, and whoever has the name by now is not.
    """
    if event.reader is None:
        return listening[0] if listening else None
    for peer in listening:
        former = () if peer.hello is None else _former(peer.hello)
        if any(one.name == event.reader and event.ts <= one.until for one in former):
            return peer
    return next((peer for peer in listening if peer.name == event.reader), None)
