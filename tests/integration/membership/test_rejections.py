"""What somebody may do to a gallery on its way, and the reason that a door gives for not taking it.

The door keeps what it had each time, also after a restart. ``ATTACKS`` has every reason that there is.
"""

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from edged.domain.shards import shard_of
from edged.fleet.gallery_format import MAX_MANIFEST_BYTES, PersonRecord, Shard, ShardEntry, encode
from edged.fleet.gallery_seal import BlobName, seal
from edged.metric_labels import FLEET_RESULTS
from edged.publishing.register import GroupEntry
from edged.publishing.release import FleetFolder
from edged.publishing.repository import Blob
from tests.integration.membership.fleet import (
    GROUP,
    SPACE,
    Door,
    add,
    digest,
    door,
    publisher,
    record,
    wanted,
)


@dataclass
class Scene:
    """A desk, and a door that has its first gallery: two people, and what was signed for it."""

    folder: FleetFolder
    front: Door
    scratch: Path
    old: dict[str, bytes]

    def newest(self, role: str) -> str:
        """The name of the newest file of a role, such as ``4.targets``."""
        return f"{self.folder.repository(GROUP).versions()[role]}.{role}"

    def lie(self, **files: bytes | None) -> None:
        self.front.source.lies = dict(files)

    def sign(self, shards: Mapping[int, Sequence[PersonRecord]], count: int | None = None) -> None:
        """Sign a gallery that no careful publisher would: ``count`` people a shard, whatever it holds."""
        fleet, archive = self.folder.register.read(), self.folder.archive(GROUP)
        entry = fleet.group(GROUP)
        version, entries, blobs = entry.version + 1, [], {}
        for number, people in shards.items():
            name = BlobName(GROUP, SPACE, f"shard-{number}", version, entry.epoch)
            sealed = seal(encode(Shard(people=list(people))), archive.secret(entry.epoch), name)
            blobs[digest(sealed)] = sealed
            entries.append(
                ShardEntry(
                    number=number, sha256=digest(sealed), length=len(sealed), version=version,
                    epoch=entry.epoch, people=count or len(people),
                )
            )  # fmt: skip
        manifest = msgspec.structs.replace(
            archive.manifest(entry.version), version=version, entries=entries,
            people=sum(item.people for item in entries),
        )  # fmt: skip
        archive.keep(manifest, blobs)
        self.folder._sign(GROUP, manifest, entry.epoch, archive)
        self.folder.register.write(fleet.with_group(GROUP, msgspec.structs.replace(entry, version=version)))


def replayed(scene: Scene) -> None:
    scene.folder.publish(GROUP, wanted(1, 2))
    assert scene.front.attempt().applied
    scene.lie(timestamp=scene.old["timestamp"])


def replayed_without_cache(scene: Scene) -> None:
    replayed(scene)
    shutil.rmtree(scene.front.folder / "tuf")


def replayed_root(scene: Scene) -> None:
    scene.folder.publish(GROUP, wanted(1, 3))
    name = scene.newest("root")
    scene.lie(**{f"{int(name.split('.')[0]) + 1}.root": scene.old[name]})


def mixed(scene: Scene) -> None:
    newest = scene.newest("targets")
    scene.folder.publish(GROUP, wanted(1, 3))
    scene.lie(**{scene.newest("targets"): scene.old[newest]})


def forged(scene: Scene) -> None:
    forger = publisher(scene.scratch / "forger")
    add(forger, scene.front.identity.card("hq", "front", SPACE))
    for _ in range(5):
        forger.publish(GROUP, wanted(1, 666))
    scene.front.source.folder = forger


def signed_by_one_of_two(scene: Scene) -> None:
    keys = scene.folder.keyring
    old = keys.signer("daily")
    keys.retire("daily")
    keys.create("daily")
    scene.folder.repository(GROUP).rotate("daily", [keys.signer("daily")], [old], ["root-1"])


def frozen(scene: Scene) -> None:
    scene.front.not_before = datetime.now(UTC) + timedelta(days=4)


def withheld(scene: Scene) -> None:
    scene.folder.publish(GROUP, wanted(1, 3))
    scene.lie(**{scene.newest("snapshot"): None})


def rubbish(scene: Scene) -> None:
    scene.folder.publish(GROUP, wanted(1, 3))
    scene.lie(timestamp=b"[" * 10_000)


def without_end(scene: Scene) -> None:
    scene.folder.publish(GROUP, wanted(1, 3))
    scene.lie(timestamp=b" " * 1_000_000)


def larger_than_any(scene: Scene) -> None:
    """The length is signed, and refused before a byte of it is asked for."""
    custom = {"version": 2, "epoch": 1, "space": SPACE}
    scene.folder.repository(GROUP).publish({"manifest": Blob(bytes(MAX_MANIFEST_BYTES + 1), custom)})


