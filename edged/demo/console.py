"""What a person at the desk sees: decisions, the lock, and what arrives at the broker."""

import json
import threading
from datetime import datetime

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from rich.console import Console
from rich.markup import escape

from edged.domain.explanation import REASONS
from edged.domain.types import Outcome
from edged.workers.door import DoorChange
from edged.workers.effects import Told
from edged.workers.gallery_sync import GalleryState

_PLUMBING = {
    "v", "id", "epoch", "boot_id", "ts", "mono_ms", "kind", "historical", "gallery_version",
    "access_event_id", "local_date", "utc_offset_minutes", "config_digest", "time_synced", "quality",
    "model", "frames",
}  # fmt: skip


class DemoConsole:
    """Prints one line for each thing that happens; lines may come from several threads."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._lock = threading.Lock()
        self.granted = 0
        self.denied = 0

    def say(self, topic: str, text: str, style: str = "") -> None:
        """Print one line below a topic word."""
        now = datetime.now().astimezone().strftime("%H:%M:%S")
        with self._lock:
            self._console.print(
                f"[dim]{now}[/]  [bold]{topic:<8}[/]",
                f"[{style}]{escape(text)}[/]" if style else escape(text),
            )

    def told(self, told: Told, state: GalleryState) -> None:
        """Show a decision with the name, which the console may know and the wire does not."""
        decision = told.decision
        numbers = f"score {decision.score:.2f}  margin {decision.margin:.2f}  {decision.frames} frames"
        if decision.outcome is Outcome.GRANT:
            self.granted += 1
            person = state.snapshot.person(decision.person_id or "")
            punch = f"  punch {told.punch}" if told.punch else ""
            self.say("granted", f"{person.name if person else '?'}  {numbers}{punch}", "green")
        else:
            self.denied += 1
            self.say("denied", f"{decision.reason.value}  {numbers}  {REASONS[decision.reason]}", "red")

    def door(self, change: DoorChange) -> None:
        """Show what the lock line did."""
        held = f" after {change.held_seconds:.1f} s" if change.state == "locked" else ""
        self.say("lock", f"{change.state}{held}", "yellow" if change.state == "unlocked" else "")


class BrokerWatch:
    """A subscriber of its own: what it shows has been through the broker."""

    def __init__(self, port: int, prefix: str, console: DemoConsole) -> None:
        self._console = console
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
        client.subscribe(f"{self._prefix}/#", qos=1)

    def _message(self, _client: mqtt.Client, _data: object, message: mqtt.MQTTMessage) -> None:
        if not message.topic.endswith("/health"):
            self._console.say("mqtt", f"{message.topic}  {_facts(bytes(message.payload))}", "dim")


def _facts(payload: bytes) -> str:
    """Return the telling part of a payload: the whole of a word, the facts of an object."""
    text = payload[:4096].decode(errors="replace")
    try:
        found = json.loads(text)
    except ValueError:
        return text[:100]
    if not isinstance(found, dict):
        return text[:100]
    told = {key: value for key, value in found.items() if key not in _PLUMBING and value not in (None, {})}
    return " ".join(f"{key}={value}" for key, value in told.items())[:200]
