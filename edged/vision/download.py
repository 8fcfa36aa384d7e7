"""Fetching one pinned file over HTTP into a part file that a later call can resume.

The pinned SHA-256 decides what is right; everything else here keeps a bad or slow server from costing
more than it must: sizes are bounded, waits are bounded, and what arrived is kept.
"""

import errno
import fcntl
import logging
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import IncompleteRead
from pathlib import Path
from typing import BinaryIO
from urllib.parse import urljoin
from urllib.request import getproxies, proxy_bypass

import urllib3
from urllib3.exceptions import (
    HTTPError,
    LocationParseError,
    NewConnectionError,
    TimeoutError,  # noqa: A004 - theirs, not the builtin
)

from edged import __version__
from edged.errors import DownloadError
from edged.vision.packs import ModelFile, sha256_of

logger = logging.getLogger(__name__)

Progress = Callable[[str, int, int], None]
"""Called with the file's name, the bytes that are there and the bytes expected."""

_CHUNK_BYTES = 65_536
_MAX_REDIRECTS = 5  # release files of GitHub take two
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_CONTENT_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+|\*)")


class _AbsentError(DownloadError):
    """This address has no such file; another may."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a server may take: ``read_seconds`` for its next bytes, ``connect_seconds`` to answer.

    ``min_bytes`` must arrive in every ``window_seconds``: a server that drips never times out on
    reads. The default of 1 kB/s is below the slowest link a 2 MB model would be fetched over.
    """

    connect_seconds: float = 10.0
    read_seconds: float = 20.0
    window_seconds: float = 30.0
    min_bytes: int = 30_000


def fetch(
    urls: Sequence[str],
    file: ModelFile,
    part: Path,
    *,
    progress: Progress | None = None,
    patience: Patience | None = None,
) -> None:
    """Make ``part`` hold exactly ``file``, continuing what an earlier call left in it.

    A later one of ``urls`` is tried only where the one before it has no such file.
    Raises ``DownloadError``; the part file is kept for the next call unless its content is wrong.
    """
    for url in urls[:-1]:
        try:
            return _fetch(url, file, part, progress or _silent, patience or Patience())
        except _AbsentError as exc:
            logger.info("not there, trying the next address: %s", exc)
    return _fetch(urls[-1], file, part, progress or _silent, patience or Patience())


def _fetch(url: str, file: ModelFile, part: Path, progress: Progress, patience: Patience) -> None:
    try:
        part.parent.mkdir(parents=True, exist_ok=True)
        with _locked(part) as stream:
            try:
                _Transfer(url, file, part, progress, patience).run(stream)
            finally:
                _drop_if_empty(part, stream)
    except DownloadError:
        raise
    except OSError as exc:
        reason = "no space is left" if exc.errno == errno.ENOSPC else (exc.strerror or str(exc))
        raise DownloadError(f"{file.name}: cannot write {part}: {reason}") from exc


