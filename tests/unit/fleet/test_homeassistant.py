"""The announcement, held against what Home Assistant's own schemas take; the templates, against real states.

The schemas are those of ``homeassistant/components/mqtt``: ``schemas.py`` for the device, ``lock.py``,
``binary_sensor.py``, ``sensor.py`` and ``event.py`` for the entities. The templates are Jinja expressions in
the part of the language that Python shares, so Python can say what they come to.
"""

import json
import re
from typing import Any

import pytest

from edged.fleet.commands import BadCommandError
from edged.fleet.connection import Arrived
from edged.fleet.homeassistant import (
    Shown,
    announcement,
    announcement_topic,
    is_online,
    parse_order,
    status_topic,
)
from edged.fleet.messages import StateMessage, state_payload
from edged.fleet.topics import Topics

TOPICS = Topics("edged", "hq", "front")
ALL = Shown("1.0", "Front door", "Hall", contact=True, tamper=True, fire=True, names=True)
BARE = Shown("1.0", "hq front")
STATE = StateMessage(lock="locked", camera="up", armed=True, time_synced=True)

ENTITY = {
    "availability_template", "availability_topic", "entity_category", "name", "platform", "qos",
    "state_topic", "unique_id", "value_template",
}  # fmt: skip
# Required and further keys of each platform.
PLATFORMS: dict[str, tuple[set[str], set[str]]] = {
    "lock": (
        {"command_topic"},
        {"optimistic", "payload_lock", "payload_reset", "payload_unlock", "retain", "state_jammed",
         "state_locked", "state_unlocked"},
    ),
    "binary_sensor": ({"state_topic"}, {"device_class"}),
    "sensor": ({"state_topic"}, {"unit_of_measurement"}),
    "event": ({"state_topic", "event_types"}, set()),
}  # fmt: skip
# homeassistant/components/binary_sensor: BinarySensorDeviceClass.
CLASSES = {"connectivity", "door", "problem", "safety", "tamper"}


class Fields(dict[str, Any]):
    """An object of a payload, as a template sees it: a key that is missing is false, not an error."""

    def __getattr__(self, key: str) -> Any:
        value = self.get(key)
        return Fields(value) if isinstance(value, dict) else value


class ToJson:
    def __ror__(self, value: object) -> str:
        return json.dumps(value)


def rendered(template: str, payload: bytes) -> str:
    expression = template.removeprefix("{{ ").removesuffix(" }}")
    try:
        fields = Fields(json.loads(payload))
    except ValueError:
        fields = Fields()
    names = {"value_json": fields, "value": payload.decode(), "to_json": ToJson()}
    return str(eval(expression, {"__builtins__": {}}, names))


def components(shown: Shown) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = json.loads(announcement(TOPICS, shown))["cmps"]
    return found


def said(key: str, payload: bytes, shown: Shown = ALL) -> str:
    return rendered(components(shown)[key]["value_template"], payload)


def state(**changes: Any) -> bytes:
    fields = {"lock": "locked", "camera": "up", "armed": True, "time_synced": True, "door": "shut", **changes}
    return state_payload(StateMessage(**fields))


@pytest.mark.parametrize("shown", [ALL, BARE])
def test_the_device_is_what_home_assistant_takes(shown: Shown) -> None:
    payload = json.loads(announcement(TOPICS, shown))
    assert set(payload) == {"dev", "o", "cmps"}
    known = {"identifiers", "name", "manufacturer", "model", "sw_version", "suggested_area"}
    assert set(payload["dev"]) <= known
    assert payload["dev"]["identifiers"]
    assert set(payload["o"]) == {"name", "sw_version"}


@pytest.mark.parametrize("shown", [ALL, BARE])
def test_each_entity_is_what_its_platform_takes(shown: Shown) -> None:
    for key, config in components(shown).items():
        required, further = PLATFORMS[config["platform"]]
        assert required <= set(config) <= ENTITY | required | further, key
        assert re.fullmatch(r"[a-zA-Z0-9_-]+", key)
        assert config.get("device_class", "door") in CLASSES
        assert config.get("entity_category", "diagnostic") == "diagnostic"
        for name, value in config.items():
            if name.endswith("topic"):
                assert value.startswith(TOPICS.root)
                assert not set("+#") & set(value)
    ids = [config["unique_id"] for config in components(shown).values()]
    assert len(set(ids)) == len(ids)


