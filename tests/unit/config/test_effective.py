from pathlib import Path
from typing import Any

import msgspec
import pytest

from edged.config import Config, changes, effective, parse
from edged.config.effective import LIVE_KEYS, LIVE_SECTIONS

SMALL = """\
site: hq
door_id: front
camera: {source: {type: v4l2, device: /dev/video0}}
door: {lock: {driver: gpiod, chip: gpiochip0, line: 17, active: high, power: fail_secure}}
"""


def config(text: str = "") -> Config:
    return parse(SMALL + text, base=Path("/etc/edged"))


def test_defaults_and_absolute_paths_are_shown_and_what_is_not_set_is_not() -> None:
    values = effective(config())
    assert values["journal"]["path"] == "/etc/edged/var/journal.db"
    assert values["camera"]["source"]["type"] == "v4l2"
    assert values["security"] == {"level": "normal", "frames_per_visit": 15}
    assert "tls" not in values["mqtt"]
    assert "password_file" not in values["mqtt"]


@pytest.mark.parametrize(
    ("text", "live", "restart"),
    [
        ("", (), ()),
        ("decision: {armed: false}", ("decision.armed",), ()),
        ("security: {level: secure}", ("security.level",), ()),
        ("security: {target_fpir: 0.002}", ("security.level", "security.target_fpir"), ()),
        (
            "liveness: {mode: required, threshold: 0.6}",
            ("liveness.threshold",),
            ("liveness.mode",),
        ),
        ("logging: {level: debug}", ("logging.level",), ()),
        ("gallery: {poll_seconds: 5}", ("gallery.poll_seconds",), ()),
        ("gallery: {path: other.db}", (), ("gallery.path",)),
        ("access: {time_zone: Europe/Paris}", ("access.time_zone",), ()),
        ("attendance: {enabled: true}", ("attendance.enabled",), ()),
        ("motion: {enabled: false}", ("motion.enabled",), ()),
        ("quality: {min_face_px: 90}\nmodels: {threads: 3}", ("quality.min_face_px",), ("models.threads",)),
        ("mqtt: {tls: {}}", (), ("mqtt.tls.<set>",)),
        ("mqtt: {host: broker, username: edged}", (), ("mqtt.host", "mqtt.username")),
    ],
)
def test_changes_are_told_apart(text: str, live: tuple[str, ...], restart: tuple[str, ...]) -> None:
    restart = tuple("mqtt.tls" if key == "mqtt.tls.<set>" else key for key in restart)
    assert changes(config(), config(text)) == (live, restart)
    assert changes(config(text), config()) == (live, restart)


def test_a_schedule_within_access_changes_live() -> None:
    old = config(
        "access: {schedules: {day: [{days: [mon], from: '08:00', to: '18:00'}]}, groups: {staff: [day]}}"
    )
    new = config(
        "access: {schedules: {day: [{days: [mon], from: '07:00', to: '18:00'}]}, groups: {crew: [day]}}"
    )
    assert changes(old, new) == (
        ("access.groups.crew", "access.groups.staff", "access.schedules.day"),
        (),
    )


def test_another_lock_needs_a_restart() -> None:
    new = parse(SMALL.replace("line: 17", "line: GPIO17").replace("hq", "lab"), base=Path("/etc/edged"))
    assert changes(config(), new) == ((), ("door.lock.line", "site"))


def test_live_names_exist() -> None:
    def keys(kind: Any, name: str) -> set[str]:
        return {field.encode_name for field in msgspec.structs.fields(kind) if name in ("", field.name)}

    assert set(LIVE_SECTIONS) <= keys(Config, "")
    for dotted in LIVE_KEYS:
        section, _, key = dotted.partition(".")
        (field,) = [field for field in msgspec.structs.fields(Config) if field.name == section]
        assert keys(type(field.default), key) == {key}
