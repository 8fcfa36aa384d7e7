"""The gallery, its sealed records, and what is left of a damaged journal."""

import json
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from edged.config.sections import JournalConfig
from edged.domain.people import Consent, Distinction, Person, Template, Veto
from edged.domain.second_factor import FactorKind
from edged.domain.types import Event, EventKind, Gate
from edged.errors import NotFoundError, StoreError
from edged.storage import distinctions, factors, people_records
from edged.storage.journal import Journal
from edged.storage.journal_reader import JournalReader
from edged.storage.journal_rows import checksum, decode
from edged.storage.people import PeopleStore
from edged.storage.people_records import NewTemplate, seal_person, seal_template, seal_veto
from edged.storage.remains import Remains
from edged.storage.salvage import Salvage
from edged.storage.vault import KEY_BYTES, Vault
from tests.fuzz.target import Target, attempt, put

_PAGE = 512
_EPOCH = "e" * 26


class _Key:
    """One vault for a folder."""

    made: dict[Path, Vault] = {}  # noqa: RUF012 - one a process


def _vault(folder: Path) -> Vault:
    if folder not in _Key.made:
        path = folder / "vault.key"
        put(path, b"k" * KEY_BYTES)
        _Key.made[folder] = Vault.open(path, environ={})
    return _Key.made[folder]


def _vector(dimension: int = 16) -> "np.ndarray[Any, np.dtype[np.float32]]":
    return np.eye(1, dimension, dtype=np.float32)[0]


def _sealed(data: bytes, folder: Path) -> None:
    """``data`` as it stands, and as the plain text of a record that is sealed rightly."""
    vault = _vault(folder)
    for row in (data, vault.seal(data, people_records._context("person", "p"))):
        attempt(people_records.unseal_person, vault, "p", row)
    context = people_records._context("template", "t", "p", "s")
    attempt(people_records.unseal_template, vault, ("t", "p", "s", vault.seal(data, context)))
    context = people_records._context("veto", "e", "p", "s")
    attempt(people_records.unseal_veto, vault, ("e", "p", "s", vault.seal(data, context)))
    attempt(distinctions._unseal, vault, "a", "b", vault.seal(data, distinctions._context("a", "b")))
    factors._unseal(vault, "p", "pin", vault.seal(data, factors._context("p", "pin")))


def _sealed_seeds(folder: Path) -> Iterator[bytes]:
    vault = _vault(folder)
    person = Person("p", "Zoë", groups=frozenset({"staff"}), consent=Consent(_moment(), "consent", "1"))
    yield seal_person(vault, person)
    yield vault.unseal(seal_person(vault, person), people_records._context("person", "p"))
    template = Template("t", "p", "s", _vector(), 0.5, b"d" * 32, _moment())
    yield vault.unseal(seal_template(vault, template), people_records._context("template", "t", "p", "s"))
    veto = Veto("e", "p", "s", _vector(), _moment())
    yield vault.unseal(seal_veto(vault, veto), people_records._context("veto", "e", "p", "s"))
    yield msgspec.msgpack.encode({"reason": "twins", "created_at": None})
    yield msgspec.msgpack.encode({"salt": b"s" * 16, "digest": b"d" * 64, "created_at": None})


def _moment() -> Any:
    from datetime import UTC, datetime

    return datetime(2026, 3, 2, 12, tzinfo=UTC)


def _gallery(data: bytes, folder: Path) -> None:
    path = put(folder / "people.db", data)
    vault = _vault(folder)
    with PeopleStore.open(path, vault, writable=False) as store:
        reads: tuple[Callable[[], object], ...] = (
            store.generation, store.people, store.templates, store.vetoes, store.distinctions, store.contents,
            store.factor_kinds, lambda: store.factors("p-1"),
        )  # fmt: skip
        for read in reads:
            attempt(read)


