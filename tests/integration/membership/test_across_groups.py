"""What holds across the groups of a fleet: who is forgotten, and doors that move or come with new keys."""

from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from edged.cli import fleet_publish, fleet_status, registry
from edged.errors import FleetError, NotFoundError
from edged.publishing.archive import people_in
from edged.publishing.register import GroupEntry
from edged.publishing.release import FleetFolder, confirmed
from tests.integration.membership.fleet import GROUP, Direct, Door, add, door, publisher, wanted

LAB, GONE = "lab", "p-00001"


@pytest.fixture
def folder(tmp_path: Path) -> FleetFolder:
    folder = publisher(tmp_path / "fleet")
    folder.create_group(LAB, GroupEntry(shards=8))
    return folder


@pytest.fixture
def front(tmp_path: Path, folder: FleetFolder) -> Door:
    return door(tmp_path / "front", "front", folder)


@pytest.fixture
def bench(tmp_path: Path, folder: FleetFolder) -> Door:
    """A door of the other group."""
    bench = door(tmp_path / "bench", "bench", folder, known=False)
    add(folder, bench.identity.card("hq", "bench", "test-space"), LAB)
    bench.group, bench.source = LAB, Direct(folder, LAB)
    bench.root = folder.repository(LAB).root()
    return bench


def confirm(folder: FleetFolder) -> None:
    """As if every door had sent its receipt."""
    fleet = folder.register.read()
    for number, item in enumerate(fleet.forgotten):
        for name in item.open:
            fleet.forgotten[number] = confirmed(fleet.forgotten[number], name)
    folder.register.write(fleet)


def held(folder: FleetFolder, group: str) -> set[str]:
    """Everybody in any version that the desk keeps."""
    archive = folder.archive(group)
    return {one for version in archive.versions() for one in people_in(archive.previous(version))}


def test_who_is_forgotten_is_forgotten_in_every_group(folder: FleetFolder, front: Door, bench: Door) -> None:
    folder.publish(GROUP, wanted(1, 2, 3))
    folder.publish(LAB, wanted(1, 2, 4))
    assert front.attempt().applied
    assert bench.attempt().applied
    items = folder.forget(GROUP, GONE)
    assert [(item.group, item.open) for item in items] == [(GROUP, ["front"]), (LAB, ["bench"])]
    assert items == folder.register.read().forgotten
    assert front.attempt().applied
    assert bench.attempt().applied
    assert set(front.people()) == {"p-00002", "p-00003"}
    assert set(bench.people()) == {"p-00002", "p-00004"}
    assert GONE not in held(folder, GROUP) | held(folder, LAB)


def test_who_is_known_elsewhere_only_is_forgotten_there(
    folder: FleetFolder, front: Door, bench: Door
) -> None:
    folder.publish(GROUP, wanted(2, 3))
    folder.publish(LAB, wanted(1, 2, 4))
    assert [item.group for item in folder.forget(GROUP, GONE)] == [LAB]
    with pytest.raises(NotFoundError, match="nor of another group"):
        folder.forget(GROUP, "p-nope")
    assert folder.register.read().group(GROUP).denied == []


def test_nobody_comes_back_by_a_group_that_did_not_have_them(
    folder: FleetFolder, front: Door, bench: Door
) -> None:
    folder.publish(GROUP, wanted(1, 2, 3))
    folder.forget(GROUP, GONE)
    change = folder.publish(LAB, wanted(1, 2, 3))
    assert (change.added, change.forgotten) == (("p-00002", "p-00003"), (GONE,))
    assert bench.attempt().applied
    assert GONE not in bench.people()
    folder.create_group("new", GroupEntry(shards=8))
    assert folder.publish("new", wanted(1, 2), dry_run=True).forgotten == (GONE,)
    with pytest.raises(FleetError, match="not every door has confirmed"):
        folder.readmit(GROUP, [GONE])
    confirm(folder)
    folder.readmit(GROUP, [GONE])
    assert folder.publish(LAB, wanted(1, 2, 3)).added == (GONE,)


def test_the_desk_names_the_forgotten_and_advises_no_way_back(
    folder: FleetFolder, front: Door, bench: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.publish(GROUP, wanted(1, 2, 3, 4))
    folder.deny(GROUP, ["p-00004"])
    folder.forget(GROUP, GONE)
    monkeypatch.setattr("edged.config.loading.load", lambda _: None)
    monkeypatch.setattr(fleet_publish, "open_fleet", lambda *_: folder)
    monkeypatch.setattr(fleet_publish, "_wanted", lambda *_, **__: wanted(1, 2, 3, 4))
    told = invoke("publish", GROUP, "--dry-run", "--fleet", str(folder.directory))
    assert f"forgotten, so left out of every group: {GONE} " in told
    assert "denied, so left out: p-00004 (" in told
    told = invoke("publish", LAB, "--dry-run", "--fleet", str(folder.directory))
    assert f"forgotten, so left out of every group: {GONE} " in told
    assert "--undo" not in told


def test_the_command_sends_to_every_group_it_changed(
    folder: FleetFolder, front: Door, bench: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.publish(GROUP, wanted(1, 2))
    folder.publish(LAB, wanted(1, 2))
    sent: list[str] = []
    monkeypatch.setattr(fleet_status, "open_fleet", lambda *_: folder)
    monkeypatch.setattr(fleet_status, "push", lambda _folder, group: sent.append(group))
    monkeypatch.setattr(fleet_status, "_confirm", lambda *_: None)
    told = invoke("forget", GROUP, GONE, status=1)
    assert sent == [LAB, GROUP]
    assert "open at front" in told
    assert "open at bench" in told


def invoke(*words: str, status: int = 0) -> str:
    app = typer.Typer()
    registry.register(app)
    result = CliRunner().invoke(app, ["fleet", *words])
    assert result.exit_code == status, result.output
    return result.output
