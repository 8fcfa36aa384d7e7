"""A collector with its parts: broker, database, the one that asks for what is missing, and the monitor."""

import logging
import signal
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import msgspec
from prometheus_client import CollectorRegistry

from edged.collecting.collector import BATCH, Collector
from edged.collecting.figures import Figures
from edged.collecting.links import open_link
from edged.collecting.refill import Refill
from edged.config.sections import HttpConfig, MqttConfig
from edged.errors import ConfigError
from edged.fleet.broker import BrokerClient
from edged.fleet.connection import Reception
from edged.fleet.messages import MAX_PAYLOAD_BYTES
from edged.fleet.replay_asking import ReplayAsking
from edged.fleet.topics import Topics
from edged.systemd import notify, watchdog_seconds
from edged.workers.health import Check, HealthReport
from edged.workers.monitor import Monitor

logger = logging.getLogger(__name__)

# Topic and properties of an event beside its payload, generously.
_OVERHEAD_BYTES = 4096
_REPLAY_SECONDS = 60.0
_STOP_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Plan:
    """What to collect, and where to.

    ``site`` None: every site of the prefix. ``refill_seconds``: how long a number may be missing before its
    door is asked, None: no door is. ``port`` None: no monitor.
    """

    mqtt: MqttConfig
    site: str | None
    to: str
    group: str
    name: str
    acks: bool = True
    session_seconds: int = 86_400
    refill_seconds: float | None = 60.0
    check_seconds: float = 15.0
    port: int | None = None

    @property
    def topic(self) -> str:
        """The filter of the shared subscription (MQTT 5.0, 4.8.2)."""
        place = "+" if self.site is None else self.site
        return f"$share/{self.group}/{self.mqtt.topic_prefix}/{place}/+/event/+"


def default_name(group: str) -> str:
    """Return a client id that is the same at the next start: the broker keeps the session under it."""
    return f"edged-collect-{group}-{socket.gethostname()}"


def collect(plan: Plan) -> Figures:
    """Collect until SIGTERM or SIGINT; return what was counted.

    Raises ``ConfigError``; ``StoreError`` where the database cannot be opened at the start, ``MonitorError``.
    """
    _check(plan)
    open_ours = partial(open_link, plan.to)
    link = open_ours()
    figures = Figures(CollectorRegistry())
    collector = Collector(
        _client(plan), plan.topic, plan.mqtt.topic_prefix, open_ours, figures, acks=plan.acks, alive=_alive()
    )
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: collector.stop())
    monitor = None if plan.port is None else _monitor(plan.port, figures)
    refill = _refill(plan, figures)
    logger.info("collecting from %s into %s as %s", plan.topic, link.where, plan.name)
    try:
        if monitor is not None:
            monitor.listen()
            monitor.start()
        notify("READY=1")
        refill.start()
        collector.run(link)
    finally:
        notify("STOPPING=1")
        refill.stop()
        if monitor is not None:
            monitor.stop()
            monitor.join(_STOP_SECONDS)
    return figures


def _check(plan: Plan) -> None:
    if any(mark in plan.group for mark in "+#/") or not plan.group:
        raise ConfigError([f"group {plan.group!r}: expected a word without '+', '#' and '/'"])
    if plan.mqtt.protocol == "3.1.1":
        raise ConfigError(["mqtt.protocol: shared subscriptions need MQTT 5"])


def _client(plan: Plan) -> BrokerClient:
    config = msgspec.structs.replace(plan.mqtt, client_id=plan.name, protocol="5")
    reception = Reception(plan.session_seconds, BATCH, MAX_PAYLOAD_BYTES + _OVERHEAD_BYTES)
    return BrokerClient(config, client_id=plan.name, will=None, reception=reception)


def _refill(plan: Plan, figures: Figures) -> Refill:
    def asking(site: str, door: str) -> ReplayAsking:
        config = msgspec.structs.replace(plan.mqtt, client_id=plan.name)
        topics = Topics(plan.mqtt.topic_prefix, site, door)
        return ReplayAsking(config, topics, plan.name, patience_seconds=_REPLAY_SECONDS)

    return Refill(
        partial(open_link, plan.to), None if plan.refill_seconds is None else asking, figures,
        holder=plan.name, site=plan.site,
        grace_seconds=plan.refill_seconds or 0.0, check_seconds=plan.check_seconds,
    )  # fmt: skip


def _monitor(port: int, figures: Figures) -> Monitor:
    def alive() -> HealthReport:
        return HealthReport({"process": Check(True, "running")})

    def ready() -> HealthReport:
        broker, database = figures.up("broker_connected"), figures.up("database_up")
        return HealthReport(
            {
                "broker": Check(broker, "connected" if broker else "not connected"),
                "database": Check(database, "takes events" if database else "does not take events"),
            }
        )

    return Monitor(HttpConfig(port=port), figures.registry, alive, ready)


def _alive() -> Callable[[], None]:
    """Return what tells systemd's watchdog that the loop goes round, at half its time."""
    seconds = watchdog_seconds()
    last = 0.0

    def ping() -> None:
        nonlocal last
        now = time.monotonic()
        if seconds is not None and now - last >= seconds / 2:
            last = now
            notify("WATCHDOG=1")

    return ping