def _gallery_seeds(folder: Path) -> Iterator[bytes]:
    path = folder / "seed" / "people.db"
    path.parent.mkdir(exist_ok=True)
    with PeopleStore.open(path, _vault(folder), writable=True) as store:
        ids = []
        for name in ("Ada", "Zoë"):
            person = store.add_person(name, person_id=f"p-{len(ids) + 1}")
            store.add_templates(person.person_id, [NewTemplate("s", _vector(), 0.5, b"d" * 32)])
            ids.append(person.person_id)
        store.set_factor(ids[0], FactorKind.PIN, "4711")
        store.add_distinction(Distinction(frozenset(ids), "twins"))
    yield _compact(path)
    shutil.rmtree(path.parent)


def _compact(path: Path) -> bytes:
    """The database with the smallest pages, so that a change hits something."""
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode = DELETE")
    connection.execute(f"PRAGMA page_size = {_PAGE}")
    connection.execute("VACUUM")
    connection.close()
    return path.read_bytes()


def _salvage(data: bytes, folder: Path) -> None:
    """The first byte says whether the rest is the database, its log, or both, one behind the other."""
    remains = Remains(folder, "journal.db", "", _EPOCH, "d", "r")
    body, part = data[1:], data[:1]
    if part < b"\x40":
        main, wal = body, b""
    elif part < b"\x80":
        main, wal = b"", body
    else:
        main, wal = body[: len(body) // 2], body[len(body) // 2 :]
    put(remains.main, main)
    put(remains.wal, wal)
    with Salvage(remains) as salvage:
        for row in islice(salvage.rows(50), 200):
            attempt(row.stored)


def _salvage_seeds(folder: Path) -> Iterator[bytes]:
    path = folder / "seed" / "journal.db"
    path.parent.mkdir(exist_ok=True)
    journal = Journal.open(JournalConfig(path=path))
    for number in range(6):
        journal.submit([_event(number)]).result()
    journal.quarantine(2, "too large")
    wal = path.with_name("journal.db-wal").read_bytes()
    journal.close()
    yield b"\x50" + wal[:12_000]
    yield b"\x00" + _compact(path)
    shutil.rmtree(path.parent)


def _event(number: int) -> Event:
    return Event(
        f"01KJQ{number:021d}",
        EventKind.ACCESS,
        1_772_452_800.0 + number,
        number / 3,
        "boot",
        time_synced=True,
        person_id="p",
        body={"note": "x" * (900 if number == 3 else 5)},
        trace=(Gate("score", 0.5, 0.4, passed=True),),
    )


def _rows(data: bytes, _folder: Path) -> None:
    """Columns of a row, under the right checksum: JSON, a list of nine."""
    try:
        covered = json.loads(data)
    except (ValueError, RecursionError):
        return
    if isinstance(covered, list) and len(covered) == 9:
        try:
            right = checksum(_EPOCH, 1, covered)
        except RecursionError:  # the column is JSON itself there, and no column of a database nests
            return
        decode(_EPOCH, (1, *covered, right, b"d"))


def _row_seeds(_folder: Path) -> Iterator[bytes]:
    yield json.dumps(
        ["01KJQ", "access", 1.5, 2.5, "boot", 1, "p", '{"a":[1]}', '[["score",0.5,0.4,true]]']
    ).encode()


def _journal_seeds(folder: Path) -> Iterator[bytes]:
    _, database = _salvage_seeds(folder)
    yield database[1:]


def _journal(data: bytes, folder: Path) -> None:
    """A journal as a reader finds it."""
    path = put(folder / "journal.db", data)
    with JournalReader.open(path, on_damage=lambda _: None) as reader:
        for _ in islice(reader.events(), 50):
            pass


TARGETS = (
    Target("sealed-records", _sealed, _sealed_seeds, (StoreError,), 2048),
    Target("gallery", _gallery, _gallery_seeds, (StoreError, NotFoundError), 32_768),
    Target("journal", _journal, _journal_seeds, (StoreError,), 32_768),
    Target("journal-salvage", _salvage, _salvage_seeds, (StoreError,), 32_768),
    Target("journal-rows", _rows, _row_seeds, (StoreError,), 2048),
)  # fmt: skip
