"""The publisher of a door as its configuration describes it, with the broker client it owns."""

from collections.abc import Callable

from edged.config.sections import Config
from edged.fleet.broker import BrokerClient
from edged.fleet.connection import Will
from edged.fleet.messages import availability_payload
from edged.fleet.topics import Topics
from edged.metrics import Metrics
from edged.storage.journal import Journal
from edged.workers.publisher import PublisherWorker
from edged.workers.standing import Standing


def publisher_of(
    config: Config,
    journal: Journal,
    metrics: Metrics,
    standing: Standing,
    frames_done: Callable[[], int],
) -> PublisherWorker | None:
    """Return the worker that tells the broker, None where ``mqtt.enabled`` is false.

    Raises ``ConfigError`` where a password or certificate file cannot be used.
    """
    if not config.mqtt.enabled:
        return None
    topics = Topics(config.mqtt.topic_prefix, config.site, config.door_id)
    client = BrokerClient(
        config.mqtt,
        client_id=f"edged-{config.site}-{config.door_id}",
        will=Will(topics.availability, availability_payload("offline")),
    )
    return PublisherWorker(
        journal,
        client,
        topics,
        metrics,
        config.mqtt,
        birth=standing.birth(),
        state=standing.state(),
        name_of=standing.name_of,
        health=lambda: standing.facts(frames_done()),
    )
