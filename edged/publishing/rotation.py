"""A key is replaced: the root keys say so, and everything is signed anew in all groups."""

from pathlib import Path

from tuf.api.metadata import Root, Targets

from edged.errors import FleetError
from edged.publishing.keyring import DAILY, PUBLISHER, REVOKER
from edged.publishing.release import FleetFolder
from edged.publishing.repository import DENIED


def rotate(folder: FleetFolder, name: str) -> Path | None:
    """Replace the key ``name`` by a new one; return where the old one lies, None where there was none.

    One that was cut short is begun again by the same call. Raises ``FleetError`` on a key that has no part in
    it, ``StoreError``.
    """
    with folder.alone():
        fleet, keys = folder.register.read(), folder.keyring
        if name not in (DAILY, PUBLISHER, REVOKER, *fleet.root_keys):
            raise FleetError(
                f"{name!r}: expected daily, publisher, revoker or one of {', '.join(fleet.root_keys)}"
            )
        # Before anything is changed: a passphrase may be wrong, a file elsewhere. A cut leaves no key.
        there = [key for key in (*fleet.root_keys, name) if key != name or key in keys.names()]
        for key in there:
            keys.signer(key)
        aside = keys.retire(name) if name in there else None
        keys.create(name)
        role = {DAILY: DAILY, PUBLISHER: Targets.type, REVOKER: DENIED}.get(name, Root.type)
        new = fleet.root_keys if role == Root.type else [name]
        for group in fleet.groups:
            folder.repository(group).rotate(
                role, [keys.signer(key) for key in new], keys.retired(name), fleet.root_keys
            )
        return aside
