"""The folder and the configuration of a demo."""

import socket
from pathlib import Path
from typing import Any

import pytest

from edged.config.sections import FolderSource, V4l2Source
from edged.demo.preparation import Options, clear, install_models, write_config
from edged.errors import ModelError, StoreError
from edged.fleet.local_broker import LocalBroker
from edged.storage.guard import WriterGuard
from tests.fakes.model_packs import descriptor, flattening_model, write_pack


def test_a_first_show_makes_its_folder_and_a_second_one_starts_afresh(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "demo"
    clear(folder)
    write_config(Options(folder), broker=None, source=None)
    for name in ("people.db", "people.db-wal", "journal.db", "lock.jsonl", "vault.key"):
        (folder / name).write_text("old")
    (folder / "people.db.backup").write_text("somebody's")
    clear(folder)
    left = {path.name for path in folder.iterdir()}
    # Without its lock file a database would take two writers.
    locks = {"people.db.lock", "journal.db.lock"}
    assert left == {"config.yaml", "vault.key", "people.db.backup"} | locks


def test_a_demo_that_became_somebodys_door_is_left_alone(tmp_path: Path) -> None:
    write_config(Options(tmp_path), broker=None, source=None)
    config = tmp_path / "config.yaml"
    config.write_text(config.read_text().replace("site: demo", "site: office"))
    (tmp_path / "people.db").write_text("enrolled")
    with pytest.raises(StoreError, match="was changed"):
        clear(tmp_path)
    assert (tmp_path / "people.db").read_text() == "enrolled"


@pytest.mark.parametrize("name", ["people.db", "journal.db"])
def test_nothing_is_removed_under_a_running_door(tmp_path: Path, name: str) -> None:
    write_config(Options(tmp_path), broker=None, source=None)
    (tmp_path / "people.db").write_text("enrolled")
    guard = WriterGuard.acquire(tmp_path / name, 0)
    try:
        with pytest.raises(StoreError, match="expected no other writer"):
            clear(tmp_path)
    finally:
        guard.release()
    assert (tmp_path / "people.db").read_text() == "enrolled"


@pytest.mark.parametrize("name", ["people.db", "config.yaml"])
def test_the_folder_of_a_real_door_is_left_alone(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("site: office\n")
    with pytest.raises(StoreError, match="name an empty --folder"):
        clear(tmp_path)
    assert (tmp_path / name).read_text() == "site: office\n"


def test_a_file_in_the_place_of_the_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "demo").write_text("")
    with pytest.raises(StoreError, match="demo"):
        clear(tmp_path / "demo")


def test_the_configuration_is_a_replay_with_a_fake_lock_and_no_broker(tmp_path: Path) -> None:
    config = write_config(Options(tmp_path), broker=None, source=None)
    assert isinstance(config.camera.source, FolderSource)
    assert config.door.lock.__struct_config__.tag == "fake"
    assert not config.mqtt.enabled


def test_camera_broker_and_models_are_taken_over(tmp_path: Path) -> None:
    write_pack(tmp_path / "packs", descriptor(), {"float32": flattening_model()})
    options = Options(tmp_path, tmp_path / "packs", "scrfd-500m", "toy")
    broker = LocalBroker("toy", 1884, "3.1.1", lambda: None)
    source = {"type": "v4l2", "device": "/dev/video3", "width": 640, "height": 480}
    config = write_config(options, broker=broker, source=source)
    assert config.camera.source == V4l2Source(device="/dev/video3", width=640, height=480)
    assert (config.mqtt.port, config.mqtt.protocol) == (1884, "3.1.1")
    assert (config.models.detector, config.models.embedder) == ("scrfd-500m", "toy")
    assert config.models.directory == tmp_path / "packs"


def test_weights_are_imported_into_the_demo_and_never_written_beside(tmp_path: Path) -> None:
    (tmp_path / "weights").mkdir()
    options = Options(tmp_path / "demo", tmp_path / "weights")
    clear(options.folder)
    assert write_config(options, broker=None, source=None).models.directory == tmp_path / "demo" / "models"


def test_models_that_are_no_folder_are_told(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="not a folder"):
        write_config(Options(tmp_path, tmp_path / "gone"), broker=None, source=None)


def test_a_pack_without_its_files_is_told_with_what_mends_it(tmp_path: Path) -> None:
    config = write_config(
        Options(tmp_path, detector="yunet", embedder="arcface-y1"), broker=None, source=None
    )
    with pytest.raises(ModelError, match=r"yunet and arcface-y1 .*--models DIR.*edged models info yunet"):
        install_models(config, None, lambda _topic, _text: None)


def test_a_port_that_is_taken_is_replaced_by_any_other(tmp_path: Path) -> None:
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        port = busy.getsockname()[1]
        assert write_config(Options(tmp_path, http_port=port), broker=None, source=None).http.port == 0
    assert write_config(Options(tmp_path, http_port=port), broker=None, source=None).http.port == port


@pytest.mark.parametrize(
    ("options", "mode", "pack"),
    [
        ({}, "off", None),
        ({"guarded": True}, "required", None),
        ({"liveness": "minifasnet"}, "required", "minifasnet"),
    ],
)
def test_liveness_is_required_where_something_carries_it(
    tmp_path: Path, options: dict[str, Any], mode: str, pack: str | None
) -> None:
    liveness = write_config(Options(tmp_path, **options), broker=None, source=None).liveness
    assert (liveness.mode, liveness.pack) == (mode, pack)


def test_a_liveness_pack_that_is_missing_is_named(tmp_path: Path) -> None:
    write_pack(tmp_path / "models", descriptor("toy"), {"float32": flattening_model()})
    options = Options(tmp_path, detector="toy", embedder="toy", liveness="minifasnet")
    config = write_config(options, broker=None, source=None)
    with pytest.raises(ModelError, match="files of the model pack minifasnet are missing"):
        install_models(config, None, lambda *_: None)
