"""What the doctor says of a machine's profile."""

import hashlib

from edged.doctor.finding import State
from edged.doctor.profile import profile
from edged.storage.site_calibration import SiteCalibration, calibration_path, write_site
from edged.vision.profile import write_profile
from tests.fakes.model_packs import descriptor, write_pack
from tests.unit.doctor.conftest import Site, json_safe
from tests.unit.vision.test_profile import BOTH, measured


def test_a_machine_that_was_never_measured_is_told_how(site: Site) -> None:
    found = profile(site.patient())
    assert found.state is State.NOT_APPLICABLE
    assert "edged bench --write" in found.detail
    assert site.patient().pipeline.threads.text in found.detail


def test_networks_that_cannot_be_opened_are_left_to_their_own_line(site: Site) -> None:
    found = profile(site.patient(models={"directory": "models", "embedder": "arcface-y1"}))
    assert found.state is State.NOT_APPLICABLE
    assert (found.facts["threads"], found.facts["threads_why"]) == (None, None)
    assert "threads" not in found.detail


def test_a_profile_in_force_is_told_and_what_wins_over_it(site: Site) -> None:
    models = site.config().models
    write_profile(measured(models, precision={}), models)
    found = profile(site.patient())
    assert found.state is State.OK
    assert (found.facts["threads"], found.facts["frames_per_second"]) == (1, 12.0)
    stated = profile(site.patient(models={"directory": "models", "threads": 2}))
    assert stated.facts["threads"] == 2
    assert "models.threads of the configuration win" in stated.detail
    assert json_safe(dict(found.facts))


def test_a_camera_that_gives_more_than_the_board_judges_is_told_of(site: Site) -> None:
    models = site.config().models
    write_profile(measured(models, precision={}), models)
    source = {"type": "file", "path": "x.mp4", "fps": 30.0}
    found = profile(site.patient(camera={"source": source}))
    assert found.state is State.WARNING
    assert "the camera gives 30" in found.detail
    assert profile(site.patient(camera={"source": source | {"fps": 12.0}})).state is State.OK


def test_a_stale_profile_is_worth_a_warning(site: Site) -> None:
    models = site.config().models
    write_profile(measured(models, onnxruntime="0.1"), models)
    found = profile(site.patient())
    assert found.state is State.WARNING
    assert "another onnxruntime" in found.detail
    assert (
        profile(site.patient(models={"directory": "models", "profile": "off"})).state is State.NOT_APPLICABLE
    )


def test_a_profile_that_was_cut_short_is_a_warning_and_no_failure(site: Site) -> None:
    models = site.config().models
    path = write_profile(measured(models), models)
    path.write_bytes(path.read_bytes()[:100])
    found = profile(site.patient())
    assert found.state is State.WARNING
    assert "got 100 bytes that are no whole JSON" in found.detail


def test_what_the_door_was_calibrated_with_is_told(site: Site) -> None:
    site.data.joinpath("models").mkdir()
    write_pack(site.data / "models", descriptor(content=BOTH), BOTH)
    chosen = {"directory": "models", "embedder": "toy"}
    config = site.config(models=chosen)
    write_profile(measured(config.models), config.models)
    assert "calibrated" not in profile(site.patient(models=chosen)).detail
    weights = {"detector": "0" * 64, "embedder": hashlib.sha256(BOTH["float32"]).hexdigest()}
    kept = SiteCalibration(
        space="toy/1", weights=weights, measured_at="2026-01-01", people=3, photographs=9, cohort=100,
        genuine=12, points=(),
    )  # fmt: skip
    write_site(calibration_path(config.gallery), kept)
    patient = site.patient(models=chosen)
    found = profile(patient)
    assert patient.pipeline.weights["embedder"] == weights["embedder"]
    assert "embedder float32 runs on, which this door was calibrated with" in found.detail
