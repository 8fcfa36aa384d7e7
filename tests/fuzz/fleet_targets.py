"""What a door reads of a fleet: galleries, commands, receipts, cards, topics, and what asks for a replay."""

import functools
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from edged.errors import FleetError, StoreError
from edged.fleet import commands, gallery_format, joining, receipt_messages, replay
from edged.fleet.commands import Command, Hello, NonceGiven, Reply
from edged.fleet.connection import LARGEST_ARRIVAL, Arrived
from edged.fleet.gallery_format import (
    AccessRecord,
    CommandKey,
    Denied,
    Keys,
    Manifest,
    PersonRecord,
    Roles,
    Shard,
    ShardEntry,
    TemplateRecord,
)
from edged.fleet.gallery_seal import BlobName, seal, unseal
from edged.fleet.gallery_topics import GalleryTopics
from edged.fleet.joining import DoorCard, Invitation
from edged.fleet.receipt_messages import GalleryReceipt
from edged.fleet.trust import Floor, PublisherTrust
from tests.fuzz.target import Target, attempt

_SECRET = bytes(range(32))
_SHARD = BlobName("office", "s", "shard-0", 1, 1)
_ENTRY = ShardEntry(number=0, sha256="0" * 64, length=9, version=1, epoch=1, people=1)


# Made once and from numbers: the inputs of a run have to be those of the next.
@functools.cache
def _key() -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(bytes(32))


@functools.cache
def _public() -> bytes:
    return _key().public_key().public_bytes_raw()


def _gallery(data: bytes, _folder: Path) -> None:
    for kind in (Manifest, Keys, Denied, Roles):
        attempt(gallery_format.decode, data, kind)
    # Whoever has the group's secret seals what they like: another door of the group could.
    plain = unseal(seal(data, _SECRET, _SHARD), _SECRET, _SHARD)
    attempt(unseal, data, _SECRET, _SHARD)
    people, templates = gallery_format.people_of(gallery_format.decode(plain, Shard), "s", 4)
    assert all(template.vector.shape == (4,) for template in templates)
    assert len({person.person_id for person in people}) <= len(people)


def _gallery_seeds(_folder: Path) -> Iterator[bytes]:
    person = PersonRecord(
        id="p-1", groups=["staff"], valid_until=2e9,
        templates=[TemplateRecord(codes=b"\x01\x7f\x81\x00", quality=0.5)],
    )  # fmt: skip
    access = AccessRecord(groups={"staff": []})
    manifest = Manifest(
        group="office", version=1, space="s", dimension=4, shards=8, people=1, created_at=1.0,
        valid_until=2e9, entries=[_ENTRY], only=["front"], distinct=["a b"], access=access,
    )  # fmt: skip
    key = CommandKey(name="k", public=bytes(32), may=["unlock"])
    for part in (
        Shard(people=[person]), manifest, Keys(group="office", wrapped={"1": {"front": b"x"}}),
        Denied(group="office", version=1, people=["p-1"]), Roles(group="office", version=1, keys=[key]),
    ):  # fmt: skip
        yield gallery_format.encode(part)


def _command(data: bytes, _folder: Path) -> None:
    for retain in (False, True):
        message = Arrived("t", data[:LARGEST_ARRIVAL], len(data), retain=retain)
        attempt(commands.parse_plain, message, Hello)
        attempt(commands.parse_plain, message, NonceGiven)
        attempt(commands.checked_reply, message, _public())
        attempt(_opened, message)
    # As if a key that may command had signed it.
    signed = {"text": data.decode("utf-8", "replace"), "signature": bytes(64)}
    payload = msgspec.json.encode(signed)
    _opened(Arrived("t", payload[:LARGEST_ARRIVAL], len(payload), retain=False))


def _opened(message: Arrived) -> None:
    command, signed, signature = commands.opened_command(message)
    assert len(command.reason) <= 200
    if not message.payload.startswith(b'{"text"'):
        return
    commands.is_signed(signed, signature, _public())


def _command_seeds(_folder: Path) -> Iterator[bytes]:
    command = Command(
        id="abcdefgh", site="hq", door="front", action="replay", key="k", nonce="0" * 32, counter=1,
        expires_at=2e9, reason="r", args={"from_seq": 1},
    )  # fmt: skip
    yield commands.signed_command(command, _key())
    yield msgspec.json.encode(command)
    reply = Reply(id="abcdefgh", site="hq", door="front", result="done", facts={"a": [1]})
    yield commands.signed_reply(reply, _key())
    yield commands.hello_payload(Hello(id="abcdefgh"))
    yield commands.hello_payload(NonceGiven(id="abcdefgh", nonce="0" * 32, seconds=30.0))


