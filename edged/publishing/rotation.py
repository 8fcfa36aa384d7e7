"""A key is replaced: the root keys say so, and everything is signed anew in all groups."""

from pathlib import Path

from tuf.api.metadata import Root, Targets

from edged.errors import FleetError
from edged.publishing.keyring import DAILY, PUBLISHER, REVOKER
from edged.publishing.release import FleetFolder


def rotate(folder: FleetFolder, name: str) -> Path:
    """Replace the key ``name`` by a new one; return where the old one lies.

    Raises ``FleetError`` on a key that has no part in it, ``StoreError``.
    """
    fleet, keys = folder.register.read(), folder.keyring
    if name not in (DAILY, PUBLISHER, REVOKER, *fleet.root_keys):
        raise FleetError(
            f"{name!r}: expected daily, publisher, revoker or one of {', '.join(fleet.root_keys)}"
        )
    for root in fleet.root_keys:  # before anything is changed: a passphrase may be wrong, a file elsewhere
        keys.signer(root)
    old = keys.signer(name)
    aside = keys.retire(name)
    keys.create(name)
    for group in fleet.groups:
        repository = folder.repository(group)
        if name == REVOKER:
            repository.renew_denied()
        else:
            role = {DAILY: DAILY, PUBLISHER: Targets.type}.get(name, Root.type)
            repository.rotate(role, old, keys.signer(name), fleet.root_keys)
    return aside
