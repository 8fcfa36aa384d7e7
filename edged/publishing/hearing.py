"""What the doors of a fleet say, as the broker retains it: are they there, and which gallery have they."""

import time
from dataclasses import dataclass
from typing import Any, Self

import msgspec

from edged.errors import FleetError
from edged.fleet.broker import BrokerClient, Disconnected
from edged.fleet.connection import Arrived
from edged.fleet.receipt_messages import GalleryReceipt, checked_receipt
from edged.publishing.connecting import await_broker
from edged.publishing.leaving import joined
from edged.publishing.register import Fleet, Forgotten
from edged.publishing.release import FleetFolder


@dataclass(slots=True)
class DoorWord:
    """The last words of one door. ``receipt`` is checked; the rest is what the broker says."""

    availability: str | None = None
    birth: dict[str, Any] | None = None
    health: dict[str, Any] | None = None
    receipt: GalleryReceipt | None = None
    forged: str | None = None


class Hearing:
    """Listens to all doors of a fleet; for one thread. ``close`` it."""

    def __init__(self, fleet: Fleet, client: BrokerClient) -> None:
        self._fleet = fleet
        self._client = client
        self._root = f"{fleet.prefix}/{fleet.site}/"
        self.doors: dict[str, DoorWord] = {name: DoorWord() for name in fleet.doors}
        for part in ("availability", "birth", "health", "gallery/receipt"):
            client.subscribe(f"{self._root}+/{part}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Leave the broker."""
        self._client.close(goodbye=True)

    def connect(self) -> None:
        """Wait for the broker. Raises ``FleetError``."""
        await_broker(self._client)

    def listen(self, seconds: float) -> bool:
        """Hear for up to ``seconds``; say whether anything came. Raises ``FleetError`` on a loss."""
        came = False
        for happening in self._client.poll(seconds):
            if isinstance(happening, Disconnected):
                raise FleetError(f"the connection to the broker was lost: {happening.text}")
            if isinstance(happening, Arrived):
                came = self._take(happening) or came
        return came

    def settle(self, quiet: float = 0.5, most: float = 5.0) -> None:
        """Hear all that the broker retains: until nothing came for ``quiet`` seconds, for ``most`` at most.

        Raises ``FleetError``.
        """
        end = time.monotonic() + most
        quiet_at = time.monotonic() + quiet
        while time.monotonic() < min(end, quiet_at):
            if self.listen(0.1):
                quiet_at = time.monotonic() + quiet

    def _take(self, message: Arrived) -> bool:
        door, _, part = message.topic.removeprefix(self._root).partition("/")
        word = self.doors.get(door)
        if word is None:
            return False
        if part == "gallery/receipt":
            self._receipt(door, word, message.payload)
        elif part == "availability":
            word.availability = message.payload[:20].decode("ascii", "replace") or None
        elif part in ("birth", "health"):
            setattr(word, part, _object(message.payload))
        return True

    def version_of(self, door: str) -> int:
        """Return the version of its own group that a door has in force; 0: none, or not one of ours.

        One above the newest that was published is none of this desk.
        """
        word = self.doors.get(door)
        receipt = None if word is None else word.receipt
        if receipt is None or receipt.group != self._fleet.door(door).group:
            return 0
        return receipt.version if receipt.version <= self._fleet.group(receipt.group).version else 0

    def _receipt(self, door: str, word: DoorWord, payload: bytes) -> None:
        try:
            receipt = checked_receipt(payload, self._fleet.doors[door].card.signing)
        except FleetError as exc:
            word.forged = str(exc)
            return
        if (receipt.site, receipt.door) != (self._fleet.site, door):
            word.forged = f"the receipt of door {receipt.door}"
        elif word.receipt is None or self._order(receipt) >= self._order(word.receipt):
            word.receipt, word.forged = receipt, None

    def _order(self, receipt: GalleryReceipt) -> tuple[bool, int, float]:
        """Return what the newest has most of. A door that joins another group counts from the start."""
        mine = receipt.group == self._fleet.doors[receipt.door].group
        return mine, receipt.revision, receipt.said_at


def carried_out(item: Forgotten, receipts: dict[str, GalleryReceipt], newest: int) -> Forgotten:
    """Return a removal with every door confirmed that has a gallery without the person in force.

    One above ``newest``, the newest that was published, is somebody else's.
    """
    for door in item.open:
        receipt = receipts.get(door)
        if (
            receipt is not None
            and receipt.group == item.group
            and 0 < item.version <= receipt.version <= newest
        ):
            item = confirmed(item, door)
    return item


def confirmed(item: Forgotten, door: str) -> Forgotten:
    """Return the removal with one more door that has carried it out, now."""
    return msgspec.structs.replace(item, confirmed={**item.confirmed, door: time.time()})


def _object(payload: bytes) -> dict[str, Any] | None:
    try:
        return msgspec.json.decode(payload, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def await_version(hearing: Hearing, doors: tuple[str, ...], version: int, seconds: float) -> None:
    """Wait until each of ``doors`` has ``version`` of its group in force.

    Raises ``FleetError`` where one has not.
    """
    deadline = time.monotonic() + seconds
    while True:
        late = [door for door in doors if hearing.version_of(door) < version]
        if not late:
            return
        if time.monotonic() >= deadline:
            why = "; ".join(f"{door}: {_last_word(hearing.doors.get(door))}" for door in late)
            raise FleetError(f"version {version} stays with the canaries, the others keep theirs: {why}")
        hearing.listen(0.2)


def _last_word(word: DoorWord | None) -> str:
    if word is None:
        return "not a door of this fleet"
    receipt = word.receipt
    if receipt is None:
        return word.forged or "said nothing"
    if receipt.refused is not None:
        return f"refused it, {receipt.refused}: {receipt.text}"
    return f"has version {receipt.version} of group {receipt.group}"


def enter_receipts(folder: FleetFolder, hearing: Hearing) -> Fleet:
    """Enter in the register which doors have confirmed a removal, or joined; return it.

    Raises ``StoreError``.
    """
    said = {name: word.receipt for name, word in hearing.doors.items() if word.receipt is not None}
    with folder.alone():
        register = folder.register.read()
        items = [
            carried_out(item, said, register.group(item.group).version)
            if item.group in register.groups
            else item
            for item in register.forgotten
        ]
        heard = joined(msgspec.structs.replace(register, forgotten=items), said)
        if heard != register:
            folder.register.write(heard)
    return heard
