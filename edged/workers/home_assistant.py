"""The door's guest from Home Assistant: announces it over the publisher's connection, and takes plain orders.

``LOCK`` is always obeyed: it ends what was granted. ``UNLOCK`` is nobody's signed word, so it counts only
where the site has said so, never out of a retained message, so often and no oftener, and not in a lockdown.
Whatever else comes is dropped and counted like any command. Runs on the publisher's thread.
"""

import logging
import time
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path

from edged import __version__
from edged.config.home_assistant_section import HomeAssistantConfig
from edged.config.sections import Config
from edged.domain.types import EventKind
from edged.errors import StoreError
from edged.fleet.commands import BadCommandError, CommandResult
from edged.fleet.connection import Arrived
from edged.fleet.homeassistant import (
    Shown,
    announcement,
    announcement_topic,
    is_online,
    parse_order,
    status_topic,
)
from edged.fleet.topics import Topics
from edged.metrics import Metrics
from edged.storage.files import is_there, make_private_directory, replace_private_file
from edged.workers.event_log import EventLog
from edged.workers.lockdown import LockableDoor
from edged.workers.ordered_unlock import OrderedUnlock
from edged.workers.publisher import PublisherWorker

logger = logging.getLogger(__name__)

KEY = "home_assistant"
# One record or alarm of a kind in so long: whoever floods the topic shall not fill the journal.
_RECORD_SECONDS = 5.0
_ALARM_SECONDS = 60.0
# The publisher looks every second; an order behind a longer gap has waited, nobody knows how long.
_STALE_SECONDS = 5.0
# Home Assistant says once at its start that it is online.
_AGAIN_SECONDS = 1.0
_HOUR = 3600.0


