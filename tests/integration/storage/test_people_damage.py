"""A gallery whose bytes were hurt is refused, or is what it was: nobody appears, is changed or left out."""

from pathlib import Path

import numpy as np
import pytest

from edged.enrolment.distinctions import Distinction
from edged.errors import StoreError
from edged.storage.people import PeopleStore
from edged.storage.vault import Vault
from tests.integration.storage.test_people import new, path, veto

__all__ = ["path"]
PAGE = 4096


@pytest.fixture
def gallery(path: Path, vault: Vault) -> Path:
    with PeopleStore.open(path, vault, writable=True) as store:
        people = [store.add_person(f"Person {number}") for number in range(12)]
        for number, person in enumerate(people):
            store.add_templates(person.person_id, [new(number), new(number + 20)])
            store.add_veto(veto(person.person_id, f"01E{number}", 50))
        store.add_distinction(Distinction(frozenset(each.person_id for each in people[:2])))
    return path


def contents(path: Path, vault: Vault) -> object:
    """What a daemon makes of the file."""
    with PeopleStore.open(path, vault, writable=False) as store:
        return (
            store.people(),
            [(each.template_id, each.person_id, each.vector.tobytes()) for each in store.templates()],
            [(each.event_id, each.person_id, each.vector.tobytes()) for each in store.vetoes()],
            store.distinctions(),
        )


def _all(whole: bytes, text: bytes) -> list[int]:
    return [at for at in range(len(whole)) if whole.startswith(text, at)]


def damages(whole: bytes) -> list[bytes]:
    """Every page zeroed, every page missing to the end, and single bits where they do harm."""
    chance = np.random.default_rng(1)
    found = []
    for at in range(0, len(whole), PAGE):
        found += [whole[:at] + bytes(PAGE) + whole[at + PAGE :], whole[: at + chance.integers(PAGE)]]
    heads = [page + byte for page in range(0, len(whole), PAGE) for byte in range(40)]
    names = [at + byte for at in _all(whole, b"vetoes") for byte in range(6)]
    for at in (*chance.integers(len(whole), size=100), *heads, *names, *names):
        hurt = bytearray(whole)
        hurt[at] ^= 1 << int(chance.integers(8))
        found.append(bytes(hurt))
    return found


def test_no_damage_adds_changes_or_leaves_out_anybody(gallery: Path, vault: Vault) -> None:
    whole, before = gallery.read_bytes(), contents(gallery, vault)
    refused = 0
    silent = []
    for number, hurt in enumerate(damages(whole)):
        gallery.write_bytes(hurt)
        try:
            after = contents(gallery, vault)
        except StoreError:
            refused += 1
            continue
        if after != before:
            silent.append((number, [len(x) for x in after]))
    assert silent == []
    assert refused > 100