def test_the_topics_are_those_that_home_assistant_listens_to() -> None:
    topic = announcement_topic("homeassistant", TOPICS)
    assert re.fullmatch(r"homeassistant/\w+/(?:[a-zA-Z0-9_-]+/)?[a-zA-Z0-9_-]+/config", topic)
    assert topic != announcement_topic("homeassistant", Topics("edged", "hq_front", "front"))
    assert status_topic("ha") == "ha/status"


def test_what_is_not_wired_is_not_shown() -> None:
    assert components(ALL).keys() - components(BARE).keys() == {"door", "forced", "tamper", "emergency"}


@pytest.mark.parametrize(
    ("word", "shown"),
    [("open", "ON"), ("held", "ON"), ("forced", "ON"), ("shut", "OFF"), ("unknown", "None")],
)
def test_the_door(word: str, shown: str) -> None:
    assert said("door", state(door=word)) == shown
    assert said("forced", state(door=word)) == ("ON" if word in ("held", "forced") else "OFF")


@pytest.mark.parametrize("word", ["locked", "unlocked", "fault", "unknown"])
def test_the_lock(word: str) -> None:
    lock = components(ALL)["lock"]
    words = [lock[f"state_{name}"] for name in ("locked", "unlocked", "jammed")] + [lock["payload_reset"]]
    assert words == ["locked", "unlocked", "fault", "unknown"]
    assert said("lock", state(lock=word)) in words
    assert lock["retain"] is False
    assert lock["optimistic"] is False
    assert said("problem", state(lock=word)) == ("ON" if word in ("fault", "unknown") else "OFF")


def test_what_else_the_state_says() -> None:
    for key, field in (("locked_down", "locked_down"), ("tamper", "tampered"), ("emergency", "emergency")):
        assert (said(key, state()), said(key, state(**{field: True}))) == ("OFF", "ON")
    assert said("problem", state(camera="blind")) == "ON"
    assert (said("armed", state()), said("armed", state(armed=False))) == ("ON", "OFF")
    assert said("people", b'{"facts": {"people": 12}}') == "12"
    assert said("gallery", b'{"gallery_version": 7}') == "7"


@pytest.mark.parametrize("word", ["online", "offline", "stopped"])
def test_the_connection(word: str) -> None:
    there = word == "online"
    assert said("connectivity", word.encode()) == ("ON" if there else "OFF")
    assert "availability_topic" not in components(ALL)["connectivity"]
    template = components(ALL)["lock"]["availability_template"]
    assert rendered(template, word.encode()) == ("online" if there else "offline")


def visit(**changes: Any) -> bytes:
    fields = {"decision": "denied", "reason": "unknown_person", "ts": "2026-01-01T00:00:00.000Z",
              "historical": False, "person_id": "p-1", "name": "Ann"}  # fmt: skip
    return json.dumps({**fields, **changes}).encode()


def test_a_visit_bears_a_name_only_where_events_do() -> None:
    assert "Ann" in said("visit", visit())
    plain = json.loads(said("visit", visit(), BARE))
    assert plain == {"event_type": "denied", "reason": "unknown_person", "at": "2026-01-01T00:00:00.000Z"}
    assert json.loads(said("visit", visit(name=None)))["name"] is None


def test_a_visit_that_is_told_late_is_no_event() -> None:
    assert said("visit", visit(historical=True)) == ""


def arrived(payload: bytes, *, retain: bool = False) -> Arrived:
    return Arrived(TOPICS.command_lock, payload, len(payload), retain)


def test_orders_are_two_words() -> None:
    assert parse_order(arrived(b"LOCK")) == "LOCK"
    assert parse_order(arrived(b"UNLOCK")) == "UNLOCK"


@pytest.mark.parametrize(
    ("payload", "retain", "result"),
    [
        (b"UNLOCK", True, "retained"),
        (b"LOCK", True, "retained"),
        (b"", False, "malformed"),
        (b"unlock", False, "malformed"),
        (b"OPEN", False, "malformed"),
        (b"UNLOCK\n", False, "malformed"),
        (b"\xff\xfe", False, "malformed"),
        (b"UNLOCK" * 20, False, "oversized"),
    ],
)
def test_everything_else_is_none(payload: bytes, retain: bool, result: str) -> None:
    with pytest.raises(BadCommandError) as caught:
        parse_order(arrived(payload, retain=retain))
    assert caught.value.result == result


def test_online_asks_for_everything_anew() -> None:
    assert is_online(arrived(b"online"))
    assert not is_online(arrived(b"offline"))
