"""What a door said last lies on the broker for ever, until somebody clears it who may."""

import time

from edged.errors import FleetError
from edged.fleet.broker import BrokerClient, Disconnected
from edged.fleet.connection import Answer
from edged.fleet.homeassistant import announcement_topic
from edged.fleet.topics import Topics
from edged.publishing.connecting import await_broker

_ANSWER_SECONDS = 10.0
# MQTT 5.0, 2.4: a refusal; 0x10, nobody listens, is none.
_FAILURE = 0x80


def retained_topics(topics: Topics, discovery_prefix: str) -> tuple[str, ...]:
    """Return where a door leaves retained messages, with or without Home Assistant."""
    return (
        topics.availability,
        topics.birth,
        topics.state,
        topics.gallery_receipt,
        announcement_topic(discovery_prefix, topics),
    )


def clear(client: BrokerClient, topics: tuple[str, ...]) -> tuple[str, ...]:
    """Clear ``topics``; return those that the broker does not let us clear (MQTT 3.1.1 cannot say so).

    Raises ``FleetError`` where the broker does not answer.
    """
    await_broker(client)
    waiting = {client.publish(topic, b"", retain=True): topic for topic in topics}
    refused = []
    deadline = time.monotonic() + _ANSWER_SECONDS
    while waiting:
        if time.monotonic() >= deadline:
            raise FleetError("the broker does not answer")
        for happening in client.poll(0.2):
            if isinstance(happening, Disconnected):
                raise FleetError(f"the connection to the broker was lost: {happening.text}")
            if isinstance(happening, Answer) and happening.handle in waiting:
                topic = waiting.pop(happening.handle)
                refused += [topic] if happening.code >= _FAILURE else []
    return tuple(refused)
