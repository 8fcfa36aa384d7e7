"""The key that seals faces and names. Without it they are lost; with it, anybody's."""

from edged.doctor.finding import Finding, State
from edged.doctor.patient import Patient
from edged.storage.key_file import KEY_BYTES
from edged.storage.vault import Vault


def keys(patient: Patient) -> Finding:
    """Look for the key file: there, private, of the right length, of the owner of the gallery."""
    gallery = patient.config.gallery
    vault = Vault.open(gallery.key_file)  # raises on mode, length and what cannot be read
    path = vault.key_file
    facts: dict[str, object] = {"path": str(path), "bytes": KEY_BYTES, "credential": path != gallery.key_file}
    if not vault.has_key():
        if gallery.path.exists():
            detail = f"{path} is missing, and {gallery.path} cannot be read without it: restore your backup"
            return Finding(State.FAILED, detail, facts)
        return Finding(State.NOT_APPLICABLE, "made with the first person who is enrolled", facts)
    if path != gallery.key_file:
        return Finding(State.OK, "given by the service manager; keep a copy apart from the data", facts)
    found = path.stat()
    beside = gallery.path if gallery.path.exists() else path.parent
    owner = beside.stat().st_uid
    if found.st_uid != owner:
        detail = f"{path} belongs to user id {found.st_uid}, {beside} to {owner}: chown one of them"
        return Finding(State.FAILED, detail, facts)
    if found.st_nlink > 1:
        return Finding(State.WARNING, f"{path} has {found.st_nlink} names: who else has it?", facts)
    return Finding(State.OK, f"{path}, private; is there a copy of it, apart from the data?", facts)
