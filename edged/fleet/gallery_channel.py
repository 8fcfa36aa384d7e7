"""A fleet's gallery as retained messages: what a door fetches, a piece at a time, over one connection.

Nothing that arrives is believed here. What is kept is bounded: signed files by number and size, and a blob
by the length that the signed metadata give it.
"""

import time
from collections.abc import Callable

from edged.errors import FleetError
from edged.fleet.broker import BrokerClient, Connected, Disconnected, Happening
from edged.fleet.connection import Arrived
from edged.fleet.gallery_topics import PIECE_BYTES, GalleryTopics, piece_count

# Every root that ever was, and the newest of three others, while old ones are being cleared.
MOST_FILES = 128
# The longest blob that is taken has 8 MB.
MOST_PIECES = 8_000_000 // PIECE_BYTES + 1
# A broker sends what it retains at once; on a slow line the first word may take a second.
_SETTLE_SECONDS = 1.0
_QUIET_SECONDS = 0.3
# The publisher writes what a file names before it names it; a slow line may bring them apart.
_FILE_SECONDS = 10.0
_PIECE_SECONDS = 20.0
_TURN_SECONDS = 0.1


class GalleryChannel:
    """For one thread. ``on_turn`` is called while something is waited for; ``on_other`` is told the rest."""

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
        self._since = self._heard_at = float("inf")
        self._wanted: str | None = None
        self._pieces: dict[int, bytes] = {}
        self._news = False
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
        """Return whether a signed file came since this was asked last."""
        news, self._news = self._news and self.settled, self._news and not self.settled
        return news

    def metadata(self, name: str) -> bytes | None:
        """Return a signed file, None where there is none. Raises ``FleetError`` without a broker."""
        # A next root is hardly ever there; anything else was named by what is.
        deadline = self._clock() + (0.0 if name.endswith(".root") else _FILE_SECONDS)
        while name not in self._files:
            self._need_broker()
            if self.settled and self._clock() >= deadline:
                return None
            self.turn(_TURN_SECONDS)
        return self._files[name]

    def blob(self, sha256: str, length: int) -> bytes:
        """Return a blob of ``length`` bytes, unchecked. Raises ``FleetError`` where it comes in part."""
        count = piece_count(length)
        topic = self._topics.pieces(sha256)
        self._wanted, self._pieces = sha256, {}
        self._client.subscribe(topic)
        try:
            have, deadline = 0, self._clock() + _PIECE_SECONDS
            while have < count:
                self._need_broker()
                self.turn(_TURN_SECONDS)
                got = sum(number < count for number in self._pieces)
                if got > have:
                    have, deadline = got, self._clock() + _PIECE_SECONDS
                elif self._clock() >= deadline:
                    raise FleetError(f"{have} of {count} pieces of {sha256[:12]} came")
            return b"".join(self._pieces[number] for number in range(count))
        finally:
            self._client.unsubscribe(topic)
            self._wanted, self._pieces = None, {}

    def _need_broker(self) -> None:
        if self._since == float("inf"):
            raise FleetError("no connection to the broker")

    def _arrived(self, message: Arrived) -> bool:
        """Keep what is ours; say whether it was. A message cut short or cleared is as good as none."""
        whole = message.payload if message.size == len(message.payload) else b""
        name = self._topics.metadata_name(message.topic)
        if name is not None:
            self._heard_at = self._clock()
            self._file(name, whole)
            return True
        if self._wanted is None:
            return False
        number = self._topics.piece_number(message.topic, self._wanted)
        if number is None:
            return False
        if 0 < len(whole) <= PIECE_BYTES and number < MOST_PIECES:
            self._pieces[number] = whole
        return True

    def _file(self, name: str, data: bytes) -> None:
        if not data:
            self._files.pop(name, None)
        elif name in self._files or len(self._files) < MOST_FILES:
            self._news = self._news or self._files.get(name) != data
            self._files[name] = data
