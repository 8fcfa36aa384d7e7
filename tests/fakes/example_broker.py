"""The broker of docs/mosquitto as it stands there, with certificates of the test and on a port of its own."""

import queue
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from edged.config.sections import MqttConfig, MqttTlsConfig
from tests.fakes.certificates import Authority, Issued
from tests.fakes.mosquitto import PROGRAM, Mosquitto

EXAMPLE = Path(__file__).parents[2] / "docs/mosquitto"
_PLACE = "/etc/mosquitto/edged/"


class ExampleBroker(Mosquitto):
    """``acl`` may be appended to, before the start or a ``reload``."""

    def __init__(self, folder: Path, authority: Authority) -> None:
        super().__init__(folder)
        self.authority = authority
        server = authority.issue("broker.example", address="127.0.0.1")
        for name, source in (
            ("ca.crt", authority.certificate), ("broker.crt", server.certificate), ("broker.key", server.key),
        ):  # fmt: skip
            (folder / name).write_bytes(source.read_bytes())
        self.acl = folder / "acl"
        self.acl.write_text((EXAMPLE / "acl").read_text())
        text = (EXAMPLE / "mosquitto.conf").read_text()
        for old, new in (
            (_PLACE, f"{folder}/"),
            ("listener 8883\n", f"listener {self.port} 127.0.0.1\n"),
            ("persistence_location /var/lib/mosquitto/", f"persistence_location {folder}/"),
        ):
            assert old in text, f"{old!r} is not in the example any more"
            text = text.replace(old, new)
        # Started by root it would drop its rights and could not write here.
        self._config.write_text(f"{text}user root\n")

    def config(self, issued: Issued) -> MqttConfig:
        """What a client of ours that has a certificate is configured with."""
        return MqttConfig(
            port=self.port,
            reconnect_min_seconds=0.05,
            reconnect_max_seconds=0.2,
            tls=MqttTlsConfig(
                ca_file=self.authority.certificate, certificate_file=issued.certificate, key_file=issued.key
            ),
        )


@contextmanager
def example_broker(folder: Path) -> Iterator[ExampleBroker]:
    if PROGRAM is None:
        pytest.fail("mosquitto is not installed: run make system")
    broker = ExampleBroker(folder / "broker", Authority(folder / "ca", "site-ca"))
    broker.start()
    try:
        yield broker
    finally:
        broker.stop()


@dataclass(frozen=True, slots=True)
class Heard:
    topic: str
    payload: bytes


class Peer:
    """Somebody with a certificate of the name ``name`` and a client of MQTT 5; tries what it likes.

    ``refused`` is why the broker did not let it in, None where it did.
    """

    def __init__(
        self,
        broker: ExampleBroker,
        name: str | None,
        *,
        will: str | None = None,
        issued: Issued | None = None,
    ) -> None:
        self._answers: queue.SimpleQueue[int] = queue.SimpleQueue()
        self._heard: queue.SimpleQueue[Heard] = queue.SimpleQueue()
        self._settled = threading.Event()
        self._subscribed = threading.Event()
        self.refused: str | None = None
        self.heard: list[Heard] = []
        client = self._client = paho.Client(
            CallbackAPIVersion.VERSION2, client_id=f"peer-{id(self)}", protocol=paho.MQTTv5,
            reconnect_on_failure=False,
        )  # fmt: skip
        tls = ssl.create_default_context(cafile=str(broker.authority.certificate))
        if name is not None and issued is None:
            issued = broker.authority.issue(name)
        if issued is not None:
            tls.load_cert_chain(issued.certificate, issued.key)
        client.tls_set_context(tls)
        if will is not None:
            client.will_set(will, b"offline", qos=1, retain=True)
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_publish = lambda _c, _d, _mid, reason, _p: self._answers.put(reason.value)
        client.on_subscribe = lambda *_: self._subscribed.set()
        client.on_message = lambda _c, _d, message: self._heard.put(Heard(message.topic, message.payload))
        try:
            client.connect("127.0.0.1", broker.port, 20)
        except OSError as exc:
            self.refused = str(exc)
            return
        client.loop_start()
        assert self._settled.wait(30)

    def _on_connect(self, _client: object, _data: object, _flags: object, reason: Any, _p: object) -> None:
        self.refused = str(reason) if reason.is_failure else None
        self._settled.set()

    def _on_disconnect(self, _client: object, _data: object, _flags: object, reason: Any, _p: object) -> None:
        self.refused = self.refused or str(reason)
        self._settled.set()

    def may(self, topic: str, payload: bytes = b"x", *, retain: bool = False) -> bool:
        """Publish; say whether the broker took it."""
        self._client.publish(topic, payload, qos=1, retain=retain)
        return self._answers.get(timeout=30) < 0x80

    def hear(self, *topics: str) -> None:
        """Subscribe to all of these; what the broker thinks of it shows in what comes."""
        for topic in topics:
            self._subscribed.clear()
            self._client.subscribe(topic, qos=1)
            assert self._subscribed.wait(30)

    def has(self, topic: str) -> bool:
        """Whether a message of ``topic`` has come so far."""
        while not self._heard.empty():
            self.heard.append(self._heard.get())
        return any(one.topic == topic for one in self.heard)

    def last(self, topic: str) -> bytes:
        """Return the newest payload of ``topic``, nothing where none has come."""
        self.has(topic)
        return next((one.payload for one in reversed(self.heard) if one.topic == topic), b"")

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
