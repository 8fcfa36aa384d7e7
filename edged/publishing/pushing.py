"""Putting a group's files on the broker, retained, in the order that no door can be misled by.

First blobs, then signed files, the timestamp last: whoever follows the newest timestamp finds all it names.
Then what no timestamp names any more is cleared, so that nobody who was removed stays in a broker.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec

from edged.errors import FleetError, StoreError
from edged.fleet.broker import BrokerClient, Disconnected
from edged.fleet.connection import Answer
from edged.fleet.gallery_topics import PIECE_BYTES, GalleryTopics, piece_count
from edged.publishing.connecting import await_broker
from edged.publishing.release import FleetFolder
from edged.storage.files import replace_private_file

_ANSWER_SECONDS = 30.0
_IN_FLIGHT = 16
# MQTT 5.0, 2.4: a refusal; 0x10, nobody listens yet, is none.
_FAILURE = 0x80


class _Pushed(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What lies on the broker as far as we know: blobs with their pieces, and names of signed files."""

    blobs: dict[str, int] = {}
    files: list[str] = []


@dataclass(frozen=True, slots=True)
class Pushed:
    """What one push moved."""

    messages: int
    bytes: int
    cleared: int


class Push:
    """Pushes one group. ``on_progress`` is told how many of how many bytes are out."""

    def __init__(
        self,
        folder: FleetFolder,
        group: str,
        client: BrokerClient,
        on_progress: Callable[[int, int], None] = lambda _done, _all: None,
    ) -> None:
        fleet = folder.register.read()
        self._topics = GalleryTopics(fleet.prefix, fleet.site, group)
        self._folder = folder
        self._group = group
        self._client = client
        self._on_progress = on_progress
        self._waiting: set[int] = set()
        self._record = folder.directory / "groups" / group / "pushed.json"
        self._sent = self._messages = 0

    def run(self, *, everything: bool = False) -> Pushed:
        """Bring the broker up to date; ``everything`` where it may have lost what it had.

        Raises ``FleetError`` where the broker does not take it, ``StoreError``.
        """
        await_broker(self._client)
        with self._folder.alone():
            return self._bring(everything=everything)

    def _bring(self, *, everything: bool) -> Pushed:
        before = _Pushed() if everything else self._known()
        blobs = self._folder.blobs(self._group)
        repository = self._folder.repository(self._group)
        names = repository.newest_names()
        new = {sha256: data for sha256, data in blobs.items() if sha256 not in before.blobs}
        total = sum(map(len, new.values()))
        for sha256, data in new.items():
            for number in range(piece_count(len(data))):
                piece = data[number * PIECE_BYTES : (number + 1) * PIECE_BYTES]
                self._publish(self._topics.piece(sha256, number), piece)
                self._on_progress(min(self._sent, total), total)
        self._settle()
        for name in names:
            if name not in before.files or name == "timestamp":
                self._publish(self._topics.metadata(name), repository.read(name))
                self._settle()
        pieces = {sha256: piece_count(len(data)) for sha256, data in blobs.items()}
        # What a publisher that was cut off has written over is not taken from the doors too.
        signed = repository.signed_blobs()
        pieces |= {
            sha256: count
            for sha256, count in before.blobs.items()
            if sha256 in signed and sha256 not in pieces
        }
        sent = self._sent
        cleared = self._clear(self._known(), pieces, names)
        self._keep(_Pushed(blobs=pieces, files=names))
        return Pushed(self._messages - cleared, sent, cleared)

    def _clear(self, before: _Pushed, pieces: dict[str, int], names: list[str]) -> int:
        topics = [
            self._topics.piece(sha256, number)
            for sha256, count in before.blobs.items()
            if sha256 not in pieces
            for number in range(count)
        ]
        topics += [self._topics.metadata(name) for name in before.files if name not in names]
        for topic in topics:
            self._publish(topic, b"")
        self._settle()
        return len(topics)

    def _publish(self, topic: str, payload: bytes) -> None:
        while len(self._waiting) >= _IN_FLIGHT or self._client.room() < 1:
            self._wait()
        if not self._client.fits(topic, payload):
            raise FleetError(f"the broker takes no packet of {len(payload)} bytes: raise its limit")
        handle = self._client.publish(topic, payload, retain=True)
        if handle is None:
            raise FleetError("the connection to the broker was lost; run this again")
        self._waiting.add(handle)
        self._sent += len(payload)
        self._messages += 1

    def _settle(self) -> None:
        while self._waiting:
            self._wait()

    def _wait(self) -> None:
        deadline = time.monotonic() + _ANSWER_SECONDS
        while time.monotonic() < deadline:
            happenings = self._client.poll(0.2)
            for happening in happenings:
                if isinstance(happening, Disconnected):
                    raise FleetError(f"the connection to the broker was lost: {happening.text}")
                if isinstance(happening, Answer):
                    if happening.code >= _FAILURE:
                        raise FleetError(f"the broker refuses to keep the gallery: {happening.text}")
                    self._waiting.discard(happening.handle)
            if happenings:
                return
        raise FleetError("the broker does not answer; run this again")

    def _known(self) -> _Pushed:
        try:
            return msgspec.json.decode(self._record.read_bytes(), type=_Pushed)
        except FileNotFoundError:
            return _Pushed()
        except (OSError, msgspec.DecodeError, UnicodeDecodeError) as exc:
            raise StoreError(f"{self._record}: {exc}") from exc

    def _keep(self, pushed: _Pushed) -> None:
        replace_private_file(Path(self._record), msgspec.json.encode(pushed))
