"""A door that is made to be measured decides, and its start is told in the order in which things happen."""

from pathlib import Path

import pytest

from edged.config.sections import ModelsConfig
from edged.demo.trial_door import make_trial_door
from edged.errors import EvaluationError
from edged.evaluation.start_time import start_once
from edged.storage.people import PeopleStore
from edged.storage.vault import Vault

MODELS = ModelsConfig(directory=Path(__file__).parents[3] / "models")


def test_a_trial_door_is_started_and_measured(tmp_path: Path) -> None:
    config = make_trial_door(tmp_path, MODELS, people=4)
    with PeopleStore.open(config.gallery.path, Vault.open(config.gallery.key_file), writable=False) as store:
        assert len(store.people()) == 4
        assert len({template.space for template in store.templates()}) == 1
    start = start_once(tmp_path, settled_seconds=0.1)
    assert 0 < start.ready_ms < start.first_decision_ms
    assert start.ready_cpu_ms > 0
    # The door process is another one, and has no models.
    assert start.door.rss_mb < start.daemon.rss_mb / 2
    assert not (tmp_path / "notify").exists()


def test_a_door_that_does_not_start_is_told(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("site: nowhere\n")
    with pytest.raises(EvaluationError, match="ended with status 78 before it was ready"):
        start_once(tmp_path)
