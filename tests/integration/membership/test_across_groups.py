"""What holds across the groups of a fleet: who is forgotten, and doors that move or come with new keys."""

import contextlib
import io
import json
from pathlib import Path

import pytest
import typer
from rich.console import Console
from typer.testing import CliRunner

from edged.cli import fleet, fleet_publish, fleet_status, registry
from edged.errors import FleetError, NotFoundError
from edged.fleet.connection import Arrived
from edged.fleet.gallery_format import Keys
from edged.fleet.joining import write_joining
from edged.fleet.receipt_messages import GalleryReceipt, signed_receipt
from edged.membership.opener import Member, Opener
from edged.publishing.archive import people_in
from edged.publishing.doors import add_door, remove_door
from edged.publishing.hearing import Hearing, await_version, confirmed, enter_receipts
from edged.publishing.register import GroupEntry
from edged.publishing.release import FleetFolder
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
    register = folder.register.read()
    for number, item in enumerate(register.forgotten):
        for name in item.open:
            register.forgotten[number] = confirmed(register.forgotten[number], name)
    folder.register.write(register)


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


def reads(folder: FleetFolder, thief: Door, kept: dict[str, dict[str, bytes]]) -> set[str]:
    """Who is in the newest version for somebody with a door's keys, what was sent with it and is now."""
    archive, found = folder.archive(GROUP), set[str]()
    manifest = archive.manifest(folder.register.read().group(GROUP).version)
    everything = Keys(group=GROUP, wrapped={**secrets(folder), **kept})
    opener = Opener(Member("hq", thief.name, GROUP, thief.identity.sealing), everything)
    for item in manifest.entries:
        with contextlib.suppress(FleetError):
            shard = opener.shard(archive.blobs.get(item.sha256), item, manifest.space)
            found |= {record.id for record in shard.people}
    return found


def secrets(folder: FleetFolder) -> dict[str, dict[str, bytes]]:
    """The wrapped secrets of today, by epoch."""
    keys = folder.archive(GROUP).keys()
    assert keys is not None
    return keys.wrapped


@pytest.mark.parametrize("how", ["removed", "moved", "replaced", "moved and replaced"])
def test_who_left_opens_nothing_that_comes_after(
    tmp_path: Path, folder: FleetFolder, front: Door, *, how: str
) -> None:
    thief = door(tmp_path / "thief", "thief", folder)
    folder.publish(GROUP, wanted(1, 2))
    kept = secrets(folder)
    assert reads(folder, thief, kept) == {"p-00001", "p-00002"}
    if how == "removed":
        remove_door(folder, "thief")
    else:
        card = thief.identity.card("hq", "thief", "test-space")
        if "replaced" in how:
            other = door(tmp_path / "new", "thief", folder, known=False)
            card = other.identity.card("hq", "thief", "test-space")
        add_door(folder, card, LAB if "moved" in how else GROUP, replace="replaced" in how)
    assert folder.register.read().group(GROUP).epoch == (3 if how == "moved" else 2)
    folder.publish(GROUP, wanted(2, 3, 4))
    assert front.attempt().applied
    assert set(front.people()) == {"p-00002", "p-00003", "p-00004"}
    assert not {"p-00003", "p-00004"} & reads(folder, thief, kept)


def test_new_keys_under_a_known_name_are_meant(tmp_path: Path, folder: FleetFolder, front: Door) -> None:
    folder.publish(GROUP, wanted(1, 2))
    folder.forget(GROUP, GONE)
    other = door(tmp_path / "other", "front", folder, known=False)
    before = folder.register.read()
    with pytest.raises(FleetError, match="known with other keys"):
        add_door(folder, other.identity.card("hq", "front", "test-space"), GROUP)
    assert folder.register.read() == before
    add_door(folder, front.identity.card("hq", "front", "test-space"), GROUP)  # the same keys again
    assert (folder.register.read().group(GROUP).epoch, before.group(GROUP).epoch) == (1, 1)
    assert folder.register.read().forgotten[0].open == ["front"]
    add_door(folder, other.identity.card("hq", "front", "test-space"), GROUP, replace=True)
    [item] = folder.register.read().forgotten
    assert item.open == ["front"]
    assert [(one.door, one.why) for one in item.unproven] == [("front", "new keys")]
    folder.publish(GROUP, wanted(1, 2, 3))
    assert other.attempt().applied
    assert set(other.people()) == {"p-00002", "p-00003"}


