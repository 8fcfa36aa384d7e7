"""The faces of visits: sealed, few, for a short time, and gone with the person."""

import os
import stat
import time
from pathlib import Path

import numpy as np
import pytest

from edged.config.sections import GalleryConfig
from edged.errors import NotFoundError, StoreCorruptError, StoreError
from edged.storage.probes import Probe, ProbeStore, probes_folder
from edged.storage.vault import Vault
from tests.integration.storage.conftest import unit


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "var" / "people-probes"


@pytest.fixture
def keyed(vault: Vault) -> Vault:
    vault.create_key()
    return vault


def opened(folder: Path, vault: Vault, *, keep_seconds: float = 3600, most: int = 10) -> ProbeStore:
    return ProbeStore(folder, vault, keep_seconds=keep_seconds, most=most)


def probe(number: int, person_id: str = "p-ada") -> Probe:
    return Probe(f"01KJQ{number:04d}", person_id, "toy/1", unit(number % 64))


def aged(folder: Path, number: int, seconds: float) -> None:
    (path,) = folder.glob(f"01KJQ{number:04d}~*")
    os.utime(path, (time.time() - seconds,) * 2)


def test_a_probe_comes_back_and_nothing_of_it_is_readable(folder: Path, keyed: Vault) -> None:
    opened(folder, keyed).keep(probe(3))
    found = opened(folder, keyed).find("01KJQ0003")
    assert (found.person_id, found.space) == ("p-ada", "toy/1")
    assert np.array_equal(found.vector, unit(3))
    assert not found.vector.flags.writeable
    (path,) = folder.iterdir()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert b"toy/1" not in path.read_bytes()
    assert unit(3).tobytes()[:64] not in path.read_bytes()


def test_only_so_many_are_kept_and_none_too_long(folder: Path, keyed: Vault) -> None:
    store = opened(folder, keyed, most=3)
    for number in range(5):
        store.keep(probe(number))
        aged(folder, number, 100 - number)
    store.prune()
    assert sorted(path.name[:9] for path in folder.iterdir()) == ["01KJQ0002", "01KJQ0003", "01KJQ0004"]
    aged(folder, 3, 3601)
    with pytest.raises(NotFoundError, match="probe_hours"):
        store.find("01KJQ0003")
    assert len(list(folder.iterdir())) == 2


def test_zero_hours_keep_nothing_and_clear_what_there_was(folder: Path, keyed: Vault) -> None:
    opened(folder, keyed).keep(probe(1))
    none = opened(folder, keyed, keep_seconds=0)
    assert not none.keeps
    none.keep(probe(2))
    assert list(folder.iterdir()) == []


def test_forgetting_overwrites_and_removes_those_of_the_person_alone(
    folder: Path, keyed: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = opened(folder, keyed)
    store.keep(probe(1))
    store.keep(probe(2, "p-ben"))
    (path,) = folder.glob("*~p-ada.probe")
    os.link(path, folder.parent / "kept")  # the same bytes on the disk, under a name that stays
    assert store.forget("p-ada") == 1
    assert set((folder.parent / "kept").read_bytes()) == {0}
    assert [one.name for one in folder.iterdir()] == ["01KJQ0002~p-ben.probe"]
    store.retain({"p-cy"})
    assert list(folder.iterdir()) == []


def test_a_damaged_or_renamed_probe_does_not_open_and_is_forgotten_all_the_same(
    folder: Path, keyed: Vault
) -> None:
    store = opened(folder, keyed)
    store.keep(probe(1))
    (path,) = folder.iterdir()
    path.rename(folder / path.name.replace("p-ada", "p-ben"))
    with pytest.raises(StoreCorruptError, match="01KJQ0001"):
        store.find("01KJQ0001")
    assert store.forget("p-ben") == 1


def test_leftovers_of_a_power_cut_and_other_files_are_told_apart(folder: Path, keyed: Vault) -> None:
    store = opened(folder, keyed)
    store.keep(probe(1))
    (folder / ".abc.new").write_bytes(b"half")
    (folder / "notes.txt").write_text("mine")
    os.utime(folder / ".abc.new", (0, 0))
    assert store.find("01KJQ0001").person_id == "p-ada"
    assert sorted(path.name for path in folder.iterdir()) == ["01KJQ0001~p-ada.probe", "notes.txt"]


def test_without_a_key_nothing_is_kept_and_without_a_folder_nothing_is_there(
    folder: Path, vault: Vault
) -> None:
    store = opened(folder, vault)
    with pytest.raises(StoreError, match="key is missing"):
        store.keep(probe(1))
    store.prune()
    assert store.forget("p-ada") == 0
    assert not folder.exists()


def test_the_store_of_a_gallery_lies_beside_it(tmp_path: Path, keyed: Vault) -> None:
    gallery = GalleryConfig(path=tmp_path / "people.db", probe_hours=1)
    assert probes_folder(gallery.path) == tmp_path / "people-probes"
    ProbeStore.of(gallery, keyed).keep(probe(1))
    assert len(list((tmp_path / "people-probes").iterdir())) == 1