def _receipt(data: bytes, _folder: Path) -> None:
    attempt(receipt_messages.checked_receipt, data, _public())
    text = data.decode("utf-8", "replace")
    signature = _key().sign(receipt_messages._PURPOSE + text.encode())
    payload = msgspec.json.encode({"receipt": text, "signature": signature})
    receipt_messages.checked_receipt(payload, _public())


def _receipt_seeds(_folder: Path) -> Iterator[bytes]:
    receipt = GalleryReceipt(
        site="hq", door="front", group="office", space="s", revision=1, root=1, version=1, manifest="0" * 64,
        people=1, denied=0, applied_at=1.0, said_at=2.0, refused="mismatch", text="t",
    )  # fmt: skip
    yield receipt_messages.signed_receipt(receipt, _key())
    yield msgspec.json.encode(receipt)


def _joining(data: bytes, _folder: Path) -> None:
    for kind in (DoorCard, Invitation):
        attempt(_joined, data, kind)
    topics = GalleryTopics("edged", "hq", "office")
    for word in data.decode("utf-8", "replace").split("\n"):
        found = topics.piece_of(word)
        assert found is None or topics.piece(*found) == word
        name = topics.metadata_name(word)
        assert name is None or topics.metadata(name) == word
        attempt(GalleryTopics, "edged", "hq", word)


def _joined(data: bytes, kind: type[DoorCard] | type[Invitation]) -> None:
    assert len(joining.read_joining(data, kind).fingerprint) == 19


def _joining_seeds(_folder: Path) -> Iterator[bytes]:
    card = DoorCard(site="hq", door="front", sealing=bytes(32), signing=bytes(32), space="s")
    yield joining.write_joining(card).encode()
    invitation = Invitation(prefix="edged", site="hq", door="front", group="office", root="{}")
    yield joining.write_joining(invitation).encode()
    topics = GalleryTopics("edged", "hq", "office")
    yield f"{topics.piece('0' * 64, 7)}\n{topics.metadata('3.snapshot')}\noffice-2".encode()


def _replay(data: bytes, _folder: Path) -> None:
    message = Arrived("t", data[:LARGEST_ARRIVAL], len(data), retain=False)
    attempt(replay.parse_replay, message)
    replay.parse_replayed(message)


def _replay_seeds(_folder: Path) -> Iterator[bytes]:
    yield b'{"v":1,"request":"r1","from_seq":1,"to_seq":9,"epoch":"e"}'
    yield (
        b'{"v":1,"request":"r1","result":"done","epoch":"e","sent":1,"unheard":0,"unsendable":0,"gone":0,'
        b'"next_seq":null,"oldest_seq":1,"newest_seq":9}'
    )


class _Told:
    """A broker that has one file and says it is all of them."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def metadata(self, _name: str) -> bytes | None:
        return self._data


def _metadata(data: bytes, folder: Path) -> None:
    """The bytes are everything that a broker has, and the first root besides."""
    trust = PublisherTrust(folder / "tuf", data, _Told(data), "office")
    trust.refresh(Floor(), datetime(2026, 1, 1, tzinfo=UTC))


def _metadata_seeds(_folder: Path) -> Iterator[bytes]:
    from securesystemslib.signer import CryptoSigner
    from tuf.api.metadata import Metadata, Root, Targets, Timestamp

    signer, later = CryptoSigner(_key()), datetime(2030, 1, 1, tzinfo=UTC)
    root = Root(expires=later)
    for role in root.roles:
        root.add_key(signer.public_key, role)
    for part in (root, Targets(expires=later), Timestamp(expires=later)):
        metadata = Metadata(part)
        metadata.sign(signer)
        yield metadata.to_bytes()


TARGETS = (
    Target("fleet-gallery", _gallery, _gallery_seeds, (FleetError,)),
    Target("fleet-commands", _command, _command_seeds, (FleetError,), 10_000),
    Target("fleet-receipts", _receipt, _receipt_seeds, (FleetError,), 10_000),
    Target("fleet-joining", _joining, _joining_seeds, (FleetError,)),
    Target("fleet-metadata", _metadata, _metadata_seeds, (FleetError, StoreError), 8192, ("tuf.api",)),
    Target("replay", _replay, _replay_seeds, (FleetError,), 4096),
)
