"""One connection to the broker: a fresh paho client, from TCP to its end.

A client is never used twice. paho keeps unacknowledged messages over a reconnect and sends all of
them at once, whatever limit is set; with a new client there is nothing to resend, and the outbox
alone decides what goes out. A new client is also the only way to change the protocol version.

Everything runs in the thread that calls ``serve``. paho writes from whichever thread publishes when
its own thread is not used, so two threads could tear a packet apart; and an application lock taken
in a callback deadlocks with paho's own. Callbacks only put what happened into a queue. One that raises has
lost what it was told, be it that the broker accepted us or that it has a message: the connection ends then.
"""

import contextlib
import logging
import queue
import select
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, LogLevel, MQTTErrorCode
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from edged.fleet.negotiation import Version

logger = logging.getLogger(__name__)

# paho's own default for TCP and, again, for TLS.
_CONNECT_SECONDS = 5.0
# MQTT 5.0, 2.1.4: the largest packet there can be; and 3.2.2.3.3: the receive maximum unless said.
_LARGEST_PACKET = 268_435_455
_RECEIVE_MAXIMUM = 65_535
# What we take from others; MQTT 5 tells the broker not to send us more (3.1.2.11.4).
LARGEST_ARRIVAL = 65_536
# What paho 2.2.0 logs instead of an exception of ours (``suppress_exceptions``).
_CALLBACK_RAISED = "Caught exception in "


@dataclass(frozen=True, slots=True)
class Accepted:
    """The broker accepted the connection, on these terms."""

    max_packet_bytes: int
    receive_maximum: int


@dataclass(frozen=True, slots=True)
class Refused:
    """The broker refused the connection: MQTT 5 reason code and its name."""

    code: int
    text: str


@dataclass(frozen=True, slots=True)
class Answer:
    """The broker answered one publish. On MQTT 3.1.1 the code is always 0: nothing else can be said."""

    handle: int
    code: int
    text: str


@dataclass(frozen=True, slots=True)
class Ended:
    """The connection is over. ``code`` is the broker's own reason, None where it gave none."""

    code: int | None
    text: str


@dataclass(frozen=True, slots=True)
class Arrived:
    """A message of a topic subscribed to. ``payload`` is cut at ``LARGEST_ARRIVAL``, ``size`` is not.

    ``dup``: the broker sent it before, on a connection that is over; one that keeps nothing hears none.
    ``handle`` is for ``acknowledge``, where the broker waits for a word (see ``Reception``).
    """

    topic: str
    payload: bytes
    size: int
    retain: bool
    dup: bool = False
    handle: int | None = None


@dataclass(frozen=True, slots=True)
class Subscribed:
    """The broker answered a subscription; a ``code`` from 0x80 on is a refusal."""

    code: int
    text: str


@dataclass(frozen=True, slots=True)
class Reception:
    """How somebody hears who may lose nothing; MQTT 5 only.

    The broker is told of no message that ``acknowledge`` was not called for, and sends those again at the
    next connection: it keeps the session for ``session_seconds`` of absence. ``at_once``: how many messages
    may wait for that word. ``largest_bytes``: of a packet.
    """

    session_seconds: int
    at_once: int
    largest_bytes: int


Word = Accepted | Refused | Answer | Arrived | Subscribed | Ended


@dataclass(frozen=True, slots=True)
class Credentials:
    """Who we are to the broker. ``password`` without its line end."""

    client_id: str
    username: str | None = None
    password: str | None = None


@dataclass(frozen=True, slots=True)
class Will:
    """What the broker says, retained and with QoS 1, when we vanish."""

    topic: str
    payload: bytes


