"""A durable subscriber, as a payroll system would be: MQTT 5, session kept, duplicates seen."""

import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from edged.fleet.acks import MOST_IDS, ack_payload
from edged.fleet.messages import EventMessage, parse_event

# As a collector that stores in batches: a broker that saves at every change is slow with a word an event.
_ACK_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Message:
    topic: str
    payload: bytes
    qos: int
    retain: bool
    event_id: str | None
    replayed: bool = False


class Collector:
    """Subscribes to ``topic`` and keeps all messages in the order they came.

    ``acks``: it says of each event that it is stored, duplicates too. ``lose``: how many it loses before.
    """

    def __init__(
        self, port: int, topic: str, *, client_id: str = "collector", acks: bool = False, **login: str
    ) -> None:
        self.acks = acks
        self.lose = 0
        self.lost: list[Message] = []
        self._subscribed = threading.Event()
        self._lock = threading.Lock()
        self._messages: list[Message] = []
        self._to_ack: dict[str, list[str]] = {}
        self._closing = threading.Event()
        self._acking = threading.Thread(target=self._ack, name="collector-acks", daemon=True)
        self.errors: queue.SimpleQueue[str] = queue.SimpleQueue()
        client = self._client = paho.Client(
            CallbackAPIVersion.VERSION2, client_id=client_id, protocol=paho.MQTTv5
        )
        client.suppress_exceptions = True
        client.reconnect_delay_set(1, 1)
        if login:
            client.username_pw_set(login["username"], login["password"])
        client.on_connect = self._on_connect
        client.on_message = self._on_message
        client.on_subscribe = lambda *_: self._subscribed.set()
        self._topic = topic
        properties = Properties(PacketTypes.CONNECT)
        properties.SessionExpiryInterval = 3600
        client.connect("127.0.0.1", port, 10, clean_start=False, properties=properties)
        client.loop_start()
        assert self._subscribed.wait(30)
        self._acking.start()

    def _on_connect(self, client: paho.Client, *_: Any) -> None:
        # Retained messages come with the flag they were published with only where this is asked for.
        client.subscribe(self._topic, options=SubscribeOptions(qos=1, retainAsPublished=True))

    def _on_message(self, _client: object, _data: object, message: paho.MQTTMessage) -> None:
        pairs = dict(getattr(message.properties, "UserProperty", []))
        one = Message(
            message.topic,
            message.payload,
            message.qos,
            message.retain,
            pairs.get("event_id"),
            "replayed" in pairs,
        )
        root, is_event, _ = one.topic.rpartition("/event/")
        if is_event and self.lose > 0:
            self.lose -= 1
            self.lost.append(one)
            return
        with self._lock:
            self._messages.append(one)
            if is_event and self.acks:  # MQTT 3.1.1 has no user property, the payload says it always
                self._to_ack.setdefault(root, []).append(parse_event(one.payload).id)

    def _ack(self) -> None:
        while not self._closing.wait(_ACK_SECONDS):
            with self._lock:
                stored, self._to_ack = self._to_ack, {}
            for root, ids in stored.items():
                for start in range(0, len(ids), MOST_IDS):
                    self._client.publish(
                        f"{root}/events/ack", ack_payload(ids[start : start + MOST_IDS]), qos=1
                    )

    def say(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        self._client.publish(topic, payload, qos=1, retain=retain).wait_for_publish(30)

    @property
    def messages(self) -> list[Message]:
        with self._lock:
            return list(self._messages)

    def on(self, topic: str) -> list[bytes]:
        return [message.payload for message in self.messages if message.topic == topic]

    @property
    def events(self) -> list[EventMessage]:
        return [parse_event(message.payload) for message in self.messages if "/event/" in message.topic]

    @property
    def seqs(self) -> list[int]:
        """The events' numbers in the order of their first arrival."""
        return list(dict.fromkeys(event.seq for event in self.events))

    def forget(self) -> None:
        """Lose everything, as a collector without a backup does."""
        with self._lock:
            self._messages.clear()

    def close(self) -> None:
        self._closing.set()
        self._acking.join(30)
        self._client.disconnect()
        self._client.loop_stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def eventually(condition: Callable[[], object], seconds: float = 60.0) -> None:
    """Wait until ``condition`` holds; fail after ``seconds``."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)
