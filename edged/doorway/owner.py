"""Whom the files of a state folder belong to."""

import contextlib
import os
from pathlib import Path


def inherit_owner(path: Path) -> None:
    """Give what root made to the owner of its folder, who is to use it; what cannot be given stays root's.

    ``storage.files`` does it for the journal, but brings OpenSSL along, which the door process does without.
    """
    if os.geteuid() != 0:
        return
    with contextlib.suppress(OSError):
        found, parent = path.lstat(), path.parent.stat()
        if (found.st_uid, found.st_gid) != (parent.st_uid, parent.st_gid):
            os.chown(path, parent.st_uid, parent.st_gid, follow_symlinks=False)
