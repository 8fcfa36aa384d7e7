"""Takes commands that come over MQTT, and answers each; whatever is not in order is dropped, counted, told.

Runs on the fleet's own thread. A command is remembered before it is carried out: a cut in between loses it,
and never carries it out twice.
"""

import hashlib
import logging
import secrets
import time
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from edged.domain.command_guard import NONCE_SECONDS, CommandGuard
from edged.errors import EdgedError, StoreError
from edged.fleet.broker import BrokerClient
from edged.fleet.commands import (
    NONCE_BYTES,
    BadCommandError,
    Command,
    CommandResult,
    Hello,
    NonceGiven,
    Reply,
    hello_payload,
    is_signed,
    opened_command,
    parse_plain,
    signed_reply,
)
from edged.fleet.connection import Arrived
from edged.fleet.gallery_format import Action, CommandKey
from edged.fleet.topics import Topics
from edged.membership.command_memory import CommandMemory, CommandMemoryFile
from edged.membership.identity import DoorIdentity

logger = logging.getLogger(__name__)

# One alarm a reason and minute: whoever sends rubbish shall not fill the journal.
_ALARM_SECONDS = 60.0
# A hello costs an answer, which all may use who hear it: whoever floods the door keeps nobody's command out.
_HELLO_SECONDS = 0.2


def _counted(key: CommandKey) -> str:
    """Return under what a key's commands are counted: a new key of an old name counts from its own start."""
    return f"{key.name} {hashlib.sha256(key.public).hexdigest()[:16]}"


Act = Callable[[Command], Mapping[str, Any]]


class RefusedCommandError(EdgedError):
    """A command that is in order and cannot be carried out now."""


class CommandDesk:
    """``remembered`` is what ``memory`` holds; ``acts`` carries out each action and returns the facts.

    An act may raise ``EdgedError``. ``keys`` are those that may command now, ``certain`` a Unix time that has
    passed. ``withheld`` says why an action must wait, if it must. ``record`` is told each command in order
    with its result, ``alarm`` each kind of refusal; ``count`` every result.
    """

    def __init__(
        self,
        client: BrokerClient,
        topics: Topics,
        identity: DoorIdentity,
        memory: CommandMemoryFile,
        remembered: CommandMemory,
        *,
        keys: Callable[[], list[CommandKey]],
        acts: Mapping[Action, Act],
        certain: Callable[[], float],
        withheld: Callable[[Action], str | None],
        record: Callable[[Command, CommandResult, str], None],
        alarm: Callable[[str, Mapping[str, Any]], None],
        count: Callable[[CommandResult], None] = lambda _result: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._topics = topics
        self._identity = identity
        self._file = memory
        self._memory = remembered
        self._keys = keys
        self._acts = acts
        self._certain = certain
        self._withheld = withheld
        self._record = record
        self._alarm = alarm
        self._count = count
        self._clock = clock
        self._guard = CommandGuard(dict(self._memory.counters))
        self._hello_at = float("-inf")
        self._alarmed: dict[str, float] = {}
        for topic in (topics.command_hello, topics.command_run):
            client.subscribe(topic)

    @property
    def memory(self) -> CommandMemory:
        """What is remembered, lockdown included."""
        return self._memory

    def remember(self, memory: CommandMemory) -> None:
        """Keep it, on disk first. Raises ``StoreError``."""
        self._file.write(memory)
        self._memory = memory

    def heard(self, message: Arrived) -> bool:
        """Take a message of one of our topics; say whether it was one."""
        if message.topic == self._topics.command_hello:
            self._hello(message)
        elif message.topic == self._topics.command_run:
            self._run(message)
        else:
            return False
        return True

    def _hello(self, message: Arrived) -> None:
        try:
            hello = parse_plain(message, Hello)
        except BadCommandError as exc:
            self._dropped(exc.result, str(exc))
            return
        now = self._clock()
        if now - self._hello_at < _HELLO_SECONDS:
            return
        self._hello_at = now
        nonce = secrets.token_hex(NONCE_BYTES)
        self._guard.give(nonce, now)
        given = NonceGiven(id=hello.id, nonce=nonce, seconds=NONCE_SECONDS)
        self._client.publish(self._topics.command_nonce, hello_payload(given))

    def _run(self, message: Arrived) -> None:
        try:
            command, key = self._checked(message)
        except BadCommandError as exc:
            self._dropped(exc.result, str(exc))
            return
        result, text, facts = self._carried_out(command, key)
        self._count(result)
        self._record(command, result, text)
        logger.info("command action=%s key=%s result=%s text=%r", command.action, command.key, result, text)
        reply = Reply(
            id=command.id, site=command.site, door=command.door, result=result, text=text[:400],
            facts=dict(facts),
        )  # fmt: skip
        self._client.publish(self._topics.command_reply, signed_reply(reply, self._identity.signing))

    def _checked(self, message: Arrived) -> tuple[Command, CommandKey]:
        """Return a command that this door has to obey, and whose. Raises ``BadCommandError``."""
        command, data, signature = opened_command(message)
        try:
            key = next((key for key in self._keys() if key.name == command.key), None)
        except StoreError as exc:
            raise BadCommandError("unknown_key", f"the list of keys cannot be read: {exc}") from exc
        if key is None:
            raise BadCommandError("unknown_key", f"key {command.key!r} may command nothing here")
        if not is_signed(data, signature, key.public):
            raise BadCommandError("signature", f"not signed by key {command.key!r}")
        own = (self._topics.site, self._topics.door)
        if (command.site, command.door) != own:
            raise BadCommandError("wrong_door", f"meant for {command.site}/{command.door}")
        if command.action not in key.may or (key.doors is not None and own[1] not in key.doors):
            raise BadCommandError("not_allowed", f"key {key.name!r} may not {command.action} here")
        if key.until is not None and self._certain() >= key.until:
            raise BadCommandError("key_expired", f"key {key.name!r} has expired")
        if self._certain() >= command.expires_at:
            raise BadCommandError("expired", "the command has expired")
        if not self._guard.spend(command.nonce, self._clock()):
            raise BadCommandError("nonce", "its nonce was not given here, is old, or was used")
        if not self._guard.is_next(_counted(key), command.counter):
            raise BadCommandError("counter", f"key {key.name!r} has given a later command already")
        return command, key

    def _carried_out(self, command: Command, key: CommandKey) -> tuple[CommandResult, str, Mapping[str, Any]]:
        if (why := self._withheld(command.action)) is not None:
            return "refused", why, {}
        try:
            counters = dict(self._guard.counted(_counted(key), command.counter))
            self.remember(msgspec.structs.replace(self._memory, counters=counters))
        except StoreError as exc:
            if command.action != "lockdown":  # a full disk must not keep the door open
                return "failed", f"not carried out, since it cannot be remembered: {exc}", {}
        try:
            return "done", "", self._acts[command.action](command)
        except RefusedCommandError as exc:
            return "refused", str(exc), {}
        except EdgedError as exc:
            return "failed", str(exc), {}

    def _dropped(self, result: CommandResult, text: str) -> None:
        self._count(result)
        now = self._clock()
        if now - self._alarmed.get(result, float("-inf")) < _ALARM_SECONDS:
            logger.debug("command dropped result=%s text=%r", result, text)
            return
        self._alarmed[result] = now
        logger.warning("command dropped result=%s text=%r", result, text)
        self._alarm("command_dropped", {"reason": result})