def test_the_commands_say_what_becomes_of_keys_and_canaries(
    tmp_path: Path, folder: FleetFolder, front: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fleet, "open_fleet", lambda *_, **__: folder)
    monkeypatch.setattr(fleet, "_clear", lambda *_: None)
    monkeypatch.chdir(tmp_path)
    folder.publish(GROUP, wanted(1))
    other = door(tmp_path / "other", "front", folder, known=False)
    Path("card").write_text(write_joining(other.identity.card("hq", "front", "test-space")))
    add_front = ("add-door", "card", "--group", GROUP)
    assert isinstance(refused(*add_front), FleetError)
    assert not Path("front.invitation.json").exists()
    assert f"run `edged fleet publish {GROUP}`." in invoke(*add_front, "--replace")
    assert f"run `edged fleet publish {GROUP}`." not in invoke(*add_front)
    folder.publish(GROUP, wanted(1, 2, only=("front",)))
    assert "nobody tries version 2 any more" in invoke("remove-door", "front")


def test_a_desk_that_is_cut_off_makes_the_new_secret_later(
    tmp_path: Path, folder: FleetFolder, front: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    door(tmp_path / "back", "back", folder)
    folder.publish(GROUP, wanted(1, 2))
    with monkeypatch.context() as cut:
        cut.setattr(FleetFolder, "rewrap", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            remove_door(folder, "back")
    folder.deny(GROUP, [GONE])
    assert front.attempt().denied
    assert set(secrets(folder)["2"]) == {"front", "@publisher"}


def said(at: str, group: str, version: int, *, revision: int = 1) -> GalleryReceipt:
    return GalleryReceipt(
        site="hq", door=at, group=group, space="s", revision=revision, root=1, version=version, manifest=None,
        people=1, denied=1, applied_at=0.0, said_at=0.0,
    )  # fmt: skip


class Silent:
    """A connection on which nothing comes."""

    def subscribe(self, *_: object) -> None: ...

    def poll(self, _seconds: float) -> list[object]:
        return []


def hear(folder: FleetFolder, *receipts: tuple[Door, GalleryReceipt]) -> Hearing:
    """What the desk has heard, each signed by a door."""
    hearing = Hearing(folder.register.read(), Silent())  # type: ignore[arg-type]
    for by, receipt in receipts:
        payload = signed_receipt(receipt, by.identity.signing)
        topic = f"edged/hq/{by.name}/gallery/receipt"
        hearing._take(Arrived(topic, payload, len(payload), retain=True))
    return hearing


def test_what_a_door_that_moved_was_to_forget_it_confirms_from_its_new_group(
    tmp_path: Path, folder: FleetFolder, front: Door
) -> None:
    back = door(tmp_path / "back", "back", folder)
    folder.publish(GROUP, wanted(1, 2))
    folder.publish(LAB, wanted(4))
    folder.forget(GROUP, GONE)
    add_door(folder, back.identity.card("hq", "back", "test-space"), LAB)
    first, second = folder.register.read().forgotten
    assert (first.group, first.open) == (GROUP, ["front"])
    assert (second.person_id, second.group, second.version, second.open) == (GONE, LAB, 2, ["back"])
    register = enter_receipts(folder, hear(folder, (front, said("front", LAB, first.version))))
    assert register.forgotten[0].open == ["front"]
    enter_receipts(folder, hear(folder, (front, said("front", GROUP, first.version))))
    with pytest.raises(FleetError, match="not every door has confirmed"):
        folder.readmit(GROUP, [GONE])  # the door that moved may still have them
    for receipt in (said("back", LAB, 1), said("back", LAB, 9), said("back", GROUP, 2)):
        register = enter_receipts(folder, hear(folder, (back, receipt)))
        assert [item.open for item in register.forgotten] == [[], ["back"]]
    folder.publish(LAB, wanted(1, 4))
    register = enter_receipts(folder, hear(folder, (back, said("back", LAB, 2))))
    assert [item.open for item in register.forgotten] == [[], []]
    folder.readmit(GROUP, [GONE])
    assert folder.register.read().erased() == set()


def test_a_canary_answers_for_its_own_group_only(tmp_path: Path, folder: FleetFolder, front: Door) -> None:
    back = door(tmp_path / "back", "back", folder)
    folder.publish(GROUP, wanted(1, 2))
    folder.publish(GROUP, wanted(1, 2, 3, only=("back",)))
    folder.publish(LAB, wanted(1))
    folder.publish(LAB, wanted(1, 2))
    for receipt in (said("back", LAB, 2), said("back", GROUP, 3), said("back", GROUP, 1)):
        with pytest.raises(FleetError, match="stays with the canaries"):
            await_version(hear(folder, (back, receipt)), ("back",), 2, 0.0)
    forged = hear(folder, (front, said("back", GROUP, 2)), (back, said("front", GROUP, 2)))
    with pytest.raises(FleetError, match="stays with the canaries"):
        await_version(forged, ("back",), 2, 0.0)
    await_version(hear(folder, (back, said("back", GROUP, 2))), ("back",), 2, 0.0)


def test_the_first_word_of_a_new_group_counts_more_than_the_last_of_the_old(
    tmp_path: Path, folder: FleetFolder, front: Door
) -> None:
    folder.publish(GROUP, wanted(1, 2))
    new, old = said("front", GROUP, 1, revision=1), said("front", LAB, 7, revision=30)
    for order in ((new, old), (old, new)):
        hearing = hear(folder, *((front, receipt) for receipt in order))
        assert hearing.doors["front"].receipt == new
        assert hearing.version_of("front") == 1


@pytest.mark.parametrize(
    ("availability", "wait", "state", "status"),
    [
        ("online", "0", "in force", 0),
        ("offline", "0", "offline, last known in force", 0),
        (None, "0", "offline, last known in force", 0),
        ("stopped", "0.01", "stopped, last known in force", 1),
        ("online", "0.01", "in force", 0),
    ],
)
def test_a_door_that_is_away_is_in_force_as_far_as_is_known(
    folder: FleetFolder, front: Door, monkeypatch: pytest.MonkeyPatch, *,
    availability: str | None, wait: str, state: str, status: int,
) -> None:  # fmt: skip
    folder.publish(GROUP, wanted(1))
    folder.deny(GROUP, [GONE])
    hearing = hear(folder, (front, said("front", GROUP, 1)))
    hearing.doors["front"].availability = availability
    monkeypatch.setattr(fleet_status, "open_fleet", lambda *_, **__: folder)
    monkeypatch.setattr(fleet_status, "_hearing", lambda _: contextlib.nullcontext(hearing))
    [row] = json.loads(invoke("status", "--json", "--wait", wait, status=status))
    assert (row["state"], row["behind"]) == (state, False)
    folder.publish(GROUP, wanted(1, 2))
    assert "behind" in invoke("status", status=1)


def test_the_heads_of_the_table_are_whole_on_a_narrow_screen(folder: FleetFolder, front: Door) -> None:
    hearing = hear(folder, (front, said("front", GROUP, 1)))
    [row] = fleet_status._rows(folder.register.read(), hearing)
    row |= {"model": "a-long-name-of-a-model@1234567890abcdef", "last_event": "2026-03-01T10:00:00"}
    console = Console(width=80, record=True, file=io.StringIO())
    rows = [row, row | {"state": "offline, last known in force"}]
    console.print(fleet_status._table(rows, console.width))
    lines = console.export_text().splitlines()
    assert max(map(len, lines)) <= 80
    assert "\N{HORIZONTAL ELLIPSIS}" not in "".join(lines)
    assert [line.split() for line in lines if line.split()[:1] == ["door"]] == [
        ["door", "group", "online", "gallery", "age", "people", "state"],
        ["door", "model", "edged", "last", "event", "waiting"],
    ]
    assert any(line.endswith("offline, last known in force") for line in map(str.rstrip, lines))


def refused(*words: str) -> BaseException | None:
    app = typer.Typer()
    registry.register(app)
    return CliRunner().invoke(app, ["fleet", *words]).exception


def invoke(*words: str, status: int = 0) -> str:
    app = typer.Typer()
    registry.register(app)
    result = CliRunner().invoke(app, ["fleet", *words])
    assert result.exit_code == status, result.output
    return result.output
