"""Giving a command to a door and hearing what came of it: hello, nonce, command, signed reply."""

import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

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
T = TypeVar("T")


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
        topics = Topics(self._prefix, self._site, door)
        deadline = time.monotonic() + seconds
        for topic in (topics.command_nonce, topics.command_reply):
            self._client.subscribe(topic)
        try:
            await_broker(self._client)
            nonce = self._nonce(topics, deadline)
            command = Command(
                id=secrets.token_hex(16),
                site=self._site,
                door=door,
                action=order.action,
                key=self._name,
                nonce=nonce,
                counter=time.time_ns() // 1_000,
                expires_at=time.time() + max(1.0, seconds),
                reason=order.reason,
                args=dict(order.args),
            )
            self._client.publish(topics.command_run, signed_command(command, self._key))
            return self._wait(
                deadline,
                lambda message: self._reply(message, topics, command.id, public),
                f"door {door} did not answer: it may have dropped the command, or carried it out unheard",
            )
        finally:
            for topic in (topics.command_nonce, topics.command_reply):
                self._client.unsubscribe(topic)

    def _nonce(self, topics: Topics, deadline: float) -> str:
        hello = Hello(id=secrets.token_hex(16))

        def given(message: Arrived) -> str | None:
            if message.topic != topics.command_nonce:
                return None
            answer = parse_plain(message, NonceGiven)
            return answer.nonce if answer.id == hello.id else None

        text = f"door {topics.door} gave no nonce: it is off, or not of this fleet"
        while True:
            self._client.publish(topics.command_hello, hello_payload(hello))
            found = self._wait_once(min(deadline, time.monotonic() + 1.0), given)
            if found is not None:
                return found
            if time.monotonic() >= deadline:
                raise FleetError(text)

    @staticmethod
    def _reply(message: Arrived, topics: Topics, command_id: str, public: bytes) -> Reply | None:
        if message.topic != topics.command_reply:
            return None
        reply = checked_reply(message, public)
        return reply if reply.id == command_id and reply.door == topics.door else None

    def _wait(self, deadline: float, take: Callable[[Arrived], T | None], late: str) -> T:
        found = self._wait_once(deadline, take)
        if found is None:
            raise FleetError(late)
        return found

    def _wait_once(self, deadline: float, take: Callable[[Arrived], T | None]) -> T | None:
        """Return what ``take`` makes of the first message that it takes; what others forge is passed over."""
        while time.monotonic() < deadline:
            for happening in self._client.poll(min(_TURN_SECONDS, max(0.0, deadline - time.monotonic()))):
                if isinstance(happening, Disconnected):
                    raise FleetError(f"the connection to the broker was lost: {happening.text}")
                if isinstance(happening, Arrived):
                    try:
                        found = take(happening)
                    except BadCommandError:
                        continue
                    if found is not None:
                        return found
        return None
