"""What Home Assistant is told of a door: one device with its entities, and the plain orders it may give.

The announcement is retained, ``<prefix>/device/<site>/<door>/config``, and names topics that the door speaks
on anyway; nothing else is published for it. Its form is that of Home Assistant's MQTT device discovery, since
2024.11: ``dev``, ``o`` and ``cmps``, checked there by ``DEVICE_DISCOVERY_SCHEMA`` of
``homeassistant/components/mqtt/schemas.py``, each entity by the schema of its platform.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from edged.fleet.commands import BadCommandError
from edged.fleet.connection import Arrived
from edged.fleet.topics import Topics

Order = Literal["LOCK", "UNLOCK"]
# The longest order has six bytes.
MAX_ORDER_BYTES = 64
_ONLINE = b"online"
_EVENT_TYPES = ["granted", "denied"]


@dataclass(frozen=True, slots=True)
class Shown:
    """What there is to see at a door: which inputs are wired, and what it is called.

    ``names`` says that events bear names; then Home Assistant is shown who it was, otherwise nobody.
    """

    version: str
    name: str
    area: str | None = None
    contact: bool = False
    tamper: bool = False
    fire: bool = False
    names: bool = False


def announcement_topic(prefix: str, topics: Topics) -> str:
    """Return where the door is announced; two doors never share one."""
    return f"{prefix}/device/{topics.site}/{topics.door}/config"


def status_topic(prefix: str) -> str:
    """Return where Home Assistant says that it has started."""
    return f"{prefix}/status"


def is_online(message: Arrived) -> bool:
    """Whether a message of the status topic asks for all announcements anew."""
    return message.payload.strip() == _ONLINE


def announcement(topics: Topics, shown: Shown) -> bytes:
    """Return the JSON of the announcement."""
    device: dict[str, Any] = {
        "identifiers": [topics.root],
        "name": shown.name,
        "manufacturer": "edged",
        "model": "door",
        "sw_version": shown.version,
    }
    if shown.area is not None:
        device["suggested_area"] = shown.area
    components = {
        key: {"unique_id": f"{topics.root}/{key}", "qos": 1, **config}
        for key, config in _components(topics, shown).items()
    }
    return msgspec.json.encode(
        {"dev": device, "o": {"name": "edged", "sw_version": shown.version}, "cmps": components}
    )


def parse_order(message: Arrived) -> Order:
    """Return a plain order. Raises ``BadCommandError``."""
    if message.retain:
        raise BadCommandError("retained", "a retained message is no order")
    if message.size > MAX_ORDER_BYTES:
        raise BadCommandError("oversized", f"{message.size} bytes are too many")
    if message.payload == b"LOCK":
        return "LOCK"
    if message.payload == b"UNLOCK":
        return "UNLOCK"
    raise BadCommandError("malformed", f"expected LOCK or UNLOCK, got {message.payload[:20]!r}")


def _components(topics: Topics, shown: Shown) -> dict[str, dict[str, Any]]:
    """Return the entities by key; none for an input that is not wired, which would say that all is well."""
    found = {
        "lock": _lock(topics),
        "problem": _binary(topics, "Problem", _PROBLEM, device_class="problem", entity_category="diagnostic"),
        "locked_down": _binary(topics, "Lockdown", "value_json.locked_down"),
        "armed": _binary(topics, "Armed", "value_json.armed", entity_category="diagnostic"),
        "connectivity": _connectivity(topics),
        "visit": _visit(topics, names=shown.names),
        "people": _figure(topics, topics.health, "People", "value_json.facts.people", unit="people"),
        "gallery": _figure(topics, topics.birth, "Gallery version", "value_json.gallery_version"),
    }
    if shown.contact:
        found["door"] = _door(topics)
        found["forced"] = _binary(
            topics, "Forced or held open", "value_json.door in ('forced', 'held')", device_class="problem"
        )
    if shown.tamper:
        found["tamper"] = _binary(topics, "Tamper", "value_json.tampered", device_class="tamper")
    if shown.fire:
        found["emergency"] = _binary(topics, "Fire release", "value_json.emergency", device_class="safety")
    return found


_PROBLEM = (
    "value_json.camera in ('down', 'frozen', 'blind', 'ended') or value_json.lock in ('fault', 'unknown')"
)


def _availability(topics: Topics) -> dict[str, Any]:
    """Home Assistant knows two words, the door three: one that was stopped is not there either."""
    return {
        "availability_topic": topics.availability,
        "availability_template": "{{ 'online' if value == 'online' else 'offline' }}",
    }


def _lock(topics: Topics) -> dict[str, Any]:
    return {
        "platform": "lock",
        "name": None,
        "state_topic": topics.state,
        "value_template": "{{ value_json.lock }}",
        "state_locked": "locked",
        "state_unlocked": "unlocked",
        "state_jammed": "fault",
        "payload_reset": "unknown",
        "command_topic": topics.command_lock,
        "payload_lock": "LOCK",
        "payload_unlock": "UNLOCK",
        "optimistic": False,
        "retain": False,
        **_availability(topics),
    }


def _binary(topics: Topics, name: str, condition: str, **more: Any) -> dict[str, Any]:
    return {
        "platform": "binary_sensor",
        "name": name,
        "state_topic": topics.state,
        "value_template": f"{{{{ 'ON' if {condition} else 'OFF' }}}}",
        **_availability(topics),
        **more,
    }


def _door(topics: Topics) -> dict[str, Any]:
    """Show the contact; of a door that is not heard it says ``None``, Home Assistant's word for unknown."""
    words: Mapping[str, str] = {"open": "ON", "held": "ON", "forced": "ON", "shut": "OFF"}
    return {
        "platform": "binary_sensor",
        "name": "Door",
        "device_class": "door",
        "state_topic": topics.state,
        "value_template": f"{{{{ {dict(words)}.get(value_json.door, 'None') }}}}",
        **_availability(topics),
    }


def _connectivity(topics: Topics) -> dict[str, Any]:
    """Show whether the door is there; the one entity that is available when it is not."""
    return {
        "platform": "binary_sensor",
        "name": "Connectivity",
        "device_class": "connectivity",
        "entity_category": "diagnostic",
        "state_topic": topics.availability,
        "value_template": "{{ 'ON' if value == 'online' else 'OFF' }}",
    }


def _visit(topics: Topics, *, names: bool) -> dict[str, Any]:
    """Show the last visit as an event: when, and how it ended.

    What is told late or once more is passed over, so that no automation greets somebody who came last night.
    """
    who = ", 'name': value_json.get('name')" if names else ""
    told = f"{{'event_type': value_json.decision, 'reason': value_json.reason, 'at': value_json.ts{who}}}"
    return {
        "platform": "event",
        "name": "Visit",
        "state_topic": topics.event("access"),
        "event_types": _EVENT_TYPES,
        "value_template": f"{{{{ '' if value_json.historical else {told} | to_json }}}}",
        **_availability(topics),
    }


def _figure(topics: Topics, topic: str, name: str, value: str, unit: str | None = None) -> dict[str, Any]:
    return {
        "platform": "sensor",
        "name": name,
        "entity_category": "diagnostic",
        "state_topic": topic,
        "value_template": f"{{{{ {value} }}}}",
        **({} if unit is None else {"unit_of_measurement": unit}),
        **_availability(topics),
    }
