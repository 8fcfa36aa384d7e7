"""The broker, over any number of connections: attempts, versions, delays, limits.

``BrokerClient`` has no thread of its own. Whoever owns it calls ``poll`` in a loop, so that there is
no network thread that could die unseen, and what the broker says arrives in the thread that asked.
"""

import contextlib
import logging
import select
import socket
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from edged.config.sections import MqttConfig
from edged.errors import ConfigError
from edged.fleet.backoff import Backoff
from edged.fleet.connection import (
    Accepted,
    Answer,
    Arrived,
    Connection,
    Credentials,
    Ended,
    Reception,
    Refused,
    Subscribed,
    Will,
    Word,
)
from edged.fleet.negotiation import Negotiation, Version
from edged.fleet.tls import tls_context

logger = logging.getLogger(__name__)

Cause = Literal[
    "unreachable", "tls", "credentials", "version", "refused", "mute", "taken_over", "stalled", "lost"
]

# A broker that needs longer for its first word than paho waits for TCP is not there.
_CONNACK_SECONDS = 5.0
_CLOSE_SECONDS = 1.0
# MQTT 5.0, 2.4: reason codes.
_FAILURE = 0x80
_UNSUPPORTED_VERSION = 0x84
_BAD_CREDENTIALS = frozenset({0x86, 0x87, 0x8C})
_TAKEN_OVER = 0x8E
_KEEPALIVE_TEXT = "Keep alive timeout"
# Packet type and length 5, topic length 2, packet id 2, property length 4 at most.
_PACKET_OVERHEAD_BYTES = 13
# Its identifier and two lengths (2.2.2.2).
_USER_PROPERTY_BYTES = 5


@dataclass(frozen=True, slots=True)
class Connected:
    """A connection is up. ``max_packet_bytes`` and ``receive_maximum`` are the broker's limits."""

    version: Version
    max_packet_bytes: int
    receive_maximum: int


@dataclass(frozen=True, slots=True)
class Disconnected:
    """A connection, or an attempt at one, is over. ``text`` may be shown to the operator."""

    cause: Cause
    text: str


Happening = Connected | Answer | Arrived | Disconnected


