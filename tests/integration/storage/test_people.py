import os
import sqlite3
import stat
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from edged.domain.people import Consent, Distinction, Veto
from edged.domain.second_factor import FactorKind
from edged.errors import EnrolmentError, NotFoundError, StoreCorruptError, StoreError
from edged.storage import people_records
from edged.storage.connections import reading
from edged.storage.journal_reader import JournalReader
from edged.storage.people import NewTemplate, PeopleStore
from edged.storage.vault import Vault
from tests.integration.storage.conftest import unit

NAME = "Ada Augusta Lovelace"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "var" / "people.db"


@pytest.fixture
def store(path: Path, vault: Vault) -> Iterator[PeopleStore]:
    with PeopleStore.open(path, vault, writable=True) as opened:
        yield opened


def new(axis: int = 0, space: str = "toy/1", photo: bytes = b"d" * 32) -> NewTemplate:
    return NewTemplate(space, unit(axis), 0.75, photo)


def bytes_of(path: Path) -> bytes:
    return b"".join(file.read_bytes() for file in path.parent.glob(f"{path.name}*"))


def test_a_person_comes_back_as_stored(store: PeopleStore) -> None:
    consent = Consent(datetime(2026, 1, 2, tzinfo=UTC), "consent", "v3", datetime(2027, 1, 2, tzinfo=UTC))
    stored = store.add_person(
        "  Ada   Lovelace ",
        valid_from=datetime(2026, 1, 1, tzinfo=UTC),
        valid_until=datetime(2026, 6, 1, tzinfo=UTC),
        groups=["staff", "lab"],
        consent=consent,
    )
    assert stored.name == "Ada Lovelace"
    assert store.person(stored.person_id) == stored
    assert store.people() == [stored]
    assert stored.groups == {"staff", "lab"}
    assert stored.consent == consent


def test_made_ids_are_short_and_safe_in_a_topic(store: PeopleStore) -> None:
    ids = {store.add_person("A").person_id for _ in range(20)}
    assert len(ids) == 20
    for person_id in ids:
        assert person_id.startswith("p-")
        assert len(person_id) == 12
        assert person_id[2:].isalnum()
        assert person_id == person_id.lower()


def test_templates_come_back_bit_for_bit_and_read_only(store: PeopleStore) -> None:
    rng = np.random.default_rng(1)
    vector = rng.standard_normal(512).astype(np.float32)
    vector /= np.linalg.norm(vector)
    person = store.add_person("Ada")
    store.add_templates(person.person_id, [NewTemplate("toy/1", vector, 0.5, b"photo"), new(1, "toy/2")])
    (found,) = store.templates("toy/1")
    assert found.vector.dtype == np.float32
    assert np.array_equal(found.vector, vector)
    assert not found.vector.flags.writeable
    assert (found.person_id, found.quality, found.photo_digest) == (person.person_id, 0.5, b"photo")
    assert len(store.templates()) == 2
    assert store.templates("toy/3") == []


@pytest.mark.parametrize("scale", [0.0, 0.9, float("nan"), float("inf")])
def test_a_vector_that_is_not_unit_length_is_refused(store: PeopleStore, scale: float) -> None:
    person = store.add_person("Ada")
    with np.errstate(invalid="ignore"):
        bad = replace(new(), vector=unit(0) * np.float32(scale))
    with pytest.raises(ValueError, match="unit vector"):
        store.add_templates(person.person_id, [new(1), bad])
    assert store.templates() == []


def test_every_change_raises_the_generation_and_a_failed_one_does_not(store: PeopleStore) -> None:
    seen = [store.generation()]
    person = store.add_person("Ada")
    seen.append(store.generation())
    (template,) = store.add_templates(person.person_id, [new()])
    seen.append(store.generation())
    store.update_person(replace(person, name="Ada L"))
    seen.append(store.generation())
    store.remove_template(template.template_id)
    seen.append(store.generation())
    other = store.add_person("Ben")
    seen.append(store.generation())
    store.merge(other.person_id, person.person_id)
    seen.append(store.generation())
    store.forget(person.person_id)
    seen.append(store.generation())
    assert seen == list(range(8))
    with pytest.raises(NotFoundError):
        store.forget(person.person_id)
    assert store.generation() == 7


def test_nothing_personal_stands_in_the_files_in_the_open(store: PeopleStore, path: Path) -> None:
    person = store.add_person(NAME, groups=["secret-group"])
    store.add_templates(person.person_id, [new(photo=b"photo digest of somebody")])
    content = bytes_of(path)
    assert person.person_id.encode() in content
    for secret in (NAME, "secret-group", "photo digest"):
        assert secret.encode() not in content
    assert unit(0).tobytes()[:32] not in content


