"""Checks that need more than one key."""

import os
import re
import urllib.parse
import zoneinfo
from collections.abc import Callable, Mapping
from datetime import time
from typing import Any

from edged.config.door_lines import wired_lines
from edged.config.sections import (
    AccessConfig,
    CameraConfig,
    Config,
    DecisionConfig,
    DoorConfig,
    GpiodLockConfig,
    GpiozeroLockConfig,
    LivenessConfig,
    MqttConfig,
    QualityConfig,
    SecondFactorConfig,
    SecurityConfig,
    UrlSource,
)
from edged.config.wording import did_you_mean

MAX_SOCKET_PATH = 100  # sun_path of unix(7) has 108 bytes; a temporary name beside it needs some


def contradictions(section: object) -> list[str]:
    """Return one ``path: text`` for each contradiction between the keys of one section."""
    check = _CHECKS.get(type(section))
    return [] if check is None else check(section)


def _decision(decision: DecisionConfig) -> list[str]:
    if decision.confirm_frames > decision.window_frames:
        return [
            f"decision.confirm_frames: must not exceed decision.window_frames "
            f"({decision.window_frames}), got {decision.confirm_frames}"
        ]
    return []


def _security(security: SecurityConfig) -> list[str]:
    if security.level is not None and security.target_fpir is not None:
        return ["security.target_fpir: give either it or security.level, not both"]
    return []


def _camera(camera: CameraConfig) -> list[str]:
    problems = []
    if camera.reconnect_min_ms > camera.reconnect_max_ms:
        problems.append("camera.reconnect_min_ms: must not exceed camera.reconnect_max_ms")
    source = camera.source
    if isinstance(source, UrlSource):
        problems += _url(source.url)
    if source.__struct_config__.tag == "command" and getattr(source, "format", "") != "mjpeg":
        problems += [
            f"camera.source.{key}: raw formats need it"
            for key in ("width", "height")
            if getattr(source, key, None) is None
        ]
    return problems


def _url(url: str) -> list[str]:
    try:
        holds_user = "@" in urllib.parse.urlsplit(url).netloc
    except ValueError as exc:
        return [f"camera.source.url: is not a URL: {exc}"]
    if holds_user:
        return [
            "camera.source.url: holds a user name or password; use camera.source.username and "
            "camera.source.password_file"
        ]
    return []


def _quality(quality: QualityConfig) -> list[str]:
    if quality.min_brightness >= quality.max_brightness:
        return [
            f"quality.min_brightness: must be below quality.max_brightness ({quality.max_brightness:g}), "
            f"got {quality.min_brightness:g}"
        ]
    return []


def _door(door: DoorConfig) -> list[str]:
    problems = []
    if door.unlock_seconds > door.max_unlock_seconds:
        problems.append(
            f"door.unlock_seconds: must not exceed door.max_unlock_seconds "
            f"({door.max_unlock_seconds:g}), got {door.unlock_seconds:g}"
        )
    if isinstance(door.lock, GpiozeroLockConfig) and door.lock.active == "low":
        problems.append(
            "door.lock.active: gpiozero drives the line low before its first value, so an active-low "
            "relay would open the door at every start; use driver: gpiod"
        )
    if isinstance(door.lock, GpiozeroLockConfig) and door.lock.power == "fail_safe":
        problems.append(
            "door.lock.power: gpiozero drives the line low before its first value, so a magnet would let go "
            "at every start; use driver: gpiod"
        )
    return problems + _lines(door) + _socket(door)


def _lines(door: DoorConfig) -> list[str]:
    """Each line has one use: two parts that claim it, and neither works."""
    used = {(door.lock.chip, door.lock.line): "door.lock"} if isinstance(door.lock, GpiodLockConfig) else {}
    problems = []
    for path, wired in wired_lines(door.inputs, door.signals).items():
        other = used.setdefault((wired.chip, wired.line), path)
        if other != path:
            problems.append(f"{path}.line: {wired.chip} {wired.line} is the line of {other} already")
    contact = door.inputs.contact
    if contact is not None and contact.warn_after_seconds > contact.alarm_after_seconds:
        problems.append(
            "door.inputs.contact.warn_after_seconds: must not exceed door.inputs.contact.alarm_after_seconds"
        )
    return problems


def _socket(door: DoorConfig) -> list[str]:
    if door.socket is not None and len(os.fsencode(door.socket)) > MAX_SOCKET_PATH:
        return [f"door.socket: expected at most {MAX_SOCKET_PATH} bytes, got {str(door.socket)!r}"]
    return []


def _access(access: AccessConfig) -> list[str]:
    problems = []
    if access.time_zone != "local" and access.time_zone not in (zones := zoneinfo.available_timezones()):
        problems.append(
            f"access.time_zone: expected 'local' or a zone such as 'Europe/Paris', got {access.time_zone!r}"
            f"{did_you_mean(access.time_zone, zones, always=False)}"
        )
    if access.schedules and not access.groups:
        problems.append(
            "access.groups: missing, but access.schedules is given: without groups all may enter always"
        )
    for group, names in access.groups.items():
        problems += [
            f"access.groups.{group}: schedule {name!r} is not defined in access.schedules"
            f"{did_you_mean(name, access.schedules, always=False)}"
            for name in names
            if name not in access.schedules
        ]
    for name, periods in access.schedules.items():
        problems += [
            f"access.schedules.{name}[{index}]: from and to are equal ({period.start}); a whole day is "
            f"from: '00:00', to: '24:00'"
            for index, period in enumerate(periods)
            if _minutes(period.start) == _minutes(period.end)
        ]
    return problems