class BrokerClient:
    """Publishes to one broker and hears its topics. All methods belong to one thread, except ``wake``.

    Raises ``ConfigError`` when a password or certificate file cannot be used; the files are read
    again at every connection, so a renewed certificate needs no restart.
    """

    def __init__(
        self,
        config: MqttConfig,
        *,
        client_id: str,
        will: Will | None,
        reception: Reception | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._config = config
        self._client_id = config.client_id or client_id
        self._will = will
        self._reception = reception
        self._clock = clock
        self._backoff = Backoff(config.reconnect_min_seconds, config.reconnect_max_seconds)
        self._negotiation = Negotiation(config.protocol)
        self._connection: Connection | None = None
        self._terms: Connected | None = None
        self._refusal: Refused | None = None
        self._attempt_at = self._connack_due_at = self._connected_at = 0.0
        self._unanswered: set[int] = set()
        self._subscriptions: list[str] = []
        self._happenings: list[Happening] = []
        self._secrets()
        self._wake_reader, self._wake_writer = socket.socketpair()
        self._wake_reader.setblocking(False)
        self._wake_writer.setblocking(False)

    @property
    def terms(self) -> Connected | None:
        """What the present connection allows; None while there is none."""
        return self._terms

    @property
    def connected(self) -> bool:
        """Whether the broker has accepted the present connection."""
        return self._terms is not None

    @property
    def port(self) -> int:
        """The configured port, or MQTT's own."""
        return self._config.port or (1883 if self._config.tls is None else 8883)

    def wake(self) -> None:
        """End a ``poll`` that waits; from any thread, never blocks."""
        with contextlib.suppress(OSError):  # full: it will wake anyway; closed: nobody waits
            self._wake_writer.send(b"\0")

    def subscribe(self, topic: str) -> None:
        """Hear a topic, now and at every later connection; its messages are ``Arrived``."""
        self._subscriptions.append(topic)
        if self._connection is not None and self._terms is not None:
            self._connection.subscribe(topic)

    def unsubscribe(self, topic: str) -> None:
        """Hear no more of a topic."""
        self._subscriptions.remove(topic)
        if self._connection is not None and self._terms is not None:
            self._connection.unsubscribe(topic)

    def room(self) -> int:
        """Return how many more QoS 1 messages the broker takes before it must answer one."""
        return 0 if self._terms is None else self._terms.receive_maximum - len(self._unanswered)

    def fits(
        self, topic: str, payload: bytes, event_id: str | None = None, *, replayed: bool = False
    ) -> bool:
        """Whether the broker takes a packet this large; paho does not check, the broker disconnects."""
        size = _PACKET_OVERHEAD_BYTES + len(topic.encode()) + len(payload)
        for name, value in _marks(event_id, replayed=replayed).items():
            size += _USER_PROPERTY_BYTES + len(name) + len(value.encode())
        return self._terms is not None and size <= self._terms.max_packet_bytes

    def publish(
        self,
        topic: str,
        payload: bytes,
        *,
        qos: int = 1,
        retain: bool = False,
        event_id: str | None = None,
        replayed: bool = False,
    ) -> int | None:
        """Hand over one message: a handle that its ``Answer`` carries, or None where there is no connection.

        A handle is worth nothing after a ``Disconnected``.
        """
        if self._connection is None or self._terms is None:
            return None
        marks = _marks(event_id, replayed=replayed)
        handle = self._connection.publish(topic, payload, qos=qos, retain=retain, marks=marks)
        if handle is not None and qos > 0:
            self._unanswered.add(handle)
        return handle

    def acknowledge(self, handle: int) -> None:
        """Tell the broker that an ``Arrived`` of the present connection was taken; see ``Reception``."""
        if self._connection is not None:
            self._connection.acknowledge(handle)

    def poll(self, timeout: float) -> list[Happening]:
        """Keep the connection going for up to ``timeout`` seconds and return what happened, in order.

        An attempt at a connection may take about 10 s longer, more where the resolver hangs.
        """
        now = self._clock()
        if self._connection is None and now >= self._attempt_at:
            self._attempt()
        if self._connection is not None:
            words = self._connection.serve(0 if self._happenings else timeout, self._wake_reader)
            for word in words:
                self._heard(word)
            if self._connection is not None and self._terms is None and self._clock() >= self._connack_due_at:
                self._connection.abort()
                self._down("mute", f"no answer to CONNECT within {_CONNACK_SECONDS:g} s")
        elif not self._happenings:
            wait = max(0.0, min(timeout, self._attempt_at - now))
            select.select([self._wake_reader], [], [], wait)
        with contextlib.suppress(BlockingIOError):
            while self._wake_reader.recv(4096):
                pass
        happenings, self._happenings = self._happenings, []
        return happenings

    def drop(self, why: str) -> None:
        """End the present connection as broken; the next ``poll`` reports it, later ones try again."""
        if self._connection is not None:
            self._connection.abort()
            self._down("stalled", why)

    def close(self, *, goodbye: bool) -> None:
        """Free the sockets; the object is spent. Without ``goodbye`` the broker publishes the will."""
        if self._connection is not None:
            if goodbye:
                self._connection.close(_CLOSE_SECONDS)
            else:
                self._connection.abort()
        self._connection = self._terms = None
        self._wake_reader.close()
        self._wake_writer.close()

    def _secrets(self) -> tuple[Credentials, ssl.SSLContext | None]:
        config = self._config
        password = None
        if config.password_file is not None:
            try:
                password = config.password_file.read_text(encoding="utf-8").rstrip("\r\n")
            except (OSError, UnicodeDecodeError) as exc:
                raise ConfigError([f"mqtt.password_file: cannot be read: {exc}"]) from exc
        tls = None if config.tls is None else tls_context(config.tls)
        return Credentials(self._client_id, config.username, password), tls

    def _attempt(self) -> None:
        try:
            credentials, tls = self._secrets()
        except ConfigError as exc:
            self._down("credentials", str(exc))
            return
        connection = Connection(self._negotiation.version, credentials, self._will, tls, self._reception)
        try:
            connection.open(self._config.host, self.port, self._config.keepalive_seconds)
        except ssl.SSLCertVerificationError as exc:
            self._down("tls", f"the broker's certificate is not trusted: {exc.verify_message}")
        except ssl.SSLError as exc:
            self._down("tls", f"TLS failed: {exc.reason or exc}")
        except (OSError, ValueError) as exc:
            self._down("unreachable", f"{self._config.host}:{self.port}: {exc}")
        else:
            self._connection = connection
            self._connack_due_at = self._clock() + _CONNACK_SECONDS

    def _heard(self, word: Word) -> None:
        match word:
            case Accepted():
                self._accepted(word)
            case Refused():
                self._refusal = word
            case Answer():
                self._unanswered.discard(word.handle)
                self._happenings.append(word)
            case Arrived():
                self._happenings.append(word)
            case Subscribed():
                if word.code >= _FAILURE:
                    logger.warning("the broker refuses a subscription reason=%r", word.text)
            case Ended():
                self._down(*self._verdict(word))

    def _accepted(self, word: Accepted) -> None:
        if self._connection is None:
            return
        self._connected_at = self._clock()
        self._terms = Connected(self._connection.version, word.max_packet_bytes, word.receive_maximum)
        self._negotiation.accepted()
        for topic in self._subscriptions:  # before any event, so that no acknowledgement comes too early
            self._connection.subscribe(topic)
        self._happenings.append(self._terms)

    def _verdict(self, word: Ended) -> tuple[Cause, str]:
        """Say why the connection ended."""
        if self._refusal is not None:
            code, text = self._refusal.code, self._refusal.text
            if code == _UNSUPPORTED_VERSION:
                return "version", f"the broker does not speak MQTT {self._negotiation.version}"
            return "credentials" if code in _BAD_CREDENTIALS else "refused", f"the broker refused: {text}"
        if self._terms is None:
            # TLS 1.3 refuses a client certificate after the handshake, with an alert if one is lucky.
            hint = "" if self._config.tls is None else " (so it ends where a client certificate is refused)"
            cause: Cause = "tls" if "_ssl.c" in word.text else "mute"
            return cause, f"closed before an answer to CONNECT: {word.text}{hint}"
        if word.code == _TAKEN_OVER:
            return "taken_over", f"another client uses the client id {self._client_id!r}"
        return "stalled" if word.text == _KEEPALIVE_TEXT else "lost", word.text

    def _down(self, cause: Cause, text: str) -> None:
        lasted = 0.0 if self._terms is None else self._clock() - self._connected_at
        again_at_once = False
        if self._terms is None:
            if cause == "version":
                again_at_once = self._negotiation.refused()
            elif cause == "mute":
                self._negotiation.mute()
            else:
                self._negotiation.failed()
        self._connection = self._terms = self._refusal = None
        self._unanswered.clear()
        delay = 0.0 if again_at_once else self._backoff.delay(lasted)
        self._attempt_at = self._clock() + delay
        self._happenings.append(Disconnected(cause, text))
        logger.debug("broker connection over cause=%s retry_seconds=%.1f", cause, delay)


def _marks(event_id: str | None, *, replayed: bool) -> dict[str, str]:
    """Return the user properties of an event's message."""
    marks = {} if event_id is None else {"event_id": event_id}
    return marks | ({"replayed": "true"} if replayed else {})