class Connection:
    """See the module. ``serve`` returns what happened; after an ``Ended`` the object is spent."""

    def __init__(
        self,
        version: Version,
        credentials: Credentials,
        will: Will | None,
        tls: ssl.SSLContext | None = None,
        reception: Reception | None = None,
    ) -> None:
        self.version = version
        self._reception = reception
        self._largest = LARGEST_ARRIVAL if reception is None else reception.largest_bytes
        # Bounded by who fills it: paho's callbacks run within our own calls, ``loop_read`` reads a packet for
        # each message in flight at most, and ``serve`` empties it at the end of each turn.
        self._words: queue.SimpleQueue[Word] = queue.SimpleQueue()
        self._fault: str | None = None
        self._aborted = False
        self._unheard = False
        v5 = version == "5"
        self._client = client = paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id=credentials.client_id,
            # The outbox keeps what waits, and subscriptions are made anew: the broker need keep nothing.
            clean_session=None if v5 else True,
            protocol=paho.MQTTv5 if v5 else paho.MQTTv311,
            reconnect_on_failure=False,
            manual_ack=reception is not None,
        )
        client.suppress_exceptions = True
        client.connect_timeout = _CONNECT_SECONDS
        if will is not None:
            client.will_set(will.topic, will.payload, qos=1, retain=True)
        if credentials.username is not None:
            client.username_pw_set(credentials.username, credentials.password)
        if tls is not None:
            client.tls_set_context(tls)
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_publish = self._on_publish
        client.on_log = self._on_log
        client.on_message = self._on_message
        client.on_subscribe = self._on_subscribe

    def open(self, host: str, port: int, keepalive_seconds: int) -> None:
        """Connect and send CONNECT; blocks about 5 s for TCP and for TLS. Raises ``OSError``."""
        options: dict[str, Any] = {}
        if self.version == "5":
            properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
            properties.MaximumPacketSize = self._largest
            if self._reception is not None:
                properties.SessionExpiryInterval = self._reception.session_seconds
                properties.ReceiveMaximum = self._reception.at_once
            options = {"clean_start": self._reception is None, "properties": properties}
        self._client.connect(host, port, keepalive_seconds, **options)
        sock: Any = self._client.socket()
        if sock is not None:  # small packets back and forth: Nagle's wait would add 40 ms to each turn
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def publish(
        self, topic: str, payload: bytes, *, qos: int, retain: bool, marks: Mapping[str, str]
    ) -> int | None:
        """Hand one message to the broker; its handle, or None where the connection is over.

        ``marks`` are user properties, which MQTT 3.1.1 does not know.
        """
        properties = None
        if marks and self.version == "5":
            properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
            properties.UserProperty = list(marks.items())
        info = self._client.publish(topic, payload, qos, retain, properties)
        return info.mid if info.rc == MQTTErrorCode.MQTT_ERR_SUCCESS else None

    def subscribe(self, topic: str) -> None:
        """Ask for the messages of a topic, QoS 1; the answer is a ``Subscribed``."""
        if self.version == "5":
            # As published: whoever sets the flag is told apart from whoever speaks now.
            self._client.subscribe(topic, options=SubscribeOptions(qos=1, retainAsPublished=True))
        else:
            self._client.subscribe(topic, 1)

    def unsubscribe(self, topic: str) -> None:
        """Hear no more of a topic."""
        self._client.unsubscribe(topic)

    def acknowledge(self, handle: int) -> None:
        """Tell the broker that a message was taken; see ``Reception``."""
        self._client.ack(handle, 1)

    def serve(self, timeout: float, wake: socket.socket) -> list[Word]:
        """Read and write for up to ``timeout`` seconds, less if something came or ``wake`` is readable."""
        sock = self._client.socket()
        if sock is not None and not self._aborted and self._words.empty():
            try:
                self._turn(sock, timeout, wake)
            except Exception as exc:  # paho read a peer's bytes: whatever it was, this connection ends
                logger.debug("broker sent something paho cannot read", exc_info=exc)
                self._fault = f"unreadable packet: {type(exc).__name__}"
                self.abort()
        if self._unheard and not self._aborted:
            self.abort()
        words = []
        with contextlib.suppress(queue.Empty):
            while True:
                words.append(self._words.get_nowait())
        ended = [word for word in words if isinstance(word, Ended)]
        words = [word for word in words if not isinstance(word, Ended)]
        if (
            self._aborted or self._client.socket() is None
        ):  # the truth; paho reports some ends twice and some not at all
            words.append(ended[0] if ended else Ended(None, self._fault or "connection lost"))
        return words

    def _turn(self, sock: Any, timeout: float, wake: socket.socket) -> None:
        client = self._client
        # Bytes that TLS has decrypted already are not seen by poll().
        buffered = isinstance(sock, ssl.SSLSocket) and sock.pending() > 0
        poller = select.poll()
        poller.register(sock, select.POLLIN | (select.POLLOUT if client.want_write() else 0))
        poller.register(wake, select.POLLIN)
        ready = dict(poller.poll(0 if buffered else max(0, round(timeout * 1000))))
        events = ready.get(sock.fileno(), 0)
        if buffered or events & ~select.POLLOUT:
            client.loop_read()
        if events & select.POLLOUT:
            client.loop_write()
        client.loop_misc()

    def close(self, timeout: float) -> None:
        """Say goodbye, so that the broker drops the will; wait up to ``timeout`` seconds to get it out."""
        with contextlib.suppress(OSError):
            self._client.disconnect()
            sock = self._client.socket()
            if sock is not None:
                select.select([], [sock], [], timeout)
                self._client.loop_write()
        self.abort()

    def abort(self) -> None:
        """End the connection without a goodbye: the broker publishes the will."""
        self._aborted = True
        sock: Any = self._client.socket()
        if sock is None:
            return
        with contextlib.suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)
        with contextlib.suppress(Exception):  # clean-up: paho notices the end and lets go of the socket
            self._client.loop_read()
        with contextlib.suppress(OSError):
            sock.close()

    def _on_connect(
        self,
        _client: object,
        _data: object,
        _flags: object,
        reason: ReasonCode,
        properties: Properties | None,
    ) -> None:
        if reason.is_failure:
            self._words.put(Refused(reason.value, str(reason)))
            return
        largest = getattr(properties, "MaximumPacketSize", _LARGEST_PACKET)
        maximum = getattr(properties, "ReceiveMaximum", _RECEIVE_MAXIMUM)
        self._words.put(Accepted(int(largest), int(maximum)))

    def _on_disconnect(
        self, _client: object, _data: object, flags: paho.DisconnectFlags, reason: ReasonCode, _p: object
    ) -> None:
        told = flags.is_disconnect_packet_from_server
        text = str(reason) if told or self._fault is None else self._fault
        self._words.put(Ended(reason.value if told else None, text))

    def _on_publish(
        self, _client: object, _data: object, mid: int, reason: ReasonCode, _properties: object
    ) -> None:
        self._words.put(Answer(mid, reason.value, str(reason)))

    def _on_message(self, _client: object, _data: object, message: paho.MQTTMessage) -> None:
        size = len(message.payload)
        payload = bytes(message.payload[: self._largest])
        handle = message.mid if message.qos and self._reception is not None else None
        self._words.put(Arrived(message.topic, payload, size, message.retain, message.dup, handle))

    def _on_subscribe(
        self, _client: object, _data: object, _mid: int, reasons: list[ReasonCode], _properties: object
    ) -> None:
        for reason in reasons:
            self._words.put(Subscribed(reason.value, str(reason)))

    def _on_log(self, _client: object, _data: object, level: int, text: str) -> None:
        if level != LogLevel.MQTT_LOG_ERR:
            return
        self._fault = text[:200]  # the only place where paho says why a connection broke
        if text.startswith(_CALLBACK_RAISED):
            self._unheard = True