def test_forgetting_erases_the_bytes_from_database_and_wal(store: PeopleStore, path: Path) -> None:
    kept, gone = store.add_person("Ben"), store.add_person(NAME)
    store.add_templates(kept.person_id, [new(1)])
    store.add_templates(gone.person_id, [new(axis) for axis in range(20)])
    with reading(path) as connection:
        query = "SELECT sealed FROM {} WHERE person_id = ?1"
        query = f"{query.format('templates')} UNION {query.format('people')}"
        sealed = [row[0] for row in connection.execute(query, (gone.person_id,))]
    assert len(sealed) == 21
    before = bytes_of(path)
    assert all(record[-48:] in before for record in sealed)

    store.forget(gone.person_id)

    after = bytes_of(path)
    assert not any(record[-48:] in after for record in sealed)
    assert gone.person_id.encode() not in after
    assert store.people() == [kept]
    assert len(store.templates()) == 1


def test_forgetting_under_a_reader_says_that_bytes_remain_until_it_is_gone(
    store: PeopleStore, path: Path
) -> None:
    assert store._database is not None
    store._database.submit(
        lambda connection: connection.execute("PRAGMA busy_timeout = 50").fetchone(), transaction=False
    ).result()
    person = store.add_person(NAME)
    with reading(path) as reader:
        (sealed,) = reader.execute("SELECT sealed FROM people").fetchone()
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM people").fetchall()
        with pytest.raises(StoreError, match="a reader kept the old pages"):
            store.forget(person.person_id)
    assert store.people() == []
    assert sealed[-48:] in bytes_of(path)
    store.close()
    assert sealed[-48:] not in bytes_of(path)


def test_merging_moves_the_templates_and_removes_the_source(store: PeopleStore) -> None:
    source, into = store.add_person("Ada L"), store.add_person("Ada")
    store.add_templates(source.person_id, [new(0), new(1)])
    store.add_templates(into.person_id, [new(2)])
    store.merge(source.person_id, into.person_id)
    assert store.people() == [into]
    assert [int(np.argmax(template.vector)) for template in store.templates()] == [0, 1, 2]
    assert {template.person_id for template in store.templates()} == {into.person_id}


def test_merging_with_oneself_or_nobody_changes_nothing(store: PeopleStore) -> None:
    ada = store.add_person("Ada")
    with pytest.raises(EnrolmentError):
        store.merge(ada.person_id, ada.person_id)
    for pair in ((ada.person_id, "p-none"), ("p-none", ada.person_id)):
        with pytest.raises(NotFoundError):
            store.merge(*pair)
    assert store.people() == [ada]


def test_a_taken_id_a_bad_id_a_bad_name_and_a_bad_validity_are_refused(store: PeopleStore) -> None:
    store.add_person("Ada", person_id="ada")
    start = datetime(2026, 1, 1, tzinfo=UTC)
    refused = {
        "person_id_taken": {"name": "Ben", "person_id": "ada"},
        "bad_person_id": {"name": "Ben", "person_id": "a/b"},
        "bad_name": {"name": " \n "},
        "bad_validity": {"name": "Ben", "valid_from": start, "valid_until": start},
    }
    for reason, arguments in refused.items():
        with pytest.raises(EnrolmentError) as caught:
            store.add_person(**arguments)  # type: ignore[arg-type]
        assert caught.value.reason == reason
    assert len(store.people()) == 1


def test_a_consent_that_ends_at_no_known_moment_is_refused(store: PeopleStore) -> None:
    given_at = datetime(2026, 1, 1, tzinfo=UTC)
    with pytest.raises(EnrolmentError, match="time zone"):
        store.add_person("Ada", consent=Consent(given_at, "consent", "v3", given_at.replace(tzinfo=None)))


def veto(person_id: str, event_id: str = "01E1", axis: int = 5, space: str = "toy/1") -> Veto:
    return Veto(event_id, person_id, space, unit(axis), datetime(2026, 1, 1, tzinfo=UTC))