def _liveness(liveness: LivenessConfig) -> list[str]:
    problems = []
    if liveness.mode != "off" and liveness.pack is None and not liveness.cues:
        problems.append(
            f"liveness.pack: missing, and liveness.cues is empty: with mode {liveness.mode} something has to "
            "be measured"
        )
    if liveness.mode != "off" and liveness.pack is None and set(liveness.cues) == {"parallax"}:
        problems.append(
            "liveness.cues: parallax alone knows a stiff picture that moves, and nothing of one "
            "that is held still; give liveness.pack or another cue as well"
        )
    if len(set(liveness.cues)) != len(liveness.cues):
        problems.append("liveness.cues: names a cue twice")
    if liveness.mode == "required" and liveness.threshold == 0:
        problems.append("liveness.threshold: 0 lets everything pass; mode: advisory says so plainly")
    return problems


def _minutes(text: str) -> int:
    if text == "24:00":
        return 24 * 60
    at = time.fromisoformat(text)
    return at.hour * 60 + at.minute


def _mqtt(mqtt: MqttConfig) -> list[str]:
    problems = []
    if mqtt.password_file is not None and mqtt.username is None:
        problems.append("mqtt.username: missing, but mqtt.password_file is given")
    if mqtt.tls is not None and (mqtt.tls.certificate_file is None) != (mqtt.tls.key_file is None):
        problems.append("mqtt.tls: certificate_file and key_file belong together")
    if mqtt.reconnect_min_seconds > mqtt.reconnect_max_seconds:
        problems.append("mqtt.reconnect_min_seconds: must not exceed mqtt.reconnect_max_seconds")
    return problems


def _second_factor(factor: SecondFactorConfig) -> list[str]:
    return [
        f"second_factor.{key}: names one twice"
        for key in ("ask", "accept", "socket_users")
        if len(set(given := getattr(factor, key))) != len(given)
    ]


def _whole(config: Config) -> list[str]:
    """Check what takes more than one section."""
    problems, factor = _fleet(config) + _home_assistant(config), config.second_factor
    if factor.enabled and factor.mqtt_key_file is not None and not config.mqtt.enabled:
        problems.append("second_factor.mqtt_key_file: given, but mqtt.enabled is false")
    limit = config.quality.max_yaw_degrees
    if config.liveness.challenge != "off" and limit < _LEAST_TURN_RANGE:
        problems.append(
            f"quality.max_yaw_degrees: {limit:g}, but liveness.challenge needs {_LEAST_TURN_RANGE:g}: a head "
            "that is turned as asked would not be recognised"
        )
    return problems


def _fleet(config: Config) -> list[str]:
    if not config.fleet.enabled:
        return []
    problems = []
    if not config.mqtt.enabled:
        problems.append("fleet.enabled: needs mqtt.enabled, over which the people come")
    if config.door_id == "gallery":
        problems.append("door_id: 'gallery' is where the fleet's own topics lie; use another name")
    return problems


def _home_assistant(config: Config) -> list[str]:
    section = config.home_assistant
    if not section.enabled:
        if section.plain_unlock:
            return ["home_assistant.plain_unlock: needs home_assistant.enabled"]
        return []
    problems = []
    if not config.mqtt.enabled:
        problems.append("home_assistant.enabled: needs mqtt.enabled, over which it is announced")
    if section.discovery_prefix == config.mqtt.topic_prefix:
        problems.append("home_assistant.discovery_prefix: must differ from mqtt.topic_prefix")
    problems += [
        f"{key}: {name!r}, but home_assistant.enabled takes letters, digits, '_' and '-' alone: "
        "Home Assistant passes over every other topic"
        for key, name in (("site", config.site), ("door_id", config.door_id))
        if not _DISCOVERABLE.fullmatch(name)
    ]
    mqtt = config.mqtt
    if section.plain_unlock and mqtt.username is None and (mqtt.tls is None or not mqtt.tls.certificate_file):
        problems.append(
            "home_assistant.plain_unlock: needs mqtt.username or mqtt.tls.certificate_file: a broker that "
            "does not ask who somebody is lets everybody unlock"
        )
    return problems


# What its discovery takes as a node and an object (homeassistant.components.mqtt.discovery, TOPIC_MATCHER).
_DISCOVERABLE = re.compile(r"[a-zA-Z0-9_-]+")


# A turn counts from 19 degrees on (``domain.challenge``), off a face that may look 15 aside at first.
_LEAST_TURN_RANGE = 35.0


_CHECKS: Mapping[type, Callable[[Any], list[str]]] = {
    AccessConfig: _access,
    CameraConfig: _camera,
    Config: _whole,
    DecisionConfig: _decision,
    DoorConfig: _door,
    LivenessConfig: _liveness,
    MqttConfig: _mqtt,
    QualityConfig: _quality,
    SecondFactorConfig: _second_factor,
    SecurityConfig: _security,
}
