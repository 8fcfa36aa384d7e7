"""Nothing goes back within metadata that are newer, and who is denied is the revoker's alone to say."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from edged.fleet.gallery_format import CommandKey, Denied, encode
from edged.fleet.gallery_seal import BlobName, seal
from edged.publishing.release import FleetFolder
from edged.publishing.repository import Blob
from tests.integration.membership.fleet import GROUP, Door, door, publisher, wanted

KEY = CommandKey(
    name="reception", public=Ed25519PrivateKey.generate().public_key().public_bytes_raw(), may=["unlock"]
)


@pytest.fixture
def folder(tmp_path: Path) -> FleetFolder:
    folder = publisher(tmp_path / "fleet")
    folder.publish(GROUP, wanted(1, 2, 3))
    return folder


@pytest.fixture
def front(tmp_path: Path, folder: FleetFolder) -> Door:
    front = door(tmp_path / "front", "front", folder)
    assert front.attempt().applied
    return front


def signed(folder: FleetFolder, name: str, role: str = "targets") -> Blob:
    """What is signed of ``name`` now, to be signed once more later."""
    target = folder.repository(GROUP).target(name, role)
    assert target is not None
    custom = target.custom
    assert isinstance(custom, dict)
    return Blob(folder.blobs(GROUP)[target.hashes["sha256"]], custom)


def offer(folder: FleetFolder, front: Door, name: str, blob: Blob, *, revoke_only: bool) -> None:
    """Sign ``blob`` in metadata newer than all that the door knows."""
    folder.repository(GROUP).publish({name: blob}, revoke_only=revoke_only)
    sha256 = folder.repository(GROUP).target(name, "denied" if revoke_only else "targets").hashes["sha256"]  # type: ignore[union-attr]
    front.source.lies[sha256] = blob.data


def test_an_older_deny_list_is_refused_in_newer_metadata(folder: FleetFolder, front: Door) -> None:
    folder.deny(GROUP, ["p-00001"])
    old = signed(folder, "denied", "denied")
    folder.deny(GROUP, ["p-00002"])
    assert front.attempt().denied
    offer(folder, front, "denied", old, revoke_only=True)
    attempt = front.attempt()
    assert (attempt.refused, attempt.denied) == ("rollback", False)
    assert front.people() == {"p-00001": False, "p-00002": False, "p-00003": True}


def test_older_command_keys_are_refused_in_newer_metadata(folder: FleetFolder, front: Door) -> None:
    folder.set_roles(GROUP, [KEY])
    old = signed(folder, "roles")
    folder.set_roles(GROUP, [])
    assert front.attempt().roles
    offer(folder, front, "roles", old, revoke_only=False)
    attempt = front.attempt()
    assert (attempt.refused, attempt.roles) == ("rollback", False)
    assert front.store.command_keys() == []


def test_the_publisher_lifts_no_denial(folder: FleetFolder, front: Door) -> None:
    folder.deny(GROUP, ["p-00001"])
    assert front.attempt().denied
    secret = folder.archive(GROUP).secret(1)
    nobody = encode(Denied(group=GROUP, version=99, people=[]))
    sealed = seal(nobody, secret, BlobName(GROUP, "", "denied", 99, 1))
    offer(folder, front, "denied", Blob(sealed, {"version": 99, "epoch": 1}), revoke_only=False)
    attempt = front.attempt()
    assert (attempt.refused, attempt.denied) == ("signatures", False)
    assert front.people() == {"p-00001": False, "p-00002": True, "p-00003": True}
    folder.repository(GROUP).publish({}, drop=["denied"])
    assert front.attempt().refused is None
