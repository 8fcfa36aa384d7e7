import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from edged.config import Config, json_schema, load
from edged.config.descriptions import DESCRIPTIONS
from edged.config.document import read_document
from edged.config.effective import effective
from edged.config.sections import FakeLockConfig

ROOT = Path(__file__).parents[3]
SMALL = """\
site: hq
door_id: front
camera: {source: {type: v4l2, device: /dev/video0}}
door: {lock: {driver: gpiod, chip: gpiochip0, line: 17, active: high, power: fail_secure}}
"""
NO_CAMERA = SMALL.replace("camera:", "# camera:")
NO_DOOR = SMALL.replace("door:", "# door:")
COMMITTED = ROOT / "edged/config/config.schema.json"


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    return json_schema()


@pytest.fixture(scope="module")
def validator(schema: dict[str, Any]) -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(schema)


def test_it_is_a_schema(schema: dict[str, Any]) -> None:
    jsonschema.Draft202012Validator.check_schema(schema)
    assert next(iter(schema)) == "$schema"


def test_the_committed_file_is_up_to_date(schema: dict[str, Any]) -> None:
    assert json.loads(COMMITTED.read_text()) == json.loads(json.dumps(schema)), (
        "run: edged config schema > edged/config/config.schema.json"
    )


def test_every_key_is_described_and_no_other(schema: dict[str, Any]) -> None:
    tags = {"type", "driver"}
    keys = {name: set(struct["properties"]) - tags for name, struct in schema["$defs"].items()}
    assert {name: set(texts) for name, texts in DESCRIPTIONS.items()} == keys, "edged/config/descriptions.py"


def test_defaults_are_shown(schema: dict[str, Any]) -> None:
    structs = schema["$defs"]
    assert structs["JournalConfig"]["properties"]["path"]["default"] == "var/journal.db"
    assert structs["DecisionConfig"]["properties"]["confirm_frames"]["default"] == 3
    assert structs["MqttConfig"]["properties"]["host"]["default"] == "127.0.0.1"
    assert structs["GpiodLockConfig"]["required"] == ["driver", "chip", "line", "active", "power"]
    assert "default" not in structs["GpiodLockConfig"]["properties"]["active"]
    assert structs["Config"]["required"] == ["site", "door_id", "camera", "door"]


@pytest.mark.parametrize(
    ("text", "valid"),
    [
        (SMALL, True),
        (SMALL + "decision: {confirm_frames: 2}", True),
        (SMALL + "decision: {confirm_framez: 2}", False),
        (SMALL + "decision: {confirm_frames: yes}", False),
        (SMALL + "logging: {level: warn}", False),
        (SMALL + "access: {schedules: {day: [{days: [mon], from: '08:00', to: '18:00'}]}}", True),
        (SMALL + "access: {schedules: {day: [{days: [mon], start: '08:00', to: '18:00'}]}}", False),
        (NO_CAMERA + "camera: {source: {type: file, path: x.mp4}}", True),
        (NO_CAMERA + "camera: {source: {type: file, device: x.mp4}}", False),
        (NO_DOOR + "door: {lock: {driver: gpiod, chip: x, line: 1, power: fail_safe}}", False),
    ],
)
def test_an_editor_agrees_with_the_reader(
    validator: jsonschema.Draft202012Validator, text: str, valid: bool
) -> None:
    assert validator.is_valid(read_document(text)[0]) == valid


def test_the_example_is_whole_and_true(validator: jsonschema.Draft202012Validator) -> None:
    path = ROOT / "config.yaml"
    text = path.read_text()
    first = text.splitlines()[0]
    assert first.startswith("# yaml-language-server: $schema=")
    assert (ROOT / first.partition("=")[2]) == COMMITTED
    values, problems = read_document(text)
    assert problems == []
    assert [error.message for error in validator.iter_errors(values)] == []
    assert validator.is_valid(yaml.safe_load(text))  # a reader of YAML 1.1 sees the same kinds
    config = load(path, {})
    assert set(values) == set(Config.__struct_fields__)
    assert not isinstance(config.door.lock, FakeLockConfig)


def test_the_example_shows_every_key_with_its_default(schema: dict[str, Any]) -> None:
    """A key stands in the example with its default, or behind a comment mark."""
    text = (ROOT / "config.yaml").read_text()
    shown = effective(load(ROOT / "config.yaml", {}))
    for section, reference in schema["$defs"]["Config"]["properties"].items():
        if "$ref" not in reference:
            continue
        for key, definition in schema["$defs"][reference["$ref"].rpartition("/")[2]]["properties"].items():
            assert f" {key}:" in text, f"{section}.{key} is missing in config.yaml"
            default = definition.get("default")
            if key in shown[section] and isinstance(default, bool | int | float):
                assert shown[section][key] == default, f"{section}.{key}"
