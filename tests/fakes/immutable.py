"""What nobody can change for a while, root neither, as on a disk that was mounted read-only."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

_TOOL = "chattr"  # `make system` installs it


def freeze(path: Path, folder: Path) -> None:
    """Let nobody change ``path``; for who is not root it is ``folder`` that cannot be changed.

    Skips where a file system cannot do it for root: nothing else stops root.
    """
    if os.geteuid() != 0:
        folder.chmod(0o500)
    elif (
        shutil.which(_TOOL) is None
        or subprocess.run([_TOOL, "+i", path], check=False, capture_output=True).returncode
    ):
        pytest.skip("root can write everywhere: this file system has no immutable files")


def thaw(path: Path, folder: Path) -> None:
    """Undo it; a ``path`` that is gone needs nothing."""
    if os.geteuid() != 0:
        folder.chmod(0o700)
    elif path.exists():
        subprocess.run([_TOOL, "-i", path], check=True)
