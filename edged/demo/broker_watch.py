"""A subscriber of the demo's own: what it shows has been through the broker."""

import json
from collections.abc import Callable

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

# What is told elsewhere on the console, or only another program has use for.
_PLUMBING = {
    "v", "id", "epoch", "boot_id", "ts", "mono_ms", "kind", "historical", "gallery_version", "margin",
    "access_event_id", "local_date", "utc_offset_minutes", "config_digest", "time_synced", "quality",
    "model", "frames", "direction", "seq",
}  # fmt: skip
# The others repeat what the lines about the lock say.
_TOLD = ("access", "attendance", "alarm")
_MAX_TEXT = 120


class BrokerWatch:
    """Calls ``show`` with topic and short body of events about people; on paho's thread.

    ``count`` is how many events of all kinds have arrived.
    """

    def __init__(self, port: int, prefix: str, show: Callable[[str, str], None]) -> None:
        self.count = 0
        self._show = show
        self._prefix = prefix
        self._client = mqtt.Client(
            CallbackAPIVersion.VERSION2, client_id="edged-demo-console", protocol=mqtt.MQTTv311
        )
        self._client.on_connect = self._connected
        self._client.on_message = self._message
        self._client.connect_async("127.0.0.1", port)

    def start(self) -> None:
        """Begin to listen."""
        self._client.loop_start()

    def stop(self) -> None:
        """Leave the broker."""
        self._client.disconnect()
        self._client.loop_stop()

    def _connected(self, client: mqtt.Client, *_details: object) -> None:
        client.subscribe(f"{self._prefix}/+/+/event/#", qos=1)

    def _message(self, _client: mqtt.Client, _data: object, message: mqtt.MQTTMessage) -> None:
        self.count += 1
        if message.topic.rpartition("/")[2] in _TOLD:
            self._show(message.topic, short(bytes(message.payload)))


def short(payload: bytes) -> str:
    """Return the telling part of a payload: the whole of a word, the facts of an object."""
    text = payload[:4096].decode(errors="replace")
    try:
        found = json.loads(text)
    except ValueError:
        return text[:_MAX_TEXT]
    if not isinstance(found, dict):
        return text[:_MAX_TEXT]
    told = {key: value for key, value in found.items() if key not in _PLUMBING and value not in (None, {})}
    return " ".join(f"{key}={value}" for key, value in told.items())[:_MAX_TEXT]
