"""Everything a demo needs before the daemon starts: models, people, a scene, a configuration."""

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import yaml

from edged.config import Config, load
from edged.config.sections import FolderSource
from edged.demo.stage import Actor, cast, programme
from edged.enrolment.entries import Entry
from edged.enrolment.opening import open_enrolment
from edged.enrolment.service import Policy
from edged.enrolment.sources import FilePhoto
from edged.errors import ModelError
from edged.evaluation.scene import write_scene
from edged.fleet.local_broker import LocalBroker
from edged.vision.installation import Installer
from edged.vision.packs import Catalogue

Say = Callable[[str, str], None]

CONFIG_NAME = "config.yaml"
_REPLAY_FPS = 10.0


def write_config(folder: Path, *, broker: LocalBroker | None, camera: str | None, http_port: int) -> Config:
    """Write ``config.yaml`` of a door that lives in ``folder``, and load it.

    It stays, so that ``edged events``, ``explain``, ``report`` and ``people`` work on the demo's door.
    """
    source: dict[str, object] = {"type": "folder", "path": "scene", "fps": _REPLAY_FPS}
    if camera is not None:
        source = {"type": "v4l2", "device": f"/dev/video{camera}" if camera.isdigit() else camera}
    mqtt: dict[str, object] = {"enabled": False}
    if broker is not None:
        mqtt = {"port": broker.port, "protocol": broker.protocol}
    document = {
        "site": "demo",
        "door_id": "desk",
        "camera": {"source": source},
        "door": {"unlock_seconds": 1.5, "lock": {"driver": "fake", "trace_path": "lock.jsonl"}},
        "models": {"directory": "models"},
        "decision": {"cooldown_seconds": 5.0},
        "attendance": {"enabled": True, "direction": "in", "double_punch_seconds": 5.0},
        "mqtt": mqtt,
        "journal": {"path": "journal.db"},
        "gallery": {"path": "people.db", "key_file": "vault.key"},
        "http": {"port": http_port},
        "logging": {"level": "warning"},
    }
    path = folder / CONFIG_NAME
    path.write_text("# Written by edged demo.\n" + yaml.safe_dump(document, sort_keys=False))
    return load(path)


def install_models(config: Config, weights: Path | None, say: Say) -> None:
    """Make sure that the configured packs are there. Raises ``ModelError`` saying what to pull or import."""
    catalogue = Catalogue(config.models.directory)
    wanted = (config.models.detector, config.models.embedder)
    missing = [name for name in wanted if not catalogue.find(name).present()]
    if missing and weights is not None and weights.is_dir():
        Installer(catalogue).import_from([weights])
        missing = [name for name in wanted if not catalogue.find(name).present()]
    if missing:
        raise ModelError(
            f"the demo needs the model packs {' and '.join(wanted)}: put their weights into a folder and "
            f"name it with --weights FOLDER (EDGED_DEMO_WEIGHTS=FOLDER make run); "
            f"`edged models info {missing[0]}` shows the files and their hashes"
        )
    say("models", f"{config.models.detector} and {config.models.embedder}, {config.models.precision}")


def set_scene(config: Config, photos: Path, say: Say) -> list[Actor]:
    """Enrol the people of ``photos`` afresh and write the replay. Raises ``EdgedError``."""
    actors = cast(photos)
    for path in (config.gallery.path, config.gallery.path.with_name(f"{config.gallery.path.name}-wal")):
        path.unlink(missing_ok=True)
    entries = [
        Entry(actor.name, tuple(FilePhoto(path) for path in actor.enrol)) for actor in actors if actor.enrol
    ]
    with open_enrolment(config.models, config.quality, config.gallery, Policy()) as tools:
        for report in tools.enrolment.run(entries):
            say("enrolled" if report.person_id else "refused", f"{report.name}  {report.text or ''}".rstrip())
    write_replay(config, actors)
    return actors


def write_replay(config: Config, actors: Sequence[Actor]) -> None:
    """Write the frames in which everybody comes to the door."""
    source = config.camera.source
    if not isinstance(source, FolderSource):
        return
    shutil.rmtree(source.path, ignore_errors=True)
    write_scene(programme(actors), source.path)