def of_another_group(scene: Scene) -> None:
    scene.folder.create_group("store", GroupEntry(shards=8))
    for _ in range(5):
        scene.folder.publish("store", wanted(1, 666))
    scene.front.source.group = "store"


def of_another_model(scene: Scene) -> None:
    scene.folder.publish(GROUP, wanted(1, 3))
    scene.front.space = "another-space"


def with_a_flipped_bit(scene: Scene) -> None:
    scene.folder.publish(GROUP, wanted(1, 3))
    target = scene.folder.repository(GROUP).target("manifest")
    assert target is not None
    sha256 = target.hashes["sha256"]
    data = scene.folder.blobs(GROUP)[sha256]
    scene.lie(**{sha256: data[:-1] + bytes([data[-1] ^ 1])})


def with_a_flipped_bit_that_is_signed(scene: Scene) -> None:
    scene.folder.publish(GROUP, wanted(1, 3))
    target = scene.folder.repository(GROUP).target("manifest")
    assert target is not None
    data = bytearray(scene.folder.blobs(GROUP)[target.hashes["sha256"]])
    data[-1] ^= 1
    scene.folder.blob_path(GROUP, "manifest").write_bytes(data)
    scene.folder.repository(GROUP).publish({"manifest": Blob(bytes(data), target.custom or {})})


def without_keys(scene: Scene) -> None:
    scene.folder.publish(GROUP, wanted(1, 3))
    scene.folder.repository(GROUP).publish({}, drop=("keys",))


def with_too_few_in_a_shard(scene: Scene) -> None:
    scene.sign({shard_of("p-00001", 8): [record(1)]}, count=2)


def with_somebody_twice(scene: Scene) -> None:
    scene.sign({shard_of("p-00001", 8): [record(1), record(1)]})


def with_somebody_in_the_wrong_shard(scene: Scene) -> None:
    scene.sign({(shard_of("p-00001", 8) + 1) % 8: [record(1)]})


def with_most_people_gone(scene: Scene) -> None:
    scene.folder.publish(GROUP, wanted(*range(1, 11)))
    scene.front.attempt()
    scene.folder.publish(GROUP, wanted(1, 2))


def with_one_person_under_two_names(scene: Scene) -> None:
    twin = msgspec.structs.replace(record(1), id="p-99999")
    shards: dict[int, list[PersonRecord]] = {}
    for person in (record(1), record(2), twin):
        shards.setdefault(shard_of(person.id, 8), []).append(person)
    scene.sign(shards)


ATTACKS: tuple[tuple[Callable[[Scene], None], str], ...] = (
    (replayed, "rollback"),
    (replayed_without_cache, "rollback"),
    (replayed_root, "rollback"),
    (mixed, "mix_and_match"),
    (forged, "signatures"),
    (signed_by_one_of_two, "signatures"),
    (frozen, "expired"),
    (withheld, "missing"),
    (rubbish, "malformed"),
    (without_end, "too_long"),
    (larger_than_any, "too_long"),
    (of_another_group, "wrong_group"),
    (of_another_model, "wrong_space"),
    (without_keys, "wrong_key"),
    (with_a_flipped_bit, "mismatch"),
    (with_a_flipped_bit_that_is_signed, "altered"),
    (with_too_few_in_a_shard, "gate_count"),
    (with_somebody_twice, "gate_repeated"),
    (with_somebody_in_the_wrong_shard, "gate_place"),
    (with_most_people_gone, "gate_shrink"),
    (with_one_person_under_two_names, "gate_collision"),
)
# No attacks: what is well, the door's own disk, and what codes of whole numbers cannot hold any more.
_NO_ATTACK = {"unchanged", "disk", "applied", "damaged", "gate_vector"}


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    folder = publisher(tmp_path / "fleet")
    front = door(tmp_path / "front", "front", folder)
    folder.publish(GROUP, wanted(1, 2))
    assert front.attempt().applied
    meta = folder.directory / "groups" / GROUP / "meta"
    return Scene(folder, front, tmp_path, {path.stem: path.read_bytes() for path in meta.glob("*.json")})


@pytest.mark.parametrize(("attack", "reason"), ATTACKS, ids=lambda value: getattr(value, "__name__", value))
def test_it_is_refused_for_its_own_reason_and_the_old_gallery_stays(
    scene: Scene, attack: Callable[[Scene], None], reason: str
) -> None:
    attack(scene)
    before = scene.front.people()
    for _ in ("now", "after a restart"):
        attempt = scene.front.attempt()
        assert (attempt.refused, attempt.changed) == (reason, False), attempt.text
        assert attempt.text
        assert scene.front.people() == before
    assert all(before.values())


def test_every_reason_has_its_attack() -> None:
    assert {reason for _, reason in ATTACKS} == set(FLEET_RESULTS) - _NO_ATTACK