class Announced:
    """Which announcements lie on the broker, kept at ``path``: to be cleared once they are wanted no more."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._topics = self._read()

    def statuses(self, topic: str, payload: bytes | None) -> dict[str, bytes]:
        """Return what is to be retained: ``payload`` on ``topic``, nothing where something else once was."""
        if payload is not None and topic not in self._topics:
            self._keep({*self._topics, topic})
        found = {old: b"" for old in self._topics if old != topic or payload is None}
        return found if payload is None else {**found, topic: payload}

    def cleared(self, topic: str) -> None:
        """Forget ``topic``: the broker holds nothing there any more."""
        if topic in self._topics:
            self._keep(self._topics - {topic})

    def _read(self) -> set[str]:
        try:
            return set(self._path.read_text("utf-8").split("\n")) - {""} if is_there(self._path) else set()
        except (OSError, UnicodeDecodeError) as exc:
            logger.warning("what was announced to Home Assistant is not known: %s", exc)
            return set()

    def _keep(self, topics: set[str]) -> None:
        self._topics = topics
        try:
            make_private_directory(self._path.parent)
            replace_private_file(self._path, "".join(f"{one}\n" for one in sorted(topics)).encode())
        except StoreError as exc:
            logger.warning("what is announced to Home Assistant cannot be remembered: %s", exc)


class PlainOrders:
    """Carries out what comes on the plain topic; ``relock`` ends what was granted."""

    def __init__(
        self,
        config: HomeAssistantConfig,
        tools: tuple[LockableDoor, EventLog],
        *,
        relock: Callable[[], None],
        count: Callable[[CommandResult], None],
        needs_record: bool,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._config = config
        self._door, self._log = tools
        self._relock = relock
        self._count = count
        self._ordered = OrderedUnlock(self._door, self._log, needs_record=needs_record)
        self._clock = clock
        self._unlocked: deque[float] = deque(maxlen=config.plain_unlocks_per_hour)
        self._told: dict[str, float] = {}

    def take(self, message: Arrived, *, waited: bool) -> None:
        """Obey an order, or drop it; ``waited`` says that it may have lain about."""
        try:
            order = parse_order(message)
            if order == "LOCK":
                self._lock()
            else:
                self._unlock(waited=waited)
        except BadCommandError as exc:
            self._dropped(exc)
        else:
            self._count("done")
            logger.info("plain order carried out order=%s", order)

    def _lock(self) -> None:
        self._relock()  # before the record: what shuts the door waits for no disk
        if self._due("lock", _RECORD_SECONDS):
            body = {
                "type": "command",
                "action": "lock",
                "key": KEY,
                "result": "done",
                "reason": "",
                "text": "",
            }
            self._log.record(self._log.event(EventKind.SYSTEM, body))

    def _unlock(self, *, waited: bool) -> None:
        now = self._clock()
        if not self._config.plain_unlock:
            raise BadCommandError(
                "not_allowed", "home_assistant.plain_unlock is off: unlock takes a signed command"
            )
        if waited:
            raise BadCommandError("expired", "the order may have waited")
        if (refusal := self._ordered.refusal(now)) is not None:
            raise BadCommandError("refused", refusal)
        if self._too_often(now):
            raise BadCommandError("refused", "too many plain unlocks")
        self._unlocked.append(now)
        if self._ordered.open(now, key=KEY, reason="") is None:
            raise BadCommandError("refused", "the door takes no grant now")

    def _too_often(self, now: float) -> bool:
        times, config = self._unlocked, self._config
        if times and now - times[-1] < config.plain_unlock_seconds:
            return True
        return len(times) == config.plain_unlocks_per_hour and now - times[0] < _HOUR

    def _dropped(self, exc: BadCommandError) -> None:
        self._count(exc.result)
        if not self._due(exc.result, _ALARM_SECONDS):
            logger.debug("plain order dropped result=%s text=%r", exc.result, str(exc))
            return
        logger.warning("plain order dropped result=%s text=%r", exc.result, str(exc))
        body = {"type": "command_dropped", "reason": exc.result, "key": KEY}
        self._log.record(self._log.event(EventKind.ALARM, body))

    def _due(self, what: str, seconds: float) -> bool:
        now = self._clock()
        if now - self._told.get(what, float("-inf")) < seconds:
            return False
        self._told[what] = now
        return True


class HomeAssistant:
    """A ``workers.guest.Guest``. ``say_again`` has everything retained published once more."""

    def __init__(
        self,
        config: Config,
        orders: PlainOrders,
        say_again: Callable[[], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        section = config.home_assistant
        own = Topics(config.mqtt.topic_prefix, config.site, config.door_id)
        topic = announcement_topic(section.discovery_prefix, own)
        self._order_topic, self._status_topic = own.command_lock, status_topic(section.discovery_prefix)
        wanted = (self._order_topic, self._status_topic)
        self.topics: tuple[str, ...] = wanted if section.enabled else ()
        self._announced = Announced(config.journal.path.parent / "home-assistant")
        payload = announcement(own, _shown(config)) if section.enabled else None
        self._statuses = self._announced.statuses(topic, payload)
        self._orders = orders
        self._say_again = say_again
        self._clock = clock
        self._looked_at = self._again_at = float("-inf")

    def statuses(self) -> Mapping[str, bytes]:
        """Return what is to be retained on the broker now."""
        self._looked_at = self._clock()
        return self._statuses

    def kept(self, topic: str) -> None:
        """Hear that the broker has taken the newest status of ``topic``."""
        if self._statuses.get(topic) == b"":
            del self._statuses[topic]
            self._announced.cleared(topic)

    def heard(self, message: Arrived) -> None:
        """Take a message of one of ``topics``."""
        now = self._clock()
        if message.topic == self._order_topic:
            self._orders.take(message, waited=now - self._looked_at > _STALE_SECONDS)
        elif is_online(message) and now - self._again_at >= _AGAIN_SECONDS:
            self._again_at = now
            self._say_again()


def welcome(
    config: Config,
    publisher: PublisherWorker | None,
    tools: tuple[LockableDoor, EventLog],
    relock: Callable[[], None],
    metrics: Metrics,
) -> None:
    """Let Home Assistant in where it is wanted, and clear what it was told where it is not any more."""
    if publisher is None:
        return
    section = config.home_assistant
    orders = PlainOrders(
        section,
        tools,
        relock=relock,
        count=lambda result: metrics.commands.labels(result).inc(),
        needs_record=config.journal.on_failure == "deny",
    )
    guest = HomeAssistant(config, orders, publisher.say_again)
    publisher.guest = guest
    for topic in guest.topics:
        publisher.listen(topic, guest.heard)
    if section.plain_unlock:
        logger.warning("plain unlock is on: whoever may write %s opens the door", guest.topics[0])


def _shown(config: Config) -> Shown:
    section, inputs = config.home_assistant, config.door.inputs
    return Shown(
        version=__version__,
        name=section.name or f"{config.site} {config.door_id}",
        area=section.area,
        contact=inputs.contact is not None,
        tamper=inputs.tamper is not None,
        fire=inputs.fire is not None,
        names=config.mqtt.person_names,
    )
