"""The second factor as one part of the daemon: the clerk and the ways to answer it."""

from collections.abc import Callable
from typing import Protocol

from edged.config.factor import factor_limits
from edged.config.sections import SecondFactorConfig
from edged.devices.clock import Clock
from edged.devices.peers import PeerRule
from edged.domain.factor_guard import NonsenseGuard
from edged.domain.second_factor import FactorKind
from edged.domain.types import Decision
from edged.fleet.connection import Arrived
from edged.fleet.factor_seal import FactorSeal
from edged.fleet.topics import Topics
from edged.metrics import Metrics
from edged.storage.key_file import is_credential, read_key
from edged.workers.factor_mqtt import FactorMqttWorker
from edged.workers.factor_socket import FactorSocketWorker
from edged.workers.gallery_sync import GalleryState
from edged.workers.recognition import RecognitionSettings
from edged.workers.second_factor import FactorClerk, FactorNews, Secrets
from edged.workers.supervisor import Supervisor


class Decider(Protocol):
    """Whose decisions pass here; ``workers.recognition.RecognitionWorker`` is the real one."""

    settings: RecognitionSettings

    def take_back(self, decision: Decision) -> None:
        """Forget a grant that opened nothing."""


class Broker(Protocol):
    """The way to the broker; ``workers.publisher.PublisherWorker`` is the real one."""

    @property
    def topics(self) -> Topics: ...  # noqa: D102 - named by the class

    def listen(self, topic: str, heard: Callable[[Arrived], None]) -> None:
        """Pass the messages of a topic to ``heard``."""

    def say(self, topic: str, payload: bytes, seconds: float) -> None:
        """Publish what is news for so many seconds."""


class FactorPart:
    """Stands before ``act``, which takes a decision that is final. Where nobody is asked it passes all on.

    ``decide``, ``settle`` and ``close`` belong to the recognition thread. Raises ``DeviceError`` where the
    socket cannot be made, since nobody could ever answer then, and ``StoreError`` where the key for answers
    over ``broker`` cannot be used.
    """

    def __init__(
        self,
        config: SecondFactorConfig,
        people: Secrets,
        act: Callable[[Decision, GalleryState], bool],
        decider: Callable[[], Decider],
        tools: tuple[Metrics, Clock],
        *,
        broker: Broker | None = None,
    ) -> None:
        self._act = act
        self._parts: tuple[FactorClerk, FactorSocketWorker] | None = None
        self._mqtt: FactorMqttWorker | None = None
        if not config.enabled:
            return
        metrics, clock = tools
        clerk = FactorClerk(
            people,
            limits=factor_limits(config),
            accept=frozenset(map(FactorKind, config.accept)),
            settings=lambda: decider().settings,
            act=act,
            metrics=metrics,
            clock=clock,
        )
        clerk.on_refused = lambda decision: decider().take_back(decision)
        self._mqtt = _over_mqtt(config, clerk, tools, broker)
        rule = PeerRule.named(config.socket_users, config.socket_group)
        socket = FactorSocketWorker(config.socket_path, rule, clerk, metrics, clock.monotonic)
        clerk.on_news = self._tell
        self._parts = clerk, socket

    def add_to(self, supervisor: Supervisor) -> None:
        """Serve from the start on; add it after whoever decides, so that it stops first."""
        if self._parts is not None:
            supervisor.add(self._parts[1])
        if self._mqtt is not None:
            supervisor.add(self._mqtt)

    def decide(self, decision: Decision, state: GalleryState) -> bool:
        """See ``FactorClerk.decide``."""
        return self._act(decision, state) if self._parts is None else self._parts[0].decide(decision, state)

    def settle(self, state: GalleryState) -> None:
        """See ``FactorClerk.settle``."""
        if self._parts is not None:
            self._parts[0].settle(state)

    def close(self, state: GalleryState) -> None:
        """Deny whoever is still asked, once nobody can answer any more."""
        if self._parts is not None:
            self._parts[0].close(state)

    def close_socket(self) -> None:
        """Give the socket back, where the daemon was never started."""
        if self._parts is not None:
            self._parts[1].close()

    def _tell(self, news: FactorNews) -> None:
        if self._parts is not None:
            self._parts[1].tell(news)
        if self._mqtt is not None:
            self._mqtt.tell(news)


def _over_mqtt(
    config: SecondFactorConfig, clerk: FactorClerk, tools: tuple[Metrics, Clock], broker: Broker | None
) -> FactorMqttWorker | None:
    """Return the way over MQTT, None where none is configured."""
    path = config.mqtt_key_file
    if path is None or broker is None:
        return None
    metrics, clock = tools
    key = read_key(path, "`edged second-factor key` makes one", supervised=is_credential(path))
    topics = broker.topics
    worker = FactorMqttWorker(
        clerk,
        FactorSeal(key, topics),
        NonsenseGuard(factor_limits(config)),
        lambda payload, seconds: broker.say(topics.factor_door, payload, seconds),
        metrics=metrics,
        now=clock.monotonic,
    )
    broker.listen(topics.factor_keypad, worker.heard)
    return worker
