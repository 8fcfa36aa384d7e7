"""A whole door that requires liveness, on real ONNX sessions: the starter pack and a toy liveness pack."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from edged.app import Daemon
from edged.config import Config, load
from edged.demo.bundled import bundled_cast
from edged.domain.liveness import Cue
from edged.domain.types import EventKind, Face, Image, StoredEvent
from edged.enrolment.entries import Entry
from edged.enrolment.opening import open_enrolment
from edged.enrolment.service import Policy
from edged.enrolment.sources import FilePhoto
from edged.errors import ModelError
from edged.storage.journal_reader import JournalReader
from edged.workers.health import Check
from tests.integration.vision.conftest import read
from tests.integration.vision.test_liveness import GREENISH, REDDISH, door

FRAMES, GAP = 10, 16


def scene(photo: Path) -> list[Image]:
    """Somebody comes in the shade that the toy takes for dead, and again in the one it takes for alive."""
    chance = np.random.default_rng(1)
    empty = np.full(read(photo).shape, (150, 160, 170), np.uint8)
    cv2.rectangle(empty, (20, 20), (60, 90), (90, 80, 70), -1)
    frames = []
    for shade in (REDDISH, GREENISH):
        frames += [empty] * GAP + [np.clip(read(photo) * np.array(shade), 0, 255)] * FRAMES
    frames += [empty] * GAP
    return [np.asarray(np.clip(one + chance.normal(0, 2, one.shape), 0, 255), np.uint8) for one in frames]


def patient_door(path: Path, name: str, photos: list[Path]) -> Config:
    """Let the door of ``path`` replay at ten frames a second on a busy machine, and enrol one person."""
    text = (
        path.read_text()
        .replace("fps: 200", "fps: 10")
        .replace("camera:", "camera:\n  max_frame_age_ms: 2000")
    )
    path.write_text(text + "http: {enabled: false}\n")
    loaded = load(path, {})
    with open_enrolment(loaded.models, loaded.quality, loaded.gallery, Policy()) as tools:
        entry = Entry(name, tuple(FilePhoto(photo) for photo in photos))
        assert [report.person_id for report in tools.enrolment.run([entry])] != [None]
    return loaded


@pytest.fixture
def config(tmp_path: Path) -> Config:
    name, photos = next(iter(bundled_cast()[0].items()))
    path = door(tmp_path, scene(photos[-1]), mode="required")
    return patient_door(path, name, photos[:2])


class Broken:
    """A meter whose network fails at every face."""

    def measure(self, track_id: int, at: float, image: Image, face: Face) -> dict[Cue, float]:
        raise ModelError("broken")

    def forget(self, track_id: int) -> None:
        pass


def access(config: Config) -> list[StoredEvent]:
    with JournalReader.open(config.journal.path) as reader:
        return [one for one in reader.events() if one.event.kind is EventKind.ACCESS]


def test_the_dead_shade_stays_outside_and_the_living_one_comes_in(config: Config) -> None:
    daemon = Daemon(config, until_end=True)
    assert daemon.run() == 0
    told = [(one.event.body["decision"], one.event.body["reason"]) for one in access(config)]
    assert told == [("denied", "not_live"), ("granted", "matched")]
    denied, granted = (one.event for one in access(config))
    assert denied.body["live"] < 0.5 < granted.body["live"]
    assert {gate.name: gate.passed for gate in granted.trace}["liveness"] is True
    sample = daemon.metrics.registry.get_sample_value
    assert [sample("edged_liveness_mode", {"mode": mode}) for mode in ("required", "advisory", "off")] == [
        1,
        0,
        0,
    ]
    assert sample("edged_liveness_score_count", {"cue": "model"}) >= 6
    birth = daemon.standing.birth()
    assert (birth.liveness, birth.models["liveness"]) == ("required", "toy-liveness")
    assert "toy-liveness" in daemon.readiness().checks["models"].detail
    assert daemon.readiness().checks["liveness"] == Check(ok=True, detail="required")


def test_a_door_whose_required_liveness_check_keeps_failing_is_not_ready(config: Config) -> None:
    daemon = Daemon(config, until_end=True)
    watch = daemon.recognition.liveness
    assert watch is not None
    watch._meter = Broken()
    assert daemon.run() == 0
    assert {one.event.body["decision"] for one in access(config)} == {"denied"}
    assert daemon.readiness().checks["liveness"] == Check(ok=False, detail="required, not measured: error")


def test_a_door_whose_liveness_pack_is_missing_does_not_start(config: Config, tmp_path: Path) -> None:
    (tmp_path / "models" / "toy-liveness" / "4.0.onnx").unlink()
    with pytest.raises(ModelError, match="liveness of pack toy-liveness is not installed"):
        Daemon(config)
