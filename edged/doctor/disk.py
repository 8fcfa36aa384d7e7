"""The disk under journal and gallery: room, and whether it keeps what is written."""

import math
import os
from pathlib import Path

from edged.devices.board import free_bytes, size_bytes
from edged.doctor.finding import Finding, State
from edged.doctor.mounts import Mount, mount_of, standing
from edged.doctor.patient import Patient
from edged.domain.count import counted
from edged.storage.ballast import BALLAST_BYTES, Ballast

# Below it the ballast of the journal is not made again once it was given up.
_LEAST_BYTES = 4 * BALLAST_BYTES
# As the alert on the same figure (monitoring/alerts.yml): a full card is slower and wears out faster.
_LEAST_SHARE = 0.1
_LEAST_INODES = 1000
_FLEETING = {"tmpfs": "memory", "ramfs": "memory", "overlay": "an overlay"}
# SQLite's locks and its shared memory do not work over a network (sqlite.org/wal.html).
_REMOTE = {"nfs", "nfs4", "cifs", "smb3", "9p", "fuse.sshfs"}
_WITHOUT_MODES = {"vfat", "msdos", "exfat"}


def disk(patient: Patient) -> Finding:
    """Look at the folders of ``journal.path`` and ``gallery.path``."""
    config = patient.config
    folders = dict.fromkeys((config.journal.path.parent, config.gallery.path.parent))
    found = [_examined(patient, folder) for folder in folders]
    troubles = [trouble for _, several in found for trouble in several]
    if not is_ballast_there(config.journal.path):
        detail = "no ballast beside the journal: the disk was full, or edged run was not started yet"
        troubles.append((State.WARNING, detail))
    facts: dict[str, object] = {"folders": [facts for facts, _ in found]}
    for state in (State.FAILED, State.WARNING):
        if told := [text for grade, text in troubles if grade is state]:
            return Finding(state, "; ".join(dict.fromkeys(told)), facts)
    least = min(free_bytes(standing(folder)) for folder in folders)
    return Finding(State.OK, f"{least / 1e6:,.0f} MB free, writable", facts)


def is_ballast_there(journal: Path) -> bool:
    """Whether the ballast is held; True where no journal was made yet."""
    try:
        return not journal.exists() or Ballast(journal).path.exists()
    except OSError:
        return True  # what may not be looked at is told of by the permissions


def _examined(patient: Patient, folder: Path) -> tuple[dict[str, object], list[tuple[State, str]]]:
    there = standing(folder)
    room, size, inodes = free_bytes(there), size_bytes(there), _free_inodes(there)
    mount = mount_of(patient.machine, there)
    facts: dict[str, object] = {
        "folder": str(folder), "free_bytes": _known(room), "size_bytes": _known(size), "free_inodes": inodes,
        "file_system": None if mount is None else mount.kind,
    }  # fmt: skip
    troubles = [] if mount is None else _of_mount(folder, mount)
    if not os.access(there, os.W_OK | os.X_OK):
        text = f"{there} is not writable for us: run this as the service's user (sudo edged does), or mend it"
        troubles.append((State.FAILED, text))
    if not room >= _LEAST_BYTES:
        text = f"{room / 1e6:,.1f} MB free at {folder}: make room, or events cannot be recorded"
        troubles.append((State.FAILED, text))
    elif room < _LEAST_SHARE * size:
        troubles.append((State.WARNING, f"{room / size:.0%} free at {folder}: make room"))
    if inodes is not None and inodes < _LEAST_INODES:
        troubles.append(
            (State.FAILED, f"{counted(inodes, 'file')} more at {folder}, then none: remove small files")
        )
    return facts, troubles


def _of_mount(folder: Path, mount: Mount) -> list[tuple[State, str]]:
    if mount.read_only:
        text = (
            f"{folder} is on {mount.source}, mounted read-only: dmesg tells whether the disk failed; fsck it"
        )
        return [(State.FAILED, text)]
    if mount.kind in _FLEETING:
        text = f"{folder} is in {_FLEETING[mount.kind]}: what is recorded may be gone at the next start"
        return [(State.WARNING, text)]
    if mount.kind in _REMOTE:
        text = f"{folder} is on {mount.kind}: a database may be damaged over a network; use a local disk"
        return [(State.FAILED, text)]
    if mount.kind in _WITHOUT_MODES:
        text = f"{folder} is on {mount.kind}, where every account reads every file; use ext4"
        return [(State.FAILED, text)]
    return []


def _known(figure: float) -> int | None:
    """Return it, or None for NaN, which JSON does not have."""
    return None if math.isnan(figure) else int(figure)


def _free_inodes(folder: Path) -> int | None:
    """Return how many files more there may be, None on file systems that have no such limit."""
    try:
        room = os.statvfs(folder)
    except OSError:
        return None
    return room.f_favail if room.f_files else None