def test_vetoes_come_back_move_with_a_merge_and_go_with_the_person(store: PeopleStore, path: Path) -> None:
    ada, ben = store.add_person("Ada"), store.add_person("Ben")
    generation = store.generation()
    store.add_veto(veto(ada.person_id))
    store.add_veto(veto(ada.person_id, "01E2", 6, "toy/2"))
    assert store.generation() == generation + 2
    (found,) = store.vetoes("toy/1")
    assert (found.event_id, found.person_id, found.created_at) == (
        "01E1", ada.person_id, datetime(2026, 1, 1, tzinfo=UTC),
    )  # fmt: skip
    assert np.array_equal(found.vector, unit(5))
    assert unit(5).tobytes() not in bytes_of(path)
    store.merge(ada.person_id, ben.person_id)
    assert [one.person_id for one in store.vetoes()] == [ben.person_id] * 2
    assert len(store.contents("toy/1").vetoes) == 1
    store.remove_veto("01E2")
    with reading(path) as connection:
        ((sealed,),) = connection.execute("SELECT sealed FROM vetoes").fetchall()
    store.forget(ben.person_id)
    assert store.vetoes() == []
    assert sealed[-32:] not in bytes_of(path)


def test_the_same_event_vetoes_once_and_nobody_is_vetoed_for_a_stranger(store: PeopleStore) -> None:
    ada = store.add_person("Ada")
    store.add_veto(veto(ada.person_id))
    store.add_veto(veto(ada.person_id, axis=7))
    assert [int(np.argmax(one.vector)) for one in store.vetoes()] == [7]
    for ask in (lambda: store.add_veto(veto("p-none")), lambda: store.remove_veto("01NONE")):
        with pytest.raises(NotFoundError):
            ask()
    with pytest.raises(ValueError, match="unit vector"):
        store.add_veto(replace(veto(ada.person_id), vector=unit(1) * np.float32(0.5)))


def test_a_gallery_from_before_vetoes_is_read_and_gets_them_when_written(
    store: PeopleStore, path: Path, vault: Vault
) -> None:
    ada = store.add_person("Ada")
    assert store._database is not None
    store._database.submit(lambda connection: connection.execute("DROP TABLE vetoes").fetchall()).result()
    store.close()
    reader = PeopleStore.open(path, vault, writable=False)
    assert reader.vetoes() == []
    assert reader.contents().people == (ada,)
    with PeopleStore.open(path, vault, writable=True) as writer:
        writer.add_veto(veto(ada.person_id))
    assert len(reader.vetoes()) == 1


def test_a_damaged_or_moved_veto_names_its_person_and_can_be_forgotten(store: PeopleStore) -> None:
    ada = store.add_person(NAME)
    store.add_veto(veto(ada.person_id))
    flip(store, "vetoes", "sealed")
    with pytest.raises(StoreCorruptError, match=ada.person_id):
        store.vetoes()
    store.forget(ada.person_id)
    assert store.vetoes() == []


def test_what_was_said_of_two_is_sealed_and_damage_names_both(store: PeopleStore, path: Path) -> None:
    ada, ben = store.add_person("Ada"), store.add_person("Ben")
    pair = frozenset({ada.person_id, ben.person_id})
    store.add_distinction(Distinction(pair, "identical twins", datetime(2026, 3, 2, tzinfo=UTC)))
    store.add_distinction(Distinction(pair, "identical sisters", datetime(2026, 3, 3, tzinfo=UTC)))
    assert [said.reason for said in store.distinctions()] == ["identical sisters"]
    assert b"identical" not in bytes_of(path)
    with pytest.raises(NotFoundError):
        store.add_distinction(Distinction(frozenset({ada.person_id, "p-nobody"})))
    flip(store, "distinctions", "sealed")
    with pytest.raises(StoreCorruptError, match=ada.person_id):
        store.distinctions()
    store.remove_distinction(pair)
    assert store.distinctions() == []


def test_a_gallery_from_before_distinctions_is_read(store: PeopleStore, path: Path, vault: Vault) -> None:
    assert store._database is not None
    store._database.submit(
        lambda connection: connection.execute("DROP TABLE distinctions").fetchall()
    ).result()
    assert PeopleStore.open(path, vault, writable=False).distinctions() == []


def test_unknown_ids_are_not_found(store: PeopleStore) -> None:
    for ask in (
        lambda: store.person("p-none"),
        lambda: store.forget("p-none"),
        lambda: store.add_templates("p-none", [new()]),
        lambda: store.remove_template("t-none"),
        lambda: store.update_person(replace(store.add_person("A"), person_id="p-none")),
    ):
        with pytest.raises(NotFoundError):
            ask()


def test_a_reader_sees_an_empty_gallery_and_picks_it_up_once_made(path: Path, vault: Vault) -> None:
    reader = PeopleStore.open(path, vault, writable=False)
    assert (reader.generation(), reader.people(), reader.templates()) == (0, [], [])
    with PeopleStore.open(path, vault, writable=True) as writer:
        writer.add_person("Ada")
        assert reader.generation() == 1
    assert [person.name for person in reader.people()] == ["Ada"]
    assert reader.contents().generation == 1
    with pytest.raises(NotFoundError):
        reader.person("p-none")


