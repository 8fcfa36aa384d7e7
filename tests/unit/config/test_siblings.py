from pathlib import Path

import pytest

from edged.config import load
from edged.config.siblings import clashes

DOOR = """
door:
  lock: {driver: fake}
  socket: door.sock
"""
READER = "camera: {source: {type: file, path: x.mp4}}\nsite: hq\ngallery: {key_file: vault.key}\n" + DOOR


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text)
    return path


def told(folder: Path, text: str) -> list[str]:
    path = write(folder, "in.yaml", READER + text)
    return clashes(path, load(path, {}), {})


def test_two_readers_that_differ_in_what_they_must_are_fine(tmp_path: Path) -> None:
    write(tmp_path, "config.yaml", DOOR)  # the door process's alone
    write(tmp_path, "other.yaml", READER.replace("door.sock", "other.sock") + "door_id: in\n")
    write(tmp_path, "out.yaml", READER + "door_id: out\njournal: {path: out.db}\nhttp: {port: 9478}\n")
    assert told(tmp_path, "door_id: in\njournal: {path: in.db}\n") == []


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("door_id: out.yaml has hq.x", "door_id: x\njournal: {path: in.db}\nhttp: {port: 9478}\n"),
        ("http.port: out.yaml has 9477", "door_id: in\njournal: {path: in.db}\n"),
        ("journal.path: out.yaml has", "door_id: in\njournal: {path: out.db}\nhttp: {enabled: false}\n"),
        (
            "second_factor.socket_path: out.yaml has",
            "door_id: in\njournal: {path: in.db}\nhttp: {port: 0}\nsecond_factor: {enabled: true}\n",
        ),
        (
            "mqtt.client_id: out.yaml has one",
            "door_id: in\njournal: {path: in.db}\nhttp: {port: 1}\nmqtt: {client_id: one}\n",
        ),
    ],
    ids=lambda value: value.split(":")[0],
)
def test_what_two_readers_have_in_common_is_told(tmp_path: Path, key: str, text: str) -> None:
    write(
        tmp_path, "out.yaml",
        READER + "door_id: x\njournal: {path: out.db}\nmqtt: {client_id: one}\n"
        "second_factor: {enabled: true}\n",
    )  # fmt: skip
    (clash,) = told(tmp_path, text)
    assert clash.startswith(key)
    assert clash.endswith("each reader of a door needs its own")


def test_a_door_that_is_not_shared_has_no_siblings(tmp_path: Path) -> None:
    write(tmp_path, "out.yaml", READER + "door_id: x\n")
    path = write(tmp_path, "in.yaml", READER.replace("  socket: door.sock\n", "") + "door_id: x\n")
    assert clashes(path, load(path, {}), {}) == []
