"""Which cameras the kernel knows."""

from dataclasses import dataclass
from pathlib import Path

_CLASS = Path("sys/class/video4linux")
_LINKS = ("dev/v4l/by-id", "dev/v4l/by-path")


@dataclass(frozen=True, slots=True)
class CameraDevice:
    """A capture device: ``device`` is its number's path, ``stable`` the paths that keep their meaning."""

    device: str
    name: str
    stable: tuple[str, ...]


def list_cameras(root: Path = Path("/")) -> list[CameraDevice]:
    """Return the capture devices below ``root``, those of one camera that carry pictures alone."""
    nodes = sorted((root / _CLASS).glob("video*"), key=lambda node: (len(node.name), node.name))
    # A camera has several nodes; index 0 is the picture, the others are metadata.
    return [
        CameraDevice(f"/dev/{node.name}", _line(node / "name"), _stable_names(root, node.name))
        for node in nodes
        if _line(node / "index") == "0"
    ]


def _line(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


def _stable_names(root: Path, node: str) -> tuple[str, ...]:
    return tuple(
        f"/{folder}/{link.name}"
        for folder in _LINKS
        for link in sorted((root / folder).glob("*"))
        if link.resolve().name == node
    )