def test_a_reader_does_not_write(path: Path, vault: Vault) -> None:
    reader = PeopleStore.open(path, vault, writable=False)
    with pytest.raises(StoreError, match="opened for reading"):
        reader.forget("p-1")
    assert not path.exists()


def test_two_commands_cannot_write_at_once(store: PeopleStore, path: Path, vault: Vault) -> None:
    with pytest.raises(StoreError, match="is writing"):
        PeopleStore.open(path, vault, writable=True, wait_seconds=0)


def test_a_missing_key_is_never_replaced(store: PeopleStore, path: Path, vault: Vault) -> None:
    store.add_person("Ada")
    store.close()
    vault.key_file.rename(vault.key_file.with_suffix(".away"))
    for writable in (True, False):
        fresh = Vault.open(vault.key_file, environ={})
        with pytest.raises(StoreError, match="key is missing"):
            PeopleStore.open(path, fresh, writable=writable)
    assert not vault.key_file.exists()
    vault.key_file.with_suffix(".away").rename(vault.key_file)
    again = PeopleStore.open(path, Vault.open(vault.key_file, environ={}), writable=False)
    assert len(again.people()) == 1


def test_another_key_is_named_as_such(store: PeopleStore, path: Path, vault: Vault) -> None:
    store.add_person("Ada")
    store.close()
    vault.key_file.write_bytes(b"\x01" * 32)
    for writable in (True, False):
        other = Vault.open(vault.key_file, environ={})
        with pytest.raises(StoreError, match="not the key that the gallery was sealed with"):
            PeopleStore.open(path, other, writable=writable)


def flip(store: PeopleStore, table: str, column: str) -> None:
    assert store._database is not None
    rows = f"SELECT rowid, {column} FROM {table}"

    def work(connection: object) -> None:
        ((row, sealed),) = connection.execute(rows).fetchall()  # type: ignore[attr-defined]
        changed = bytes([*sealed[:-1], sealed[-1] ^ 1])
        connection.execute(f"UPDATE {table} SET {column} = ? WHERE rowid = ?", (changed, row))  # type: ignore[attr-defined]

    store._database.submit(work).result()


def test_a_damaged_person_is_named_by_id_alone_and_can_be_forgotten(store: PeopleStore) -> None:
    person = store.add_person(NAME)
    flip(store, "people", "sealed")
    with pytest.raises(StoreCorruptError) as caught:
        store.people()
    assert person.person_id in str(caught.value)
    assert "Ada" not in str(caught.value)
    store.forget(person.person_id)  # though the error is still held here, and with it whoever met it
    assert store.people() == []


def test_a_damaged_template_names_its_person(store: PeopleStore) -> None:
    person = store.add_person(NAME)
    store.add_templates(person.person_id, [new()])
    flip(store, "templates", "sealed")
    with pytest.raises(StoreCorruptError, match=person.person_id):
        store.templates()


def test_a_record_moved_to_another_row_does_not_open(store: PeopleStore) -> None:
    ada, ben = store.add_person("Ada"), store.add_person("Ben")
    assert store._database is not None
    store._database.submit(
        lambda connection: connection.execute(
            "UPDATE people SET sealed = (SELECT sealed FROM people WHERE person_id = ?) WHERE person_id = ?",
            (ada.person_id, ben.person_id),
        )
    ).result()
    with pytest.raises(StoreCorruptError, match=ben.person_id):
        store.person(ben.person_id)


def test_a_template_of_another_space_does_not_open(store: PeopleStore, vault: Vault) -> None:
    person = store.add_person("Ada")
    (template,) = store.add_templates(person.person_id, [new(space="toy/1")])
    sealed = people_records.seal_template(vault, template)
    row = (template.template_id, template.person_id, "toy/2", sealed)
    with pytest.raises(StoreCorruptError):
        people_records.unseal_template(vault, row)


def test_database_and_key_are_private(store: PeopleStore, path: Path, vault: Vault) -> None:
    store.add_person("Ada")
    assert {stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()} == {0o600}
    assert vault.key_file.parent == path.parent


@pytest.mark.skipif(os.geteuid() == 0, reason="root may look everywhere")
def test_a_folder_we_may_not_enter_is_a_store_error(store: PeopleStore, path: Path, vault: Vault) -> None:
    path.parent.chmod(0)
    try:
        for ask in (store.people, vault.has_key, lambda: JournalReader.open(path)):
            with pytest.raises(StoreError, match="cannot be looked at"):
                ask()
    finally:
        path.parent.chmod(0o700)


