"""A door that knows twenty people, a broker, and somebody who listens."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.door import OfficeDoor, read_table
from tests.fakes.collector import Collector
from tests.fakes.mosquitto import Mosquitto, mosquitto

PEOPLE = 20
STRANGERS = 5


@pytest.fixture(scope="session")
def cast(photos_dir: Path) -> tuple[dict[str, list[Path]], list[list[Path]], list[list[Path]]]:
    """Photographs to enrol by name, other photographs of the same people, photographs of strangers."""
    images = photos_dir / "images"
    probes: dict[str, list[Path]] = {}
    for row in read_table(photos_dir / "probe.csv"):
        probes.setdefault(row["person"], []).append(images / row["image"])
    enrol: dict[str, list[Path]] = {}
    for row in read_table(photos_dir / "enrol.csv"):
        if row["person"] in probes:
            enrol.setdefault(row["person"], []).append(images / row["image"])
    chosen = sorted(enrol)[:PEOPLE]
    known = [probes[name][:2] for name in chosen]
    return {name: enrol[name] for name in chosen}, known, [[path] for path in probes[""][:STRANGERS]]


@pytest.fixture(scope="session")
def door(
    tmp_path_factory: pytest.TempPathFactory, weights_dir: Path, cast: tuple[dict[str, list[Path]], ...]
) -> OfficeDoor:
    """A door that knows twenty people."""
    folder = tmp_path_factory.mktemp("door")
    built = OfficeDoor(folder, weights_dir)
    built.configure(1)
    for name, photos in cast[0].items():
        (folder / "staff" / name).mkdir(parents=True)
        for photo in photos:
            (folder / "staff" / name / photo.name).symlink_to(photo)
    report = built.edged("enrol", "--folder", "staff")
    assert len(built.json("people", "list")) == PEOPLE, report.stdout
    return built


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    with mosquitto(tmp_path / "broker") as running:
        yield running


@pytest.fixture
def collector(broker: Mosquitto) -> Iterator[Collector]:
    with Collector(broker.port, "edged/test/front/#") as listening:
        yield listening
