"""A removal is open wherever somebody may still be let in; a door that left is named, not counted as done."""

import json
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from edged.cli import fleet_status, registry
from edged.errors import FleetError, NotFoundError
from edged.fleet.broker import BrokerClient
from edged.membership.opening import _start_anew
from edged.publishing import leaving
from edged.publishing.doors import add_door, remove_door
from edged.publishing.hearing import Hearing, confirmed, enter_receipts
from edged.publishing.register import Forgotten, GroupEntry
from edged.publishing.release import FleetFolder
from tests.fakes.mosquitto import mosquitto
from tests.integration.membership.fleet import GROUP, SITE, SPACE, Direct, Door, door, wanted
from tests.integration.membership.test_across_groups import GONE, LAB, hear, said, secrets
from tests.integration.membership.test_over_mqtt import config, listening, push, until

__all__ = ["listening"]


@pytest.fixture
def back(tmp_path: Path, folder: FleetFolder) -> Door:
    """A second door, with a gallery of the first group in force."""
    folder.create_group(LAB, GroupEntry(shards=8))
    folder.publish(LAB, wanted(4))
    back = door(tmp_path / "back", "back", folder)
    folder.publish(GROUP, wanted(1, 2))
    assert back.attempt().applied
    return back


def move(folder: FleetFolder, moving: Door, group: str) -> None:
    add_door(folder, moving.identity.card(SITE, moving.name, SPACE), group)


def items(folder: FleetFolder) -> list[tuple[str, list[str]]]:
    return [(item.group, item.open) for item in folder.register.read().forgotten]


def test_a_door_that_moved_and_has_not_joined_hears_of_a_removal_and_holds_it_open(
    folder: FleetFolder, front: Door, back: Door
) -> None:
    move(folder, back, LAB)
    folder.forget(GROUP, GONE)
    assert items(folder) == [(GROUP, ["front"]), (LAB, ["back"])]
    moved = folder.register.read().forgotten[1]
    words = "open at back, moved from office, until version 2 of lab is in force there"
    assert fleet_status._stands(moved) == [words]
    assert fleet_status._stands(confirmed(moved, "back")) == [
        "erased at every door of office that moved to lab"
    ]
    attempt = back.attempt()  # as it comes back, before anybody has it join
    assert (attempt.denied, attempt.applied) == (True, False)
    assert back.people() == {GONE: False, "p-00002": True}
    for early in (said("back", GROUP, 2), said("back", LAB, 1)):
        enter_receipts(folder, hear(folder, (back, early)))
    assert items(folder) == [(GROUP, ["front"]), (LAB, ["back"])]

    _start_anew(back.folder)  # it joins
    back.group, back.source, back.root = LAB, Direct(folder, LAB), folder.repository(LAB).root()
    folder.publish(LAB, wanted(4, 5))
    assert back.attempt().applied
    register = enter_receipts(folder, hear(folder, (back, said("back", LAB, 2))))
    assert items(folder) == [(GROUP, ["front"]), (LAB, [])]
    assert (register.doors["back"].left, register.group(GROUP).denied_epoch) == ([], 0)
    folder.deny(GROUP, ["p-00002"])
    assert set(secrets(folder)[str(register.group(GROUP).epoch)]) == {"front", "@publisher"}


def test_it_hears_of_it_over_a_real_broker(
    tmp_path: Path, folder: FleetFolder, back: Door, listening: Any
) -> None:
    with mosquitto(tmp_path / "broker") as broker:
        gone = listening(back, broker)
        push(folder, broker)
        until(lambda: set(back.people()) == {GONE, "p-00002"})
        gone.worker.stop()
        assert gone.worker.join(10)
        move(folder, back, LAB)
        folder.forget(GROUP, GONE)
        push(folder, broker)
        listening(back, broker)
        until(lambda: back.people() == {GONE: False, "p-00002": True})
        client = BrokerClient(config(broker), client_id="hears", will=None)
        with Hearing(folder.register.read(), client) as hearing:
            hearing.connect()

            def denied() -> int:
                hearing.settle(quiet=0.2, most=1.0)
                receipt = hearing.doors["back"].receipt
                return 0 if receipt is None else receipt.denied

            until(lambda: denied() == 1)
            assert enter_receipts(folder, hearing).forgotten[-1].open == ["back"]


