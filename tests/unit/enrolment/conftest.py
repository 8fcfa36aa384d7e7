"""A gallery on disk and the service over it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edged.enrolment.checks import PhotoCheck
from edged.enrolment.levels import levels_for
from edged.enrolment.service import Enrolment, Policy
from edged.storage.people import PeopleStore
from edged.storage.probes import ProbeStore
from edged.storage.vault import Vault
from tests.unit.enrolment.scene import CALIBRATION, SquarePipeline

MakeEnrolment = Callable[..., Enrolment]


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    return Vault.open(tmp_path / "gallery" / "vault.key", environ={})


@pytest.fixture
def store(tmp_path: Path, vault: Vault) -> Iterator[PeopleStore]:
    with PeopleStore.open(tmp_path / "gallery" / "people.db", vault, writable=True) as opened:
        yield opened


@pytest.fixture
def probes(tmp_path: Path, vault: Vault) -> ProbeStore:
    return ProbeStore(tmp_path / "gallery" / "people-probes", vault, keep_seconds=3600)


@pytest.fixture
def enrolment(store: PeopleStore, vault: Vault) -> MakeEnrolment:
    """Make a service with a policy; each sees the store as it is then."""

    def make(policy: Policy = Policy(), *, largest_face: bool = False) -> Enrolment:  # noqa: B008 - frozen
        pipeline = SquarePipeline()
        check = PhotoCheck(pipeline, vault.digest, largest_face=largest_face)
        return Enrolment(pipeline, store, check, levels_for(CALIBRATION), policy)

    return make
