"""What the log says of the models at the start."""

import logging
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from edged.config import Config, parse
from edged.vision.profile import write_profile
from edged.workers.running_models import warn_about_models
from tests.unit.vision.test_profile import measured

SMALL = (
    "site: t\ndoor_id: d\ncamera: {source: {type: file, path: x.mp4}}\ndoor: {lock: {driver: fake}}\n"
    "models: {directory: packs}\n"
)
NO_MODELS: Any = SimpleNamespace(restrictions={})


@pytest.fixture
def config(tmp_path: Path) -> Config:
    (tmp_path / "packs").mkdir()
    return parse(SMALL, base=tmp_path)


def test_the_profile_in_force_is_told(config: Config, caplog: pytest.LogCaptureFixture) -> None:
    write_profile(measured(config.models, precision={}), config.models)
    with caplog.at_level(logging.INFO):
        warn_about_models(config, NO_MODELS, None)
    (record,) = caplog.records
    assert record.levelno == logging.INFO
    assert "profile in force" in record.message


def test_a_stale_profile_is_a_warning_and_no_profile_is_no_news(
    config: Config, caplog: pytest.LogCaptureFixture
) -> None:
    warn_about_models(config, NO_MODELS, None)
    assert caplog.records == []
    write_profile(measured(config.models, cores=999), config.models)
    warn_about_models(config, NO_MODELS, None)
    assert "another number of cores" in caplog.text
    caplog.clear()
    off = msgspec.structs.replace(config.models, profile="off")
    warn_about_models(msgspec.structs.replace(config, models=off), NO_MODELS, None)
    assert caplog.records == []


def test_a_profile_that_was_cut_short_is_told_with_what_would_mend_it(
    config: Config, caplog: pytest.LogCaptureFixture
) -> None:
    path = write_profile(measured(config.models), config.models)
    for content in (b"", path.read_bytes()[:200]):
        path.write_bytes(content)
        warn_about_models(config, NO_MODELS, None)
    told = [record.message for record in caplog.records if record.levelno == logging.WARNING]
    assert [("an empty file" in one, "no whole JSON" in one) for one in told] == [
        (True, False),
        (False, True),
    ]
    assert all("edged bench --write" in one for one in told)
