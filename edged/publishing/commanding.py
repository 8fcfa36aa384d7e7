"""Giving a command to doors and hearing what came of it: hello, nonce, command, signed reply."""

import contextlib
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from edged.errors import FleetError
from edged.fleet.broker import BrokerClient, Disconnected
from edged.fleet.commands import (
    BadCommandError,
    Command,
    Hello,
    NonceGiven,
    Reply,
    checked_reply,
    hello_payload,
    parse_plain,
    signed_command,
)
from edged.fleet.connection import Arrived
from edged.fleet.gallery_format import Action
from edged.fleet.topics import Topics
from edged.publishing.connecting import await_broker
from edged.publishing.register import Fleet

_TURN_SECONDS = 0.2
# A radio link may lose one; a door answers five a second.
_HELLO_SECONDS = 1.0
# By then a door that is there has answered, unless others keep it busy.
_BORROW_SECONDS = 1.0
# A door carries out what opens and shuts within some milliseconds; only for a nonce that was not our own.
_AGAIN_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Order:
    """What is commanded, and why."""

    action: Action
    reason: str = ""
    args: Mapping[str, str | int] = field(default_factory=dict)


def objection(fleet: Fleet, name: str, public: bytes, action: Action, door: str) -> str | None:
    """Say why ``door`` will drop ``action`` by the key ``name``, as far as this desk has published it.

    None where it has nothing against it; the door looks for itself all the same.
    """
    group = fleet.door(door).group
    key = next((known for known in fleet.group(group).commanders if known.name == name), None)
    if key is None:
        return f"door {door}: no key {name!r} gives commands to group {group}"
    if key.public != public:
        return f"door {door}: the key {name!r} in this folder is not the one that was published"
    if action not in key.may:
        return f"door {door}: key {name!r} may not {action}, only {', '.join(key.may)}"
    if key.doors is not None and door not in key.doors:
        return f"door {door}: key {name!r} commands only {', '.join(key.doors)}"
    if key.until is not None and time.time() >= key.until:
        return f"door {door}: the last day of key {name!r} is past"
    return None


@dataclass(slots=True)
class _Errand:
    """One door on the way from hello to reply. Times are monotonic; ``command`` is what was sent last."""

    topics: Topics
    public: bytes
    began_at: float
    hello: Hello
    asked_at: float = float("-inf")
    asking: bool = True
    borrowed: bool = False
    sent_at: float = 0.0
    command: Command | None = None

    @property
    def door(self) -> str:
        """Its name."""
        return self.topics.door

    def nonce(self, message: Arrived, now: float) -> str | None:
        """Return a nonce to use: what answers our hello, or after a while what the door gave somebody else.

        It does not answer everybody where somebody floods it with hellos, and a nonce is nobody's own.
        """
        given = parse_plain(message, NonceGiven)
        borrowed = given.id != self.hello.id
        if not self.asking or (borrowed and now - self.began_at < _BORROW_SECONDS):
            return None
        self.asking, self.borrowed, self.sent_at = False, borrowed, now
        return given.nonce

    def reply(self, message: Arrived) -> Reply | None:
        """Return the door's answer to what was sent, if it is one."""
        reply = checked_reply(message, self.public)
        mine = self.command is not None and (reply.id, reply.door) == (self.command.id, self.door)
        return reply if mine else None

    def late(self) -> str:
        """Say what has not come."""
        if self.command is None:
            return f"door {self.door} gave no nonce: it is off, or not of this fleet"
        return f"door {self.door} did not answer: it may have dropped the command, or carried it out unheard"


