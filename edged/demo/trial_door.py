"""A door to measure with: a folder with people, a lock that nothing hangs on, and somebody at its camera."""

from pathlib import Path

import msgspec
import numpy as np
import yaml

from edged.config import Config, load
from edged.config.sections import ModelsConfig
from edged.demo.bundled import bundled_cast
from edged.enrolment.entries import Entry
from edged.enrolment.opening import open_enrolment
from edged.enrolment.service import Policy
from edged.enrolment.sources import FilePhoto
from edged.evaluation.scene import write_scene
from edged.storage.people import PeopleStore
from edged.storage.people_records import NewTemplate
from edged.storage.vault import Vault

_FPS = 15.0
_FRAMES = 30
# As people are enrolled: three photographs each.
_TEMPLATES = 3
_LINE = 17


def make_trial_door(folder: Path, models: ModelsConfig, *, people: int) -> Config:
    """Make a door in the empty ``folder`` that knows ``people``, one of whom stands before the camera.

    The others are random vectors. The line is a file, so that it has a door process as a real one has.
    Raises ``EdgedError``.
    """
    (name, photos), *_ = bundled_cast()[0].items()
    write_scene([photos[_TEMPLATES:]], folder / "scene", frames_a_visit=_FRAMES, gap_frames=0)
    (folder / "config.yaml").write_text(yaml.safe_dump(_document(folder, models)), encoding="utf-8")
    config = load(folder / "config.yaml")
    with open_enrolment(config.models, config.quality, config.gallery, Policy()) as tools:
        entry = Entry(name, tuple(FilePhoto(path) for path in photos[:_TEMPLATES]))
        list(tools.enrolment.run([entry]))
    _fill(config, people - 1)
    return config


def _document(folder: Path, models: ModelsConfig) -> dict[str, object]:
    chip = f"folder:{folder / 'chip'}"
    return {
        "site": "trial",
        "door_id": "desk",
        "camera": {"source": {"type": "folder", "path": "scene", "fps": _FPS, "loop": True}},
        "door": {
            "lock": {"driver": "gpiod", "chip": chip, "line": _LINE, "active": "low", "power": "fail_secure"}
        },
        "models": msgspec.to_builtins(models, enc_hook=str),
        "mqtt": {"enabled": False},
        "journal": {"path": "journal.db"},
        "gallery": {"path": "people.db", "key_file": "vault.key"},
        "http": {"port": 0},
    }


def _fill(config: Config, people: int, seed: int = 1) -> None:
    """Enrol ``people`` with random unit vectors in the space of those who are there."""
    noise = np.random.default_rng(seed)
    vault = Vault.open(config.gallery.key_file)
    with PeopleStore.open(config.gallery.path, vault, writable=True) as store:
        one = store.templates()[0]
        for number in range(people):
            person = store.add_person(f"Person {number}")
            vectors = noise.normal(size=(_TEMPLATES, len(one.vector))).astype(np.float32)
            vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
            made = [NewTemplate(one.space, vector, 1.0, vector.tobytes()[:16]) for vector in vectors]
            store.add_templates(person.person_id, made)