@dataclass(frozen=True, slots=True)
class _Transfer:
    url: str
    file: ModelFile
    part: Path
    progress: Progress
    patience: Patience

    def run(self, stream: BinaryIO) -> None:
        """Resume, check, and start once from nothing where what was resumed turned out wrong."""
        have = stream.seek(0, os.SEEK_END)
        if have > self.file.size:
            have = stream.truncate(0)
        if have < self.file.size:
            self._transfer(stream, have)
        if self._right(stream):
            return
        stream.truncate(0)
        if not have:
            raise DownloadError(self._wrong())
        logger.warning("part file is not what was expected, starting again file=%s", self.file.name)
        self._transfer(stream, 0)
        if not self._right(stream):
            stream.truncate(0)
            raise DownloadError(self._wrong())

    def _right(self, stream: BinaryIO) -> bool:
        stream.flush()
        os.fsync(stream.fileno())
        return sha256_of(self.part) == self.file.sha256

    def _wrong(self) -> str:
        return (
            f"{self.file.name}: {self.url} sent another file: its SHA-256 is not {self.file.sha256}; "
            "nothing of it was kept"
        )

    def _transfer(self, stream: BinaryIO, have: int) -> None:
        self._check_space(self.file.size - have)
        response = self._request(have)
        try:
            if have and response.status == 416:
                response.close()
                have, response = 0, self._request(0)
            have = self._start(response, have)
            stream.seek(have)
            stream.truncate()
            self._receive(response, stream, have)
        except HTTPError as exc:
            raise DownloadError(self._broken(stream.tell(), _reason(exc))) from exc
        finally:
            response.close()

    def _start(self, response: urllib3.BaseHTTPResponse, have: int) -> int:
        """Return the offset at which the body starts; refuse one that cannot be the file."""
        if response.status in (404, 410):
            raise _AbsentError(f"{self.file.name}: {self.url} is not there: HTTP {response.status}")
        if response.status not in (200, 206):
            raise DownloadError(f"{self.file.name}: {self.url} answered HTTP {response.status}")
        start, total = 0, response.headers.get("Content-Length", "")
        if response.status == 206:
            found = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
            if found is None or int(found[1]) != have:
                raise DownloadError(f"{self.file.name}: {self.url} answered another range than was asked for")
            start, total = have, found[2]
        if total.isascii() and total.isdigit() and int(total) != self.file.size:
            raise DownloadError(
                f"{self.file.name}: {self.url} offers {total} bytes, expected {self.file.size}"
            )
        return start

    def _receive(self, response: urllib3.BaseHTTPResponse, stream: BinaryIO, have: int) -> None:
        window, in_window = time.monotonic(), 0
        self.progress(self.file.name, have, self.file.size)
        # read1 returns what has arrived; read would wait for a whole chunk from a server that drips.
        while data := response.read1(_CHUNK_BYTES):
            have, in_window = have + len(data), in_window + len(data)
            if have > self.file.size:
                stream.truncate(0)
                raise DownloadError(f"{self.file.name}: {self.url} sends more than {self.file.size} bytes")
            stream.write(data)
            self.progress(self.file.name, have, self.file.size)
            now = time.monotonic()
            if now - window > self.patience.window_seconds:
                if in_window < self.patience.min_bytes:
                    raise DownloadError(self._broken(have, "too slow"))
                window, in_window = now, 0
        if have < self.file.size:
            raise DownloadError(self._broken(have, "the connection ended early"))

    def _broken(self, have: int, reason: str) -> str:
        return (
            f"{self.file.name}: {self.url}: {reason} after {have} of {self.file.size} bytes; "
            "the same command continues from there"
        )

    def _request(self, have: int) -> urllib3.BaseHTTPResponse:
        """Follow redirects by hand: each hop is checked before anything is sent to it."""
        headers = {"User-Agent": f"edged/{__version__}", "Accept-Encoding": "identity"}
        if have:
            headers["Range"] = f"bytes={have}-"
        url = self.url
        for _ in range(_MAX_REDIRECTS + 1):
            response = self._get(url, headers)
            target = response.headers.get("Location")
            if response.status not in _REDIRECTS or not target:
                return response
            response.close()
            url = _next_hop(url, target)
        raise DownloadError(f"{self.file.name}: {self.url}: more than {_MAX_REDIRECTS} redirects")

    def _get(self, url: str, headers: dict[str, str]) -> urllib3.BaseHTTPResponse:
        timeout = urllib3.Timeout(connect=self.patience.connect_seconds, read=self.patience.read_seconds)
        try:
            return _pool(url).request(
                "GET",
                url,
                headers=headers,
                timeout=timeout,
                retries=False,
                redirect=False,
                preload_content=False,
                decode_content=False,  # a server that compresses unasked must not blow up a small answer
            )
        except (HTTPError, LocationParseError) as exc:
            raise DownloadError(f"{self.file.name}: {url[:300]}: {_reason(exc)}") from exc

    def _check_space(self, needed: int) -> None:
        free = shutil.disk_usage(self.part.parent).free
        if free < needed:
            raise DownloadError(
                f"{self.file.name}: needs {needed} bytes in {self.part.parent}, {free} are free"
            )


def _next_hop(url: str, target: str) -> str:
    try:
        found = urljoin(url, target)
    except ValueError as exc:
        raise DownloadError(f"{url[:300]} redirects to {target[:100]!r}, which is no address") from exc
    if not found.startswith(("http://", "https://")):
        raise DownloadError(f"{url[:300]} redirects to {found[:100]!r}, expected http or https")
    if url.startswith("https://") and not found.startswith("https://"):
        raise DownloadError(f"{url[:300]} redirects from https to http; refused")
    return found


def _pool(url: str) -> urllib3.PoolManager:
    """Go through the proxy that the environment names, if any."""
    scheme, _, rest = url.partition("://")
    proxy = getproxies().get(scheme)
    if proxy and not proxy_bypass(rest.split("/", 1)[0]):
        return urllib3.ProxyManager(proxy)
    return urllib3.PoolManager()


@contextmanager
def _locked(part: Path) -> Iterator[BinaryIO]:
    """Open ``part`` for this process alone: two writers would mix their bytes."""
    descriptor = os.open(part, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
    with os.fdopen(descriptor, "r+b") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as exc:
            raise DownloadError(f"{part.name}: another process is fetching this file") from exc
        yield stream


def _drop_if_empty(part: Path, stream: BinaryIO) -> None:
    if stream.seek(0, os.SEEK_END) == 0:
        part.unlink(missing_ok=True)


def _reason(exc: Exception) -> str:
    if any(isinstance(one, IncompleteRead) for one in (exc, *exc.args)):
        return "the connection ended early"
    # urllib3 counts a refused connection among the timeouts.
    if isinstance(exc, TimeoutError) and not isinstance(exc, NewConnectionError):
        return "no answer in time"
    text = " ".join(str(exc).split())
    return text.removeprefix(text.partition("): ")[0] + "): ")[:200] or type(exc).__name__


def _silent(_name: str, _have: int, _size: int) -> None:
    return None
