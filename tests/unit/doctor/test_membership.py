"""What the doctor says of a door's place in its fleet."""

from pathlib import Path

import msgspec
import pytest

from edged.doctor.finding import State
from edged.doctor.gallery_age import gallery_age
from edged.doctor.membership import membership
from edged.doctor.patient import Patient
from edged.errors import ConfigError
from edged.fleet.joining import Invitation
from edged.membership.identity import create_identity
from edged.membership.opening import accept, identity_path
from edged.membership.state import AppliedGallery, FleetState, StateFile
from edged.membership.store import FleetStore
from edged.storage.vault import Vault
from tests.unit.doctor.conftest import NOW, Site

DAY = 86_400.0
FLEET = {"enabled": True, "directory": "fleet"}
MQTT = {"host": "127.0.0.1"}
GALLERY = AppliedGallery(
    sha256="0" * 64, version=7, epoch=1, keys="1" * 64, root=1, space="s", people=40,
    applied_at=NOW - 2 * DAY, valid_until=NOW + 28 * DAY,
)  # fmt: skip
GOOD = FleetState(revision=3, root=1, timestamp=9, expires=NOW + DAY, gallery=GALLERY)


@pytest.fixture
def joined(site: Site, monkeypatch: pytest.MonkeyPatch) -> Site:
    config = site.config(fleet=FLEET, mqtt=MQTT)
    vault = Vault.open(config.gallery.key_file)
    create_identity(identity_path(config), vault)
    accept(config, vault, Invitation(prefix="edged", site="t", door="front", group="office", root="{}"))
    monkeypatch.setattr(FleetStore, "intact", lambda _self, _state: True)
    return site


def examined(site: Site, state: FleetState | None, **fleet: object) -> tuple[State, str]:
    patient: Patient = site.patient(fleet={**FLEET, **fleet}, mqtt=MQTT)
    if state is not None:
        vault = Vault.open(patient.config.gallery.key_file)
        StateFile(Path(patient.config.fleet.directory) / "state", vault).write(state)
    found = membership(patient)
    return found.state, found.detail


def test_a_door_by_itself_and_one_that_has_not_joined(site: Site) -> None:
    assert membership(site.patient()).state is State.NOT_APPLICABLE
    with pytest.raises(ConfigError, match="has not joined"):
        membership(site.patient(fleet=FLEET, mqtt=MQTT))


def test_a_door_that_is_well(joined: Site) -> None:
    assert examined(joined, GOOD) == (
        State.OK, "group office, gallery 7 of 40 people, applied 2 days ago, good for 28 days",
    )  # fmt: skip
    assert "see the line fleet" in gallery_age(joined.patient(fleet=FLEET, mqtt=MQTT)).detail


def until(moment: float) -> AppliedGallery:
    return msgspec.structs.replace(GALLERY, valid_until=moment)


@pytest.mark.parametrize(
    ("changes", "state", "words"),
    [
        ({"gallery": None, "refused": "signatures"}, State.WARNING, "came last was refused: signatures"),
        ({"gallery": None}, State.WARNING, "no gallery came yet: nobody can be let in"),
        ({"expires": NOW - 1}, State.WARNING, "publisher has been silent"),
        ({"refused": "gate_collision"}, State.WARNING, "refused: gate_collision"),
        ({"gallery": until(NOW + 3 * DAY)}, State.WARNING, "ends in 3 days"),
        (
            {"signed_until": NOW + 29 * DAY},
            State.WARNING,
            "what was signed ends in 29 days: `edged fleet status`",
        ),
        ({"gallery": until(NOW - 1)}, State.FAILED, "nobody is let in"),
        ({"lapsed": True, "seen_at": NOW + 9_000 * DAY}, State.FAILED, "9,000 days ahead once"),
        ({"lapsed": True, "vouched_at": NOW + 9_000 * DAY}, State.FAILED, "9,000 days behind what"),
    ],
)
def test_what_is_not_well_is_said(joined: Site, changes: dict[str, object], state: State, words: str) -> None:
    found = examined(joined, msgspec.structs.replace(GOOD, **changes))
    assert found[0] is state
    assert words in found[1]


def test_one_that_lapsed_and_serves_on(joined: Site) -> None:
    late = msgspec.structs.replace(GOOD, gallery=until(NOW - 1))
    assert "and serves on" in examined(joined, late, on_lapsed="keep")[1]


def test_a_damaged_gallery_fails(joined: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    assert examined(joined, GOOD)[0] is State.FAILED


ROOT = '{"signed": {"roles": {"root": {"keyids": ["a", "b"]}}}}'
NEWER = '{"signed": {"version": 2, "roles": {"root": {"keyids": ["b", "c"]}}}}'
ELSE = '{"signed": {"roles": {"root": {"keyids": ["z"]}}}}'


@pytest.mark.parametrize(
    ("group", "root", "kept"), [("office", NEWER, True), ("store", ROOT, False), ("office", ELSE, False)]
)
def test_joining_another_group_or_publisher_starts_anew(
    joined: Site, group: str, root: str, *, kept: bool
) -> None:
    config = joined.config(fleet=FLEET, mqtt=MQTT)
    vault = Vault.open(config.gallery.key_file)

    def invited(to: str, by: str) -> Invitation:
        return Invitation(prefix="edged", site="t", door="front", group=to, root=by)

    accept(config, vault, invited("office", ROOT))
    folder = config.fleet.directory
    for name in ("blobs", "tuf"):
        (folder / name).mkdir()
        (folder / name / "file").write_bytes(b"x")
    (folder / "state").write_bytes(b"x")
    accept(config, vault, invited(group, root))
    there = [(folder / name).exists() for name in ("blobs/file", "tuf/file", "state")]
    assert there == [kept] * 3
    assert identity_path(config).exists()