def test_a_pin_is_checked_and_stands_nowhere(store: PeopleStore, path: Path) -> None:
    ada, ben = store.add_person("Ada").person_id, store.add_person("Ben").person_id
    assert store.factors(ada) == {}
    before = store.generation()
    store.set_factor(ada, FactorKind.PIN, "482913")
    store.set_factor(ada, FactorKind.BADGE, "04A1B2C3")
    assert store.generation() == before + 2
    found = store.factors(ada)
    assert found[FactorKind.PIN].accepts("482913")
    assert not found[FactorKind.PIN].accepts("482914")
    assert not found[FactorKind.PIN].accepts("")
    assert "482913" not in repr(found)
    assert b"482913" not in bytes_of(path)
    assert found[FactorKind.PIN].digest not in bytes_of(path)
    assert store.factor_kinds() == {ada: {FactorKind.PIN, FactorKind.BADGE}}
    assert store.factors(ben) == {}
    with pytest.raises(NotFoundError):
        store.set_factor("p-nobody", FactorKind.PIN, "482913")
    with pytest.raises(NotFoundError):
        store.remove_factor(ben, FactorKind.PIN)


def test_a_pin_goes_with_its_person_and_is_not_handed_on(store: PeopleStore) -> None:
    ada, ben = store.add_person("Ada").person_id, store.add_person("Ben").person_id
    for person_id in (ada, ben):
        store.set_factor(person_id, FactorKind.PIN, "482913")
    store.set_factor(ada, FactorKind.BADGE, "04A1B2C3")
    store.merge(ada, ben)
    assert store.factor_kinds() == {ben: {FactorKind.PIN}}
    store.remove_factor(ben, FactorKind.PIN)
    assert store.factors(ben) == {}
    store.set_factor(ben, FactorKind.PIN, "482913")
    store.forget(ben)
    assert store.factor_kinds() == {}


def test_a_pin_copied_onto_somebody_else_does_not_open(store: PeopleStore, path: Path, vault: Vault) -> None:
    ada, ben = store.add_person("Ada").person_id, store.add_person("Ben").person_id
    store.set_factor(ada, FactorKind.PIN, "482913")
    store.close()
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE factors SET person_id = ?", (ben,))
    connection.close()
    with pytest.raises(StoreCorruptError, match="pin"):
        PeopleStore.open(path, vault, writable=False).factors(ben)


def test_a_gallery_made_before_there_were_pins_has_none(store: PeopleStore, path: Path, vault: Vault) -> None:
    ada = store.add_person("Ada").person_id
    store.close()
    with sqlite3.connect(path) as connection:
        connection.execute("DROP TABLE factors")
    connection.close()
    old = PeopleStore.open(path, vault, writable=False)
    assert (old.factors(ada), old.factor_kinds()) == ({}, {})
    with PeopleStore.open(path, vault, writable=True) as anew:
        anew.set_factor(ada, FactorKind.PIN, "482913")
        assert anew.factor_kinds() == {ada: {FactorKind.PIN}}


@pytest.mark.parametrize("damage", ["NULL", "7", "'text'", "X''"])
def test_a_sealed_column_of_another_kind_is_damage(path: Path, vault: Vault, damage: str) -> None:
    """A flipped bit in a record's header changes types, whatever the table says."""
    with PeopleStore.open(path, vault, writable=True) as store:
        person_id = store.add_person("Ada").person_id
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE loose (person_id, sealed)")
    connection.execute(f"INSERT INTO loose VALUES ('{person_id}', {damage})")
    rows = connection.execute("SELECT sealed FROM loose").fetchall()
    connection.close()
    with pytest.raises(StoreCorruptError, match=f"person {person_id}: the stored record"):
        people_records.unseal_person(vault, person_id, rows[0][0])
    for none in (None, 7, "\udcff"):  # the same bit may be in the id's place
        with pytest.raises(StoreCorruptError, match=r"person (None|7|\\udcff): the stored record"):
            people_records.unseal_person(vault, none, rows[0][0])  # type: ignore[arg-type]


def test_a_record_with_text_that_is_none_is_damage(vault: Vault) -> None:
    vault.create_key()
    context = people_records._context("person", "p")
    for plain in (b"\x87\xa4name\xa4\xff\xff\xff\xff", b"\x91" * 5000, b""):
        with pytest.raises(StoreCorruptError, match="person p"):
            people_records.unseal_person(vault, "p", vault.seal(plain, context))
