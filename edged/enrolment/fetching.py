"""Fetch a photograph over HTTP: bounded in size, time and redirects."""

import time
from types import TracebackType
from typing import Self
from urllib.parse import urljoin

import urllib3

from edged import __version__
from edged.enrolment.pictures import MAX_BYTES
from edged.errors import EnrolmentError

_CHUNK_BYTES = 65_536
_MAX_REDIRECTS = 5
# A server that answers at all does so within seconds; a picture of 32 MiB takes 27 s at 10 Mbit/s.
_CONNECT_SECONDS = 5.0
_READ_SECONDS = 15.0
_TOTAL_SECONDS = 60.0


class Fetcher:
    """GETs pictures; holds its connections open between them, so close it or use it as a context."""

    def __init__(self, *, max_bytes: int = MAX_BYTES, total_seconds: float = _TOTAL_SECONDS) -> None:
        self._max_bytes = max_bytes
        self._total_seconds = total_seconds
        self._pool = urllib3.PoolManager(
            headers={
                "User-Agent": f"edged/{__version__}",
                "Accept": "image/*",
                "Accept-Encoding": "identity",
            },
            timeout=urllib3.Timeout(connect=_CONNECT_SECONDS, read=_READ_SECONDS),
            retries=urllib3.Retry(total=1, connect=1, read=0, redirect=0, raise_on_redirect=False),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Drop the connections."""
        self._pool.clear()

    def get(self, url: str) -> bytes:
        """Return the body at ``url``.

        Raises ``EnrolmentError``: ``not_fetched`` with the cause, ``too_large``, or ``unreadable``
        where the server says that it is no picture (a share page, a login form).
        """
        deadline = time.monotonic() + self._total_seconds
        try:
            for _ in range(_MAX_REDIRECTS + 1):
                found = self._step(url, deadline)
                if isinstance(found, bytes):
                    return found
                url = found
        except (urllib3.exceptions.HTTPError, ValueError) as exc:
            raise EnrolmentError("not_fetched", _cause(exc)) from exc
        raise EnrolmentError("not_fetched", f"more than {_MAX_REDIRECTS} redirects")

    def _step(self, url: str, deadline: float) -> bytes | str:
        """One request: the body, or the address to go on to.

        Redirects are followed here, since the library would read their bodies without a bound.
        """
        if not url.lower().startswith(("http://", "https://")):
            raise EnrolmentError("not_fetched", "expected an http or https address")
        response = self._pool.request("GET", url, preload_content=False, redirect=False)
        try:
            target = response.get_redirect_location()
            return urljoin(url, target) if target else self._body(response, deadline)
        finally:
            # An unread rest would be taken for the answer to the next request on this connection.
            response.close()

    def _body(self, response: urllib3.BaseHTTPResponse, deadline: float) -> bytes:
        if response.status != 200:
            raise EnrolmentError("not_fetched", f"the server answered {response.status}")
        kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if kind.startswith("text/") or kind in ("application/json", "application/xhtml+xml"):
            raise EnrolmentError("unreadable", f"the server sent {kind[:60]!r} instead of a picture")
        body = bytearray()
        # Unlike ``stream``, this returns with what has come: a server that drips meets the deadline.
        while chunk := response.read1(_CHUNK_BYTES, decode_content=False):
            body += chunk
            if len(body) > self._max_bytes:
                raise EnrolmentError("too_large", f"more than {self._max_bytes // 1024**2} MiB")
            if time.monotonic() > deadline:
                raise EnrolmentError("not_fetched", f"not complete after {self._total_seconds:g} s")
        return bytes(body)


def _cause(exc: Exception) -> str:
    """Name the innermost reason without the address, which may hold a key."""
    reason = exc.reason if isinstance(exc, urllib3.exceptions.MaxRetryError) and exc.reason else exc
    return _CAUSES.get(type(reason).__name__, type(reason).__name__)


_CAUSES = {
    "NameResolutionError": "the server's name is not known",
    "NewConnectionError": "the server cannot be reached",
    "ConnectTimeoutError": "the server cannot be reached in time",
    "ReadTimeoutError": "the server stopped sending",
    "ProtocolError": "the connection broke",
    "SSLError": "the server's certificate is not trusted",
    "LocationParseError": "not an address",
}
