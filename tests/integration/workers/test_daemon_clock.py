"""A whole daemon whose service may not ask the kernel whether the clock is right."""

from pathlib import Path

import pytest

from edged.app import Daemon
from edged.config import load
from edged.devices import timekeeping
from edged.domain.types import EventKind
from edged.workers import door_opening
from tests.fakes.doorway import until
from tests.integration.workers import test_every_worker as whole
from tests.integration.workers.test_daemon_on_a_bad_disk import Play

pipeline, loaded = whole.pipeline, whole._loaded


@pytest.mark.usefixtures("loaded")
def test_its_door_process_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = timekeeping.by_kernel()
    if asked is None:
        pytest.skip("nobody may ask here")
    lock = f"{{driver: gpiod, chip: 'folder:{tmp_path}/chip', line: 17, active: high, power: fail_secure}}"
    whole.config_of(tmp_path, lock)
    path = tmp_path / "config.yaml"
    path.write_text(path.read_text().replace("mqtt: {", "mqtt: {enabled: false, "))
    monkeypatch.setattr(timekeeping, "by_kernel", lambda: None)
    monkeypatch.setattr(timekeeping, "by_timesyncd", lambda: None)
    monkeypatch.setattr(door_opening, "_CATCH_UP_SECONDS", 60.0)  # until then the door has not said it either

    def story(daemon: Daemon) -> None:
        until(lambda: daemon.clock.word() is not None)
        assert daemon.clock.word() is asked
        sample = daemon.metrics.registry.get_sample_value("edged_clock_synced")
        assert sample == float(asked)

    play = Play(load(path, {}))
    assert play.run(story) == 0
    started = [one.event for one in play.recorded if one.event.kind is EventKind.SYSTEM]
    assert started
    assert {event.time_synced for event in started} == {asked}
