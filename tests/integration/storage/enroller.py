"""A process that opens a gallery for writing, enrols a number of people and ends."""

import sys
from pathlib import Path

from edged.storage.people import PeopleStore
from edged.storage.vault import Vault


def main(path: Path, prefix: str, people: int) -> None:
    vault = Vault.open(path.with_name("vault.key"), environ={})
    for number in range(people):
        with PeopleStore.open(path, vault, writable=True, wait_seconds=60) as store:
            store.add_person(f"{prefix} {number}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