class Commander:
    """Signs with the key ``name``; for one thread. ``client`` is its own from here on: ``close`` it."""

    def __init__(
        self, client: BrokerClient, prefix: str, site: str, name: str, key: Ed25519PrivateKey
    ) -> None:
        self._client = client
        self._prefix = prefix
        self._site = site
        self._name = name
        self._key = key

    def close(self) -> None:
        """Leave the broker."""
        self._client.close(goodbye=True)

    def command(self, door: str, public: bytes, order: Order, seconds: float) -> Reply:
        """Return the door's reply; ``public`` is its signing key. Raises ``FleetError`` where none comes."""
        answer = self.command_all({door: public}, order, seconds)[door]
        if isinstance(answer, str):
            raise FleetError(answer)
        return answer

    def command_all(
        self,
        doors: Mapping[str, bytes],
        order: Order,
        seconds: float,
        told: Callable[[Reply], None] = lambda _reply: None,
    ) -> dict[str, Reply | str]:
        """Command several doors at the same time, by name and signing key; each has all of ``seconds``.

        Return the reply of each, or why there is none; ``told`` hears of each as it comes. Raises
        ``FleetError`` where the broker is not there: nothing was sent.
        """
        errands = [
            _Errand(
                Topics(self._prefix, self._site, door),
                public,
                time.monotonic(),
                Hello(id=secrets.token_hex(16)),
            )
            for door, public in doors.items()
        ]
        heard = [each.topics.command_nonce for each in errands] + [
            each.topics.command_reply for each in errands
        ]
        for topic in heard:
            self._client.subscribe(topic)
        try:
            await_broker(self._client)
            return self._all(errands, order, time.monotonic() + seconds, told)
        finally:
            for topic in heard:
                self._client.unsubscribe(topic)

    def _all(
        self, errands: list[_Errand], order: Order, deadline: float, told: Callable[[Reply], None]
    ) -> dict[str, Reply | str]:
        replies: dict[str, Reply | str] = {}
        while len(replies) < len(errands) and (now := time.monotonic()) < deadline:
            waiting = [each for each in errands if each.door not in replies]
            for errand in waiting:
                self._ask(errand, now)
            for happening in self._client.poll(min(_TURN_SECONDS, deadline - now)):
                if isinstance(happening, Disconnected):
                    lost = f"the connection to the broker was lost: {happening.text}"
                    return {each.door: replies.get(each.door, f"{lost}; {each.late()}") for each in errands}
                if isinstance(happening, Arrived):
                    reply = self._take(happening, waiting, order, deadline)
                    if reply is not None and reply.door not in replies:
                        replies[reply.door] = reply
                        told(reply)
        return {each.door: replies.get(each.door, each.late()) for each in errands}

    def _ask(self, errand: _Errand, now: float) -> None:
        """Say hello, and again each second until a nonce comes, as far as the broker has room.

        Who took a nonce that was given to somebody else may not have been the first: where no reply comes,
        the same command goes out with another one. By its counter the door carries it out once.
        """
        errand.asking |= errand.borrowed and now - errand.sent_at >= _AGAIN_SECONDS
        if errand.asking and now - errand.asked_at >= _HELLO_SECONDS and self._client.room() > 0:
            errand.asked_at = now
            self._client.publish(errand.topics.command_hello, hello_payload(errand.hello))

    def _take(self, message: Arrived, waiting: list[_Errand], order: Order, deadline: float) -> Reply | None:
        """Go on with what came for one of the doors; what others forge is passed over."""
        for errand in waiting:
            with contextlib.suppress(BadCommandError):
                if message.topic == errand.topics.command_reply:
                    return errand.reply(message)
                if message.topic == errand.topics.command_nonce:
                    now = time.monotonic()
                    nonce = errand.nonce(message, now)
                    if nonce is not None:
                        self._send(errand, nonce, order, max(1.0, deadline - now))
        return None

    def _send(self, errand: _Errand, nonce: str, order: Order, seconds: float) -> None:
        first = errand.command or Command(
            id=secrets.token_hex(16),
            site=self._site,
            door=errand.door,
            action=order.action,
            key=self._name,
            nonce=nonce,
            counter=time.time_ns() // 1_000,
            expires_at=time.time() + seconds,
            reason=order.reason,
            args=dict(order.args),
        )
        errand.command = msgspec.structs.replace(first, nonce=nonce)
        self._client.publish(errand.topics.command_run, signed_command(errand.command, self._key))