def test_a_denial_of_before_and_one_of_after_the_move_reach_it_and_nothing_else_does(
    folder: FleetFolder, front: Door, back: Door
) -> None:
    folder.deny(GROUP, [GONE])
    move(folder, back, LAB)
    assert back.attempt().denied
    folder.deny(GROUP, ["p-00002"])
    assert back.attempt().denied
    assert back.people() == {GONE: False, "p-00002": False}
    folder.publish(GROUP, wanted(2, 3))
    assert back.attempt().refused == "altered"
    entry = folder.register.read().group(GROUP)
    newest = folder.archive(GROUP).manifest(entry.version)
    assert not any("back" in secrets(folder)[str(item.epoch)] for item in newest.entries if item.epoch > 1)
    assert front.attempt().applied
    assert set(front.people()) == {"p-00003"}


def test_a_door_that_is_removed_on_its_way_hears_nothing_more(
    folder: FleetFolder, front: Door, back: Door
) -> None:
    move(folder, back, LAB)
    folder.forget(GROUP, GONE)
    remove_door(folder, "back")
    known = secrets(folder)
    folder.deny(GROUP, ["p-00002"])
    assert not back.attempt().denied
    assert not any("back" in doors for epoch, doors in secrets(folder).items() if epoch not in known)
    assert items(folder) == [(GROUP, ["front"]), (LAB, [])]
    assert [one.door for one in folder.register.read().forgotten[1].unproven] == ["back"]


def test_a_door_that_moves_on_or_comes_again_is_still_on_its_way(folder: FleetFolder, back: Door) -> None:
    folder.create_group("third", GroupEntry(shards=8))
    move(folder, back, LAB)
    move(folder, back, "third")
    move(folder, back, "third")
    entry = folder.register.read().doors["back"]
    assert (entry.left, entry.since) == ([LAB, GROUP], 1)
    move(folder, back, GROUP)
    entry = folder.register.read().doors["back"]
    assert (entry.left, entry.since) == ([LAB], 2)


@pytest.mark.parametrize(("how", "words"), [("removed", "was removed"), ("replaced", "got new keys")])
def test_a_door_that_is_gone_before_it_confirmed_stays_named(
    tmp_path: Path, folder: FleetFolder, front: Door, back: Door, monkeypatch: pytest.MonkeyPatch, *,
    how: str, words: str,
) -> None:  # fmt: skip
    folder.forget(GROUP, GONE)
    confirm(folder, "front")
    if how == "removed":
        remove_door(folder, "back")
    else:
        new = door(tmp_path / "new", "back", folder, known=False)
        add_door(folder, new.identity.card(SITE, "back", SPACE), GROUP, replace=True)
        assert items(folder) == [(GROUP, ["back"])]
        confirm(folder, "back")
    monkeypatch.setattr(fleet_status, "open_fleet", lambda *_, **__: folder)
    told = receipts(status=1)
    assert "1 of 2 doors" in told
    assert f"back {words} before it confirmed" in told
    assert "erased at every" not in told
    assert "edged fleet receipts --wiped back" in told
    [row] = json.loads(receipts("--json", status=1))
    assert [(one["door"], one["wiped_at"]) for one in row["departed"]] == [("back", None)]
    told = receipts("--wiped", "back", status=0)
    assert "is wiped as was said" in told
    assert f"erased at every other door of {GROUP}" in told
    with pytest.raises(NotFoundError, match="left no removal unconfirmed"):
        leaving.wiped(folder.register.read(), "back")


def test_who_confirmed_and_left_then_has_confirmed(folder: FleetFolder, front: Door, back: Door) -> None:
    folder.forget(GROUP, GONE)
    confirm(folder, "back")
    remove_door(folder, "back")
    [item] = folder.register.read().forgotten
    assert (item.doors, item.open, item.departed) == (["back", "front"], ["front"], [])


def test_a_register_of_before_is_read(folder: FleetFolder, front: Door, back: Door) -> None:
    folder.forget(GROUP, GONE)
    plain = json.loads(folder.register.path.read_text())
    for entry in (*plain["doors"].values(), *plain["groups"].values(), *plain["forgotten"]):
        for name in ("left", "since", "denied_epoch", "departed", "moved_from"):
            entry.pop(name, None)
    before = folder.register.read()
    folder.register.path.write_text(json.dumps(plain))
    assert folder.register.read() == before
    with pytest.raises(FleetError, match="not every door has confirmed"):
        folder.readmit(GROUP, [GONE])


def confirm(folder: FleetFolder, name: str) -> None:
    register = folder.register.read()
    done: list[Forgotten] = [confirmed(item, name) for item in register.forgotten]
    register.forgotten[:] = done
    folder.register.write(register)


def receipts(*words: str, status: int) -> str:
    app = typer.Typer()
    registry.register(app)
    result = CliRunner().invoke(app, ["fleet", "receipts", *words])
    assert result.exit_code == status, result.output
    return result.stdout if "--json" in words else result.output
