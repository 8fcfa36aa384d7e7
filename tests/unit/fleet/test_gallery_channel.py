"""What a door hears of a gallery stays bounded and comes to an end, whatever is sent."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pytest

from edged.errors import FleetError
from edged.fleet.broker import Connected, Happening
from edged.fleet.connection import Arrived
from edged.fleet.gallery_channel import MOST_FILES, GalleryChannel
from edged.fleet.gallery_topics import PIECE_BYTES, GalleryTopics

TOPICS = GalleryTopics("edged", "hq", "office")


@dataclass
class Broker:
    """Retains messages, sends those of a new filter once, and whatever ``noise`` adds at every turn."""

    retained: dict[str, bytes] = field(default_factory=dict)
    filters: set[str] = field(default_factory=set)
    queue: list[Happening] = field(default_factory=list)
    noise: Callable[[], Sequence[Happening]] = tuple
    now: float = 100.0

    def subscribe(self, topic: str) -> None:
        self.filters.add(topic)
        prefix, plus = (topic[:-1], True) if topic.endswith("/+") else (topic, False)
        for name, payload in self.retained.items():
            if name == topic or (plus and name.startswith(prefix) and "/" not in name[len(prefix) :]):
                self.queue.append(arrived(name, payload))

    def unsubscribe(self, topic: str) -> None:
        self.filters.discard(topic)

    def poll(self, timeout: float) -> list[Happening]:
        self.now += timeout
        found, self.queue = [*self.queue, *self.noise()], []
        return found


def arrived(topic: str, payload: bytes) -> Arrived:
    return Arrived(topic, payload, len(payload), True)


def channel(broker: Broker) -> GalleryChannel:
    """Return a channel that is connected, and has heard what was retained."""
    made = GalleryChannel(broker, TOPICS, clock=lambda: broker.now)  # type: ignore[arg-type]
    broker.queue.insert(0, Connected("5.0", 65_536, 16))  # type: ignore[arg-type]
    made.turn(0.1)
    return made


def test_a_flood_of_files_does_not_push_out_what_is_needed() -> None:
    flood = {TOPICS.metadata(f"{number}.junk"): b"x" for number in range(1, 500)}
    broker = Broker({**flood, TOPICS.metadata("7.snapshot"): b"s", TOPICS.metadata("timestamp"): b"t"})
    made = channel(broker)
    assert made.metadata("timestamp") == b"t"
    assert made.metadata("7.snapshot") == b"s"
    assert made.metadata("2.root") is None
    assert len(made._files) <= MOST_FILES + 4
    assert broker.filters == {TOPICS.all_metadata}


def test_a_line_that_is_never_quiet_does_not_hold_a_door_for_ever() -> None:
    broker = Broker({TOPICS.metadata("timestamp"): b"t"})
    made = channel(broker)
    broker.noise = lambda: [arrived(TOPICS.metadata("9.junk"), str(broker.now).encode())]
    began = broker.now
    assert made.metadata("2.root") is None
    assert broker.now - began < 10


BLOB = bytes(range(256)) * 300  # two pieces
SHA = hashlib.sha256(BLOB).hexdigest()


def test_the_right_piece_after_a_wrong_one_is_taken() -> None:
    broker = Broker({TOPICS.piece(SHA, 0): b"rubbish", TOPICS.piece(SHA, 1): BLOB[PIECE_BYTES:]})
    made = channel(broker)
    turns = iter(range(100))

    def mend() -> list[Happening]:
        return [arrived(TOPICS.piece(SHA, 0), BLOB[:PIECE_BYTES])] if next(turns) == 5 else []

    broker.noise = mend
    assert dict(made.blobs([(SHA, len(BLOB))])) == {SHA: BLOB}


def test_wrong_pieces_that_stay_wrong_are_handed_on_for_the_reason_to_be_said() -> None:
    broker = Broker({TOPICS.piece(SHA, 0): b"rubbish", TOPICS.piece(SHA, 1): b"more"})
    made = channel(broker)
    assert dict(made.blobs([(SHA, len(BLOB))])) == {SHA: b"rubbishmore"}


@pytest.mark.parametrize("what", ["the same piece again", "one new piece at a time"])
def test_a_broker_that_draws_a_fetch_out_is_given_up(what: str) -> None:
    broker = Broker()
    made = channel(broker)
    count = 90
    turns = iter(range(10_000_000))

    def drip() -> list[Happening]:
        turn = next(turns)
        if what == "the same piece again":
            return [arrived(TOPICS.piece(SHA, 0), b"x")]
        return [arrived(TOPICS.piece(SHA, turn // 190), b"x")] if turn % 190 == 0 else []

    broker.noise = drip
    began = broker.now
    with pytest.raises(FleetError, match="did not come whole"):
        list(made.blobs([(SHA, count * PIECE_BYTES)]))
    assert broker.now - began <= 60 + count * PIECE_BYTES / 10_000 + 1
    assert broker.filters == {TOPICS.all_metadata}
