"""Try the broker once, as the daemon would use it, and say what it is worth.

The trial has a client id and a topic of its own: with the daemon's id it would throw the daemon out,
and on a real event topic it would invent an event.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Literal

import msgspec

from edged.config.sections import MqttConfig
from edged.fleet.broker import BrokerClient, Connected, Disconnected
from edged.fleet.connection import Answer
from edged.fleet.topics import Topics

# Long enough for two silent MQTT 5 attempts, their delays, and 3.1.1.
TRIAL_SECONDS = 20.0

Event = Literal["heard", "unheard", "unknown", "refused", "unanswered"]
_PAYLOAD = b'{"v":1,"check":true}'
_NOBODY, _FAILURE = 0x10, 0x80


@dataclass(frozen=True, slots=True)
class Trial:
    """What came of it. ``trouble`` is None where the broker let us in; ``event`` None where it did not.

    ``event``: ``unknown`` is MQTT 3.1.1, which acknowledges everything. ``weaker`` holds one sentence
    a guarantee that this broker, or this configuration, does not give.
    """

    address: str
    version: str | None
    max_packet_bytes: int | None
    receive_maximum: int | None
    trouble: str | None
    event: Event | None
    event_detail: str
    weaker: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether events would be taken."""
        return self.trouble is None and self.event in ("heard", "unheard", "unknown")


def try_broker(
    config: MqttConfig,
    topics: Topics,
    client_id: str,
    *,
    seconds: float = TRIAL_SECONDS,
    clock: Callable[[], float] = time.monotonic,
) -> Trial:
    """Connect, publish one message on ``event/check``, leave. Raises ``ConfigError`` on unusable files."""
    own = msgspec.structs.replace(config, client_id=f"{config.client_id or client_id}-check")
    client = BrokerClient(own, client_id=own.client_id or "", will=None)
    deadline = clock() + seconds
    try:
        terms, trouble = connect(client, deadline, clock)
        event, detail = (None, "") if terms is None else _publish(client, topics, deadline, clock)
    finally:
        client.close(goodbye=True)
    return Trial(
        address=f"{config.host}:{client.port}",
        version=None if terms is None else terms.version,
        max_packet_bytes=None if terms is None else terms.max_packet_bytes,
        receive_maximum=None if terms is None else terms.receive_maximum,
        trouble=trouble,
        event=event,
        event_detail=detail,
        weaker=tuple(_weaker(config, terms)),
    )


def connect(
    client: BrokerClient, deadline: float, clock: Callable[[], float]
) -> tuple[Connected | None, str | None]:
    """Return the terms of a connection, or why there is none that another attempt would bring."""
    trouble = "no connection in time"
    while clock() < deadline:
        for happening in client.poll(0.1):
            if isinstance(happening, Connected):
                return happening, None
            if isinstance(happening, Disconnected):
                trouble = f"{happening.cause}: {happening.text}"
                if happening.cause not in ("mute", "version"):  # another version will not mend these
                    return None, trouble
    return None, trouble


def _publish(
    client: BrokerClient, topics: Topics, deadline: float, clock: Callable[[], float]
) -> tuple[Event, str]:
    terms = client.terms
    handle = client.publish(topics.event("check"), _PAYLOAD)
    while terms is not None and handle is not None and clock() < deadline:
        for happening in client.poll(0.1):
            if isinstance(happening, Answer) and happening.handle == handle:
                return _judge(terms, happening), happening.text
            if isinstance(happening, Disconnected):
                return "unanswered", happening.text
    return "unanswered", "no acknowledgement in time"


def _judge(terms: Connected, answer: Answer) -> Event:
    if answer.code >= _FAILURE:
        return "refused"
    if terms.version != "5":
        return "unknown"
    return "unheard" if answer.code == _NOBODY else "heard"


def _weaker(config: MqttConfig, terms: Connected | None) -> list[str]:
    found = []
    if terms is not None and terms.version != "5":
        found += [
            "MQTT 3.1.1 has no reason codes: an event that is refused or that nobody hears looks delivered.",
            "MQTT 3.1.1 names no size limit: an event too large ends the connection before it is put aside.",
        ]
    if config.tls is None and not _loopback(config.host):
        found.append("No TLS: person ids, and a password, can be read and changed on the way.")
    if config.username is None and (config.tls is None or config.tls.certificate_file is None):
        found.append(
            "No password and no client certificate: whoever reaches the broker may speak as this door."
        )
    return found


def _loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
