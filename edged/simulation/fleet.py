"""What happens to a fleet in a year, in a few minutes, with a clock running."""

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import msgspec
import numpy as np

from edged.config.sections import MqttConfig
from edged.domain.count import counted
from edged.domain.shards import collision_level
from edged.errors import FleetError
from edged.fleet.broker import BrokerClient
from edged.fleet.joining import Invitation
from edged.membership.identity import create_identity
from edged.publishing.doors import add_doors, remove_door
from edged.publishing.founding import found, keyring
from edged.publishing.hearing import DoorWord, Hearing
from edged.publishing.planning import Wanted
from edged.publishing.pushing import Push
from edged.publishing.release import FleetFolder
from edged.publishing.rotation import rotate
from edged.simulation.crowd import CALIBRATION, DIMENSION, SPACE, crowd, somebody
from edged.simulation.house import House
from edged.storage.vault import Vault

SITE, GROUP = "simulation", "doors"
_PASSPHRASE = b"of a fleet that does not exist"
_WAIT_SECONDS = 1200.0

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that happened: ``seconds`` until every door had it in force and said so.

    ``sent`` bytes went to the broker, ``received`` bytes to all doors; ``cpu`` seconds are of one door, and
    so are ``faults``, the pages of memory that were given or mapped anew.
    """

    what: str
    seconds: float
    sent: int
    received: int
    cpu: float
    faults: float


class SimulatedFleet:
    """A publisher and ``doors`` doors in ``folder``, at a broker on ``port``; a context."""

    def __init__(self, folder: Path, port: int, *, doors: int, people: int, say: Say) -> None:
        # Fifty doors share one interpreter here: a thread may wait for longer than a door alone ever does.
        self._broker = MqttConfig(
            port=port, reconnect_min_seconds=0.1, reconnect_max_seconds=1.0, keepalive_seconds=600
        )
        self._say = say
        self._random = np.random.default_rng(1)
        self.folder = FleetFolder(folder / "fleet", keyring(folder / "fleet", _PASSPHRASE))
        found(
            self.folder, site=SITE, prefix="edged", broker=self._broker, root_keys=3, threshold=2,
            group=GROUP, models={},
        )  # fmt: skip
        say(counted(doors, "door"))
        self._houses = self._build(folder, [f"door-{number:03}" for number in range(doors)])
        say(counted(people, "person", "people"))
        self._records = {record.id: record for record in crowd(people)}
        client = BrokerClient(self._broker, client_id="simulation-hears", will=None)
        self._hearing = Hearing(self.folder.register.read(), client)

    def __enter__(self) -> Self:
        self._hearing.connect()
        return self

    def __exit__(self, *_: object) -> None:
        self._hearing.close()
        for house in {id(house): house for house in self._houses.values()}.values():
            house.close()

    def _build(self, folder: Path, names: Sequence[str]) -> dict[str, House]:
        cards = []
        for name in names:
            identity = create_identity(folder / name / "identity", Vault.open(folder / name / "vault.key"))
            cards.append(identity.card(SITE, name, SPACE))
        invitations = add_doors(self.folder, cards, GROUP)
        count = max(1, min(len(names), os.cpu_count() or 1))
        houses: dict[str, House] = {}
        for start in range(count):
            share: list[tuple[Path, Invitation]] = [
                (folder / invitation.door, invitation) for invitation in invitations[start::count]
            ]
            house = House(share, self._broker)
            houses |= {invitation.door: house for _, invitation in share}
        return houses

    def first_publish(self) -> Step:
        """Send everybody to every door."""
        return self._measured("first publish", self._publish)

    def change_one(self) -> Step:
        """Give one person new photographs."""
        person_id = min(self._records)
        self._records[person_id] = somebody(self._random, person_id)
        return self._measured("one person changed", self._publish)

    def revoke(self) -> Step:
        """Deny one person at once."""
        return self._measured("one person denied", lambda: self.folder.deny(GROUP, [max(self._records)]))

    def forget(self) -> Step:
        """Erase one person everywhere."""
        person_id = sorted(self._records)[len(self._records) // 2]
        del self._records[person_id]
        return self._measured("one person forgotten", lambda: self.folder.forget(GROUP, person_id))

    def absent_and_back(self) -> Step:
        """Switch a door off while somebody is denied and somebody joins; the time is from its return."""
        name = min(self._houses)
        house = self._houses[name]
        house.stop_door(name)
        self._records["p-new"] = somebody(self._random, "p-new")
        self.folder.deny(GROUP, ["p-000003"])
        self._publish()
        self._push()
        self._await([door for door in self._houses if door != name])
        return self._measured("a door came back", lambda: house.start_door(name))

    def rotate(self, key: str) -> Step:
        """Replace a key."""
        return self._measured(f"{key} key replaced", lambda: rotate(self.folder, key), again=True)

    def remove_one(self) -> Step:
        """Take a door out: the others get a new secret, and what comes after is not for it."""
        name = max(self._houses)
        self._houses.pop(name).stop_door(name)

        def act() -> None:
            remove_door(self.folder, name)
            person_id = sorted(self._records)[1]
            self._records[person_id] = somebody(self._random, person_id)
            self._publish()

        return self._measured("a door left", act)

    def refusals(self) -> list[str]:
        """Return what any door refused."""
        return [text for house in self._own_houses() for text in house.report().refusals]

    def rss_mb(self) -> float:
        """Return the memory of all doors in MB, at its highest."""
        return sum(house.report().rss for house in self._own_houses()) / 1024

    def _own_houses(self) -> list[House]:
        return list({id(house): house for house in self._houses.values()}.values())

    def _publish(self) -> None:
        level = collision_level(CALIBRATION, len(self._records))
        wanted = Wanted(list(self._records.values()), SPACE, DIMENSION, allow_shrink=True, too_close=level)
        self.folder.publish(GROUP, wanted)

    def _push(self) -> int:
        client = BrokerClient(self._broker, client_id="simulation-publisher", will=None)
        try:
            return Push(self.folder, GROUP, client).run().bytes
        finally:
            client.close(goodbye=True)

    def _measured(self, what: str, act: Callable[[], object], *, again: bool = False) -> Step:
        self._say(what)
        houses = self._own_houses()
        before = [house.report() for house in houses]
        start = time.monotonic()
        act()
        if again:  # nothing changes for anybody but a person, which shows that the new key is believed
            self.change_records()
            self._publish()
        sent = self._push()
        self._await(list(self._houses))
        seconds = time.monotonic() - start
        after = [house.report() for house in houses]
        doors = max(1, len(self._houses))
        cpu = sum(now.cpu - then.cpu for now, then in zip(after, before, strict=True)) / doors
        faults = sum(now.faults - then.faults for now, then in zip(after, before, strict=True)) / doors
        received = sum(now.received - then.received for now, then in zip(after, before, strict=True))
        return Step(what, seconds, sent, max(0, received), cpu, faults)

    def change_records(self) -> None:
        """Give one person new photographs."""
        person_id = sorted(self._records)[2]
        self._records[person_id] = somebody(self._random, person_id)

    def _await(self, doors: Sequence[str]) -> None:
        """Hear until all of ``doors`` say that the newest is in force. Raises ``FleetError``."""
        entry = self.folder.register.read().group(GROUP)
        deadline = time.monotonic() + _WAIT_SECONDS
        late = set(doors)
        while late:
            late = {
                door
                for door in late
                if not _has(self._hearing.doors[door], entry.version, entry.denied_version)
            }
            if time.monotonic() >= deadline:
                word = self._hearing.doors[min(late)].receipt
                said = None if word is None else msgspec.to_builtins(word)
                raise FleetError(f"{len(late)} doors are behind, {min(late)} said {said}")
            if late:
                self._hearing.listen(0.05)


def _has(word: DoorWord, version: int, denied: int) -> bool:
    receipt = word.receipt
    return receipt is not None and receipt.version >= version and receipt.denied >= denied
