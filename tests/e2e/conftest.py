"""A door that knows some people, a broker, and somebody who listens; in every setting there is."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from edged.demo.bundled import bundled_cast
from tests.e2e.door import OfficeDoor, read_table
from tests.fakes.collector import Collector
from tests.fakes.mosquitto import Mosquitto, mosquitto

PEOPLE = 20
STRANGERS = 5


@dataclass(frozen=True, slots=True)
class Cast:
    """Photographs: ``enrol`` by name; ``visits``, others of the same people in order; ``strangers``."""

    enrol: dict[str, list[Path]]
    visits: list[list[Path]]
    strangers: list[list[Path]]


@pytest.fixture(scope="session")
def cast(setting: str, request: pytest.FixtureRequest) -> Cast:
    if setting == "bundled":
        people, strangers = bundled_cast()
        enrol = {name: photos[:3] for name, photos in people.items()}
        return Cast(enrol, [photos[3:] for photos in people.values()], [photos[:2] for photos in strangers])
    return _research_cast(request.getfixturevalue("photos_dir"))


def _research_cast(photos: Path) -> Cast:
    probes: dict[str, list[Path]] = {}
    for row in read_table(photos / "probe.csv"):
        probes.setdefault(row["person"], []).append(photos / "images" / row["image"])
    enrol: dict[str, list[Path]] = {}
    for row in read_table(photos / "enrol.csv"):
        if row["person"] in probes:
            enrol.setdefault(row["person"], []).append(photos / "images" / row["image"])
    chosen = sorted(enrol)[:PEOPLE]
    return Cast(
        {name: enrol[name] for name in chosen},
        [probes[name][:2] for name in chosen],
        [[path] for path in probes[""][:STRANGERS]],
    )


@pytest.fixture(scope="session")
def door(
    setting: str, cast: Cast, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> OfficeDoor:
    """A door that knows everybody of the cast."""
    folder = tmp_path_factory.mktemp("door")
    weights = request.getfixturevalue("weights_dir") if setting == "research" else None
    built = OfficeDoor(folder, weights)
    built.configure(1)
    for name, photos in cast.enrol.items():
        (folder / "staff" / name).mkdir(parents=True)
        for photo in photos:
            (folder / "staff" / name / photo.name).symlink_to(photo)
    report = built.edged("enrol", "--folder", "staff")
    assert len(built.json("people", "list")) == len(cast.enrol), report.stdout
    return built


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    with mosquitto(tmp_path / "broker") as running:
        yield running


@pytest.fixture
def collector(broker: Mosquitto) -> Iterator[Collector]:
    with Collector(broker.port, "edged/test/front/#") as listening:
        yield listening
