"""Opens what was sealed for one door."""

from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from edged.errors import FleetError
from edged.fleet.gallery_format import Keys, Shard, ShardEntry, decode
from edged.fleet.gallery_seal import BlobName, unseal, unwrap


@dataclass(frozen=True, slots=True)
class Member:
    """Which door of which group this is, and the key that opens what is meant for it."""

    site: str
    door: str
    group: str
    sealing: X25519PrivateKey


class Opener:
    """Opens blobs with the secrets that ``keys`` wraps for one door."""

    def __init__(self, member: Member, keys: Keys) -> None:
        if keys.group != member.group:
            raise FleetError(f"keys of group {keys.group!r}, this door belongs to {member.group!r}")
        self._member = member
        self._keys = keys
        self._secrets: dict[int, bytes] = {}

    def open(self, sealed: bytes, part: str, space: str, version: int, epoch: int) -> bytes:
        """Return what a blob holds. Raises ``FleetError``."""
        name = BlobName(self._member.group, space, part, version, epoch)
        return unseal(sealed, self._secret(epoch), name)

    def shard(self, sealed: bytes, entry: ShardEntry, space: str) -> Shard:
        """Return the people of one shard. Raises ``FleetError``."""
        part = f"shard-{entry.number}"
        return decode(self.open(sealed, part, space, entry.version, entry.epoch), Shard)

    def _secret(self, epoch: int) -> bytes:
        if epoch not in self._secrets:
            member = self._member
            wrapped = self._keys.wrapped.get(str(epoch), {}).get(member.door)
            if wrapped is None:
                raise FleetError(f"the group's secret of epoch {epoch} is not meant for door {member.door}")
            self._secrets[epoch] = unwrap(
                wrapped, member.sealing, group=member.group, epoch=epoch, door=member.door
            )
        return self._secrets[epoch]
