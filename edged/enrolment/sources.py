"""Where a photograph comes from: a file, an address, a frame of the camera."""

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from edged.domain.types import Image
from edged.enrolment.fetching import Fetcher
from edged.enrolment.pictures import MAX_BYTES, decode_picture
from edged.enrolment.ports import PhotoSource
from edged.errors import EnrolmentError


@dataclass(frozen=True, slots=True)
class FilePhoto:
    """A photograph on disk."""

    path: Path

    @property
    def label(self) -> str:
        """The path."""
        return str(self.path)

    def content(self) -> bytes:
        """Read the file. Raises ``EnrolmentError``: ``not_found``, ``too_large``, ``unreadable``."""
        try:
            if not self.path.is_file():
                what = "a folder, expected a file" if self.path.is_dir() else "no such file"
                raise EnrolmentError("not_found", what)
            with self.path.open("rb") as stream:
                content = stream.read(MAX_BYTES + 1)
        except (OSError, ValueError) as exc:
            raise EnrolmentError("unreadable", f"cannot be read: {exc}") from exc
        if len(content) > MAX_BYTES:
            raise EnrolmentError("too_large", f"more than {MAX_BYTES // 1024**2} MiB")
        return content

    def decode(self, content: bytes) -> Image:
        """See ``decode_picture``."""
        return decode_picture(content)


@dataclass(frozen=True, slots=True)
class UrlPhoto:
    """A photograph on a web server."""

    url: str
    fetcher: Fetcher

    @property
    def label(self) -> str:
        """The address without its credentials and query, which may hold a key."""
        try:
            parts = urlsplit(self.url)
        except ValueError:
            return self.url.partition("?")[0]
        return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))

    def content(self) -> bytes:
        """Fetch it. Raises ``EnrolmentError``: ``not_fetched``, ``too_large``, ``unreadable``."""
        return self.fetcher.get(self.url)

    def decode(self, content: bytes) -> Image:
        """See ``decode_picture``."""
        return decode_picture(content)


@dataclass(frozen=True, slots=True, eq=False)
class FramePhoto:
    """A frame of the camera, (H, W, 3) uint8 BGR."""

    label: str
    image: Image

    def content(self) -> bytes:
        """Return the pixels."""
        return self.image.tobytes()

    def decode(self, content: bytes) -> Image:
        """Return the frame itself; ``content`` says nothing new."""
        del content
        return self.image


def is_url(text: str) -> bool:
    """Whether ``text`` is an address rather than a path."""
    return text.lower().startswith(("http://", "https://"))


def photo_at(text: str, base: Path, fetcher: Fetcher) -> PhotoSource:
    """Return the source that ``text`` names: an address, or a path relative to ``base``."""
    return UrlPhoto(text, fetcher) if is_url(text) else FilePhoto(base / text)
