"""What the doctor says of a machine's profile."""

from edged.doctor.finding import State
from edged.doctor.profile import profile
from edged.vision.profile import write_profile
from tests.unit.doctor.conftest import Site, json_safe
from tests.unit.vision.test_profile import measured


def test_a_machine_that_was_never_measured_is_told_how(site: Site) -> None:
    found = profile(site.patient())
    assert found.state is State.NOT_APPLICABLE
    assert "edged bench --write" in found.detail


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
