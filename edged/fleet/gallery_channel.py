"""A fleet's gallery as retained messages: what a door fetches, a piece at a time, over one connection.

Nothing that arrives is believed here. What is kept is bounded: signed files by number and size, and a blob
by the length that the signed metadata give it.
"""

import hashlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from edged.errors import FleetError
from edged.fleet.broker import BrokerClient, Connected, Disconnected, Happening
from edged.fleet.connection import Arrived
from edged.fleet.gallery_topics import PIECE_BYTES, GalleryTopics, piece_count

# Every root that ever was, and the newest of three others, while old ones are being cleared.
MOST_FILES = 128
# A round trip each would make seconds of a first gallery; what is in memory at once stays bounded.
_AT_ONCE = 16
# A broker sends what it retains at once; on a slow line the first word may take a second.
_SETTLE_SECONDS = 1.0
_QUIET_SECONDS = 0.3
# The publisher writes what a file names before it names it; a slow line may bring them apart.
_FILE_SECONDS = 10.0
_PIECE_SECONDS = 20.0
# Whoever keeps the line busy must not keep a door waiting for ever: nothing so slow is a network.
_STEADY_SECONDS = 5.0
_LEAST_BYTES_A_SECOND = 10_000
_MOST_SECONDS = 60.0
_TURN_SECONDS = 0.1


@dataclass(slots=True)
class _Parts:
    """What has come of one blob."""

    count: int
    pieces: dict[int, bytes] = field(default_factory=dict)
    changed: bool = False

    @property
    def whole(self) -> bool:
        return len(self.pieces) == self.count

    def is_right(self, sha256: str) -> bool:
        """Whether all of it is here and right; a wrong piece may still be followed by the right one."""
        if not (self.whole and self.changed):
            return False
        self.changed = False
        return hashlib.sha256(self.joined()).hexdigest() == sha256

    def joined(self) -> bytes:
        return b"".join(self.pieces[number] for number in range(self.count))


class GalleryChannel:
    """For one thread. ``on_turn`` is called while something is waited for, ``on_other`` is told the rest.

    ``received_bytes`` counts what came.
    """

    def __init__(
        self,
        client: BrokerClient,
        topics: GalleryTopics,
        *,
        on_turn: Callable[[], None] = lambda: None,
        on_other: Callable[[Happening], None] = lambda _happening: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._topics = topics
        self._on_turn = on_turn
        self._on_other = on_other
        self._clock = clock
        self._files: dict[str, bytes] = {}
        self._asked: str | None = None
        self._since = self._heard_at = float("inf")
        self._parts: dict[str, _Parts] = {}
        self._pieces_heard = 0
        self._news = False
        self.received_bytes = 0
        client.subscribe(topics.all_metadata)

    def turn(self, timeout: float) -> None:
        """Hear what comes within ``timeout`` seconds."""
        self._on_turn()
        for happening in self._client.poll(timeout):
            match happening:
                case Connected():
                    self._files.clear()
                    self._since = self._heard_at = self._clock()
                    self._news = True
                case Disconnected():
                    self._since = float("inf")
                case Arrived():
                    if self._arrived(happening):
                        continue
            self._on_other(happening)

    @property
    def settled(self) -> bool:
        """Whether all that the broker retains has come, as far as can be told."""
        now = self._clock()
        return now - self._since >= _SETTLE_SECONDS and now - self._heard_at >= _QUIET_SECONDS

    def news(self) -> bool:
        """Return whether there is a new timestamp since this was asked last; it is written last."""
        if not self._news or self._clock() - self._since < _SETTLE_SECONDS:
            return False
        self._news = False
        return True

    def metadata(self, name: str) -> bytes | None:
        """Return a signed file, None where there is none. Raises ``FleetError`` without a broker."""
        # A next root is hardly ever there; anything else was named by what is.
        deadline = self._clock() + (0.0 if name.endswith(".root") else _FILE_SECONDS)
        topic = self._topics.metadata(name)
        try:
            while name not in self._files:
                self._need_broker()
                if self._asked is None and len(self._files) >= MOST_FILES:
                    # Somebody left so many that it may have been passed over: asked for by its own name.
                    self._asked = name
                    self._client.subscribe(topic)
                    deadline = max(deadline, self._clock() + _SETTLE_SECONDS)
                late = self._clock() - deadline
                if late >= _STEADY_SECONDS or (late >= 0 and self.settled):
                    return None
                self.turn(_TURN_SECONDS)
            return self._files[name]
        finally:
            if self._asked is not None:
                self._asked = None
                self._client.unsubscribe(topic)

    def blobs(self, wanted: Sequence[tuple[str, int]]) -> Iterator[tuple[str, bytes]]:
        """Yield the blobs of these hashes and lengths, some of them asked for at a time.

        One that stays wrong is yielded too: the caller says why it is refused. Raises ``FleetError`` where
        one comes in part, or too slowly.
        """
        waiting = list(dict(wanted).items())
        end = self._clock() + _MOST_SECONDS + sum(length for _, length in waiting) / _LEAST_BYTES_A_SECOND
        deadline = self._clock() + _PIECE_SECONDS
        try:
            while waiting or self._parts:
                while waiting and len(self._parts) < _AT_ONCE:
                    sha256, length = waiting.pop(0)
                    self._parts[sha256] = _Parts(piece_count(length))
                    self._client.subscribe(self._topics.pieces(sha256))
                self._need_broker()
                before = self._pieces_heard
                self.turn(_TURN_SECONDS)
                if self._pieces_heard > before:
                    deadline = self._clock() + _PIECE_SECONDS
                late = self._clock() >= min(deadline, end)
                for sha256 in [name for name, parts in self._parts.items() if parts.is_right(name)]:
                    yield sha256, self._let_go(sha256).joined()
                if late and self._parts:
                    for sha256 in [name for name, parts in self._parts.items() if parts.whole]:
                        yield sha256, self._let_go(sha256).joined()
                    if missing := next(iter(self._parts), None):
                        raise FleetError(
                            f"{len(self._parts)} files did not come whole, {missing[:12]} among them"
                        )
        finally:
            for sha256 in list(self._parts):
                self._let_go(sha256)

    def _let_go(self, sha256: str) -> "_Parts":
        self._client.unsubscribe(self._topics.pieces(sha256))
        return self._parts.pop(sha256)

    def _need_broker(self) -> None:
        if self._since == float("inf"):
            raise FleetError("no connection to the broker")

    def _arrived(self, message: Arrived) -> bool:
        """Keep what is ours; say whether it was. A message cut short or cleared is as good as none."""
        self.received_bytes += message.size
        whole = message.payload if message.size == len(message.payload) else b""
        name = self._topics.metadata_name(message.topic)
        if name is not None:
            self._heard_at = self._clock()
            self._file(name, whole)
            return True
        piece = self._topics.piece_of(message.topic)
        if piece is None:
            return False
        parts = self._parts.get(piece[0])
        if parts is not None and 0 < len(whole) <= PIECE_BYTES and piece[1] < parts.count:
            # The same piece again is no progress, whoever sends it.
            self._pieces_heard += piece[1] not in parts.pieces
            parts.pieces[piece[1]] = whole
            parts.changed = True
        return True

    def _file(self, name: str, data: bytes) -> None:
        if not data:
            self._files.pop(name, None)
        elif (
            name in self._files
            or len(self._files) < MOST_FILES
            or name in ("timestamp", self._asked)  # what is needed has its place whatever else was left here
        ):
            self._news = self._news or (name == "timestamp" and self._files.get(name) != data)
            self._files[name] = data
