"""Fixtures shared by all tests."""

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# A busy machine makes any single example slow; what is tested is what happens, not how fast.
# `HYPOTHESIS_PROFILE=thorough` looks longer.
settings.register_profile(
    "quick", deadline=None, max_examples=25, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("thorough", parent=settings.get_profile("quick"), max_examples=1000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))

SHARED = Path(__file__).parents[2] / "shared"
# What a door may run on: the starter pack and the people who come with edged, and, where they lie beside
# the checkout, the research weights and photographs.
SETTINGS = ("bundled", "research") if SHARED.is_dir() else ("bundled",)


@pytest.fixture(scope="session", params=SETTINGS)
def setting(request: pytest.FixtureRequest) -> str:
    """One of ``SETTINGS``: a test that asks for it runs in each."""
    return str(request.param)


@pytest.fixture(scope="session")
def weights_dir() -> Path:
    """The folder with the research weights; skips where it is absent."""
    return _or_skip(SHARED / "models", "research weights")


@pytest.fixture(scope="session")
def photos_dir() -> Path:
    """The folder with the research photographs; skips where it is absent."""
    return _or_skip(SHARED / "data" / "lfw-dev", "research photographs")


def _or_skip(path: Path, what: str) -> Path:
    if not path.is_dir():
        pytest.skip(f"{what} are not beside this checkout")
    return path


@pytest.fixture(autouse=True)
def _no_thread_left_behind() -> Iterator[None]:
    """A test that leaks a thread of ours leaks a camera, a lock or a database at the door."""
    before = set(threading.enumerate())
    yield
    leaked = [thread for thread in set(threading.enumerate()) - before if thread.name.startswith("edged-")]
    for thread in leaked:
        thread.join(20)
    assert not [thread.name for thread in leaked if thread.is_alive()]
