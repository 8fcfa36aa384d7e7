"""What the desk says by itself, before a door is asked."""

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import typer
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from typer.testing import CliRunner

from edged.cli import fleet_command, fleet_status, registry
from edged.errors import NotFoundError
from edged.fleet.gallery_format import Action, CommandKey
from edged.fleet.receipt_messages import GalleryReceipt
from edged.publishing.commanding import objection
from edged.publishing.doors import add_commander, remove_door
from edged.publishing.endings import endings
from edged.publishing.hearing import DoorWord, carried_out
from edged.publishing.register import Fleet, GroupEntry
from edged.publishing.release import FleetFolder
from edged.publishing.rotation import rotate
from tests.integration.membership.fleet import GROUP, Door, door, wanted

# The same in every process, since they are part of a test's name.
PUBLIC, OTHER = (
    Ed25519PrivateKey.from_private_bytes(bytes(31) + bytes([one])).public_key().public_bytes_raw()
    for one in (1, 2)
)


@pytest.mark.parametrize(
    ("name", "public", "action", "at", "words"),
    [
        ("boss", PUBLIC, "unlock", "front", "no key 'boss' gives commands to group office"),
        ("reception", OTHER, "unlock", "front", "not the one that was published"),
        ("reception", PUBLIC, "release", "front", "may not release, only unlock, lockdown"),
        ("reception", PUBLIC, "unlock", "back", "commands only front"),
        ("late", PUBLIC, "unlock", "front", "last day of key 'late' is past"),
    ],
    ids=["unknown", "other_key", "not_its_action", "not_its_door", "late"],
)
def test_a_command_that_the_door_will_drop_is_not_sent(
    desk: Fleet, *, name: str, public: bytes, action: Action, at: str, words: str
) -> None:
    assert words in (objection(desk, name, public, action, at) or "")
    assert objection(desk, "reception", PUBLIC, "unlock", "front") is None


@pytest.fixture
def desk(tmp_path: Path, folder: FleetFolder, front: Door) -> Fleet:
    door(tmp_path / "back", "back", folder)
    allowed: list[Action] = ["unlock", "lockdown"]
    for key in (
        CommandKey(name="reception", public=PUBLIC, may=allowed, doors=["front"]),
        CommandKey(name="late", public=PUBLIC, may=allowed, until=time.time() - 1),
    ):
        add_commander(folder, GROUP, key)
    return folder.register.read()


def test_what_ends_although_it_is_renewed_is_told_in_time(folder: FleetFolder, front: Door) -> None:
    now = datetime.now(UTC)
    folder.publish(GROUP, wanted(1))
    assert endings(folder, now) == []
    late = now + timedelta(days=725)
    told = endings(folder, late)
    assert "the root keys' word ends in 5 days; `edged fleet rotate-keys daily`" in told[0]
    assert [line.split(";")[0].split(": ")[1] for line in told[1:]] == [
        "the gallery's signature has ended", "the list of what is published has ended",
        "the deny list's signature has ended",
    ]  # fmt: skip


def test_the_advice_about_the_root_keys_helps(
    folder: FleetFolder, front: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as past:
        past.setattr("edged.publishing.repository.ROOT_DAYS", 20)
        rotate(folder, "publisher")
    folder.publish(GROUP, wanted(1))
    assert front.attempt().applied
    state, soon = front.store.state(), datetime.now(UTC) + timedelta(days=20)
    assert state.signed_until is not None
    assert state.signed_until == pytest.approx(soon.timestamp(), abs=5)
    assert "root keys" in endings(folder, datetime.now(UTC))[0]
    rotate(folder, "daily")
    assert endings(folder, datetime.now(UTC)) == []
    front.attempt()
    newer = front.store.state().signed_until
    assert newer is not None
    assert newer > state.signed_until + 100 * 86_400


def test_a_door_that_left_counts_no_more(tmp_path: Path, folder: FleetFolder, front: Door) -> None:
    back = door(tmp_path / "back", "back", folder)
    folder.publish(GROUP, wanted(1, 2))
    front.attempt(), back.attempt()
    folder.forget(GROUP, "p-00001")
    remove_door(folder, "back")
    [item] = folder.register.read().forgotten
    assert (item.doors, item.open) == (["front"], ["front"])
    assert carried_out(item, {}, 9).open == ["front"]
    with pytest.raises(NotFoundError):
        remove_door(folder, "back")


@pytest.mark.parametrize(("facts", "status"), [({"ok": True}, 0), ({"ok": False}, 1), ({}, 0)])
def test_a_self_test_that_fails_ends_with_one(
    monkeypatch: pytest.MonkeyPatch, facts: dict[str, bool], status: int
) -> None:
    app = typer.Typer()
    registry.register(app)
    reply = {"door": "front", "result": "done", "text": "", "facts": facts}
    monkeypatch.setattr(fleet_command, "open_fleet", lambda *_: None)
    monkeypatch.setattr(fleet_command, "_doors", lambda *_: ["front"])
    monkeypatch.setattr(fleet_command, "_command", lambda *_, **__: [reply])
    words = ["fleet", "command", "selftest", "--key", "boss", "--door", "front"]
    assert CliRunner().invoke(app, words).exit_code == status


@pytest.mark.parametrize(
    ("name", "version", "denied", "state"),
    [
        ("back", 7, 3, "in force"),
        ("back", 6, 3, "behind"),
        ("front", 5, 3, "waits for the canaries"),
        ("front", 4, 3, "behind"),
        ("front", 5, 2, "denial not applied"),
        ("back", 8, 3, "has a newer one than this desk made"),
        ("back", 7, 4, "has a newer one than this desk made"),
    ],
)
def test_who_waits_for_canaries_is_told_from_who_is_behind(
    name: str, version: int, denied: int, state: str
) -> None:
    entry = GroupEntry(version=7, held=5, canary=["back"], denied_version=3)
    receipt = GalleryReceipt(
        site="hq", door=name, group="office", space="s", revision=1, root=1, version=version, manifest=None,
        people=1, denied=denied, applied_at=0.0, said_at=0.0,
    )  # fmt: skip
    assert fleet_status._state(name, "office", entry, DoorWord(receipt=receipt)) == state
    moved = fleet_status._state(name, "lab", entry, DoorWord(receipt=receipt))
    assert moved == "has a gallery of group office"
