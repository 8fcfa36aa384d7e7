import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edged.errors import StoreCorruptError, StoreError
from edged.storage.key_file import KEY_BYTES
from edged.storage.vault import Vault


def vault_with_key(path: Path, key: bytes = bytes(range(32)), mode: int = 0o600) -> Vault:
    path.write_bytes(key)
    path.chmod(mode)
    return Vault.open(path, environ={})


def test_what_is_sealed_opens_again_under_its_context_only(tmp_path: Path) -> None:
    vault = vault_with_key(tmp_path / "key")
    sealed = vault.seal(b"plain", b"row 1")
    assert b"plain" not in sealed
    assert vault.unseal(sealed, b"row 1") == b"plain"
    with pytest.raises(StoreCorruptError):
        vault.unseal(sealed, b"row 2")


def test_every_flipped_bit_is_noticed(tmp_path: Path) -> None:
    vault = vault_with_key(tmp_path / "key")
    sealed = vault.seal(b"plain", b"row")
    for place in range(len(sealed) * 8):
        changed = bytearray(sealed)
        changed[place // 8] ^= 1 << place % 8
        with pytest.raises(StoreCorruptError):
            vault.unseal(bytes(changed), b"row")


@given(junk=st.binary(max_size=64))
def test_junk_never_opens(tmp_path_factory: pytest.TempPathFactory, junk: bytes) -> None:
    vault = vault_with_key(tmp_path_factory.mktemp("vault") / "key")
    with pytest.raises(StoreCorruptError):
        vault.unseal(junk, b"row")


def test_sealing_twice_gives_different_bytes(tmp_path: Path) -> None:
    vault = vault_with_key(tmp_path / "key")
    assert vault.seal(b"plain", b"row") != vault.seal(b"plain", b"row")


def test_another_key_opens_nothing_and_digests_differently(tmp_path: Path) -> None:
    one, other = vault_with_key(tmp_path / "one"), vault_with_key(tmp_path / "other", b"\x01" * 32)
    with pytest.raises(StoreCorruptError):
        other.unseal(one.seal(b"plain", b"row"), b"row")
    assert one.digest(b"photo") != other.digest(b"photo")


def test_digest_is_stable_and_of_its_own_key(tmp_path: Path) -> None:
    vault = vault_with_key(tmp_path / "key")
    again = Vault.open(tmp_path / "key", environ={})
    assert vault.digest(b"photo") == again.digest(b"photo")
    assert len(vault.digest(b"photo")) == 32


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o622])
def test_a_key_that_others_may_read_is_refused_with_the_remedy(tmp_path: Path, mode: int) -> None:
    with pytest.raises(StoreError, match=rf"mode is {mode:04o}.*chmod 600"):
        vault_with_key(tmp_path / "key", mode=mode)


@pytest.mark.parametrize("size", [0, 31, 33])
def test_a_key_of_another_size_is_refused(tmp_path: Path, size: int) -> None:
    with pytest.raises(StoreError, match="32 bytes"):
        vault_with_key(tmp_path / "key", bytes(size))


def test_a_missing_key_is_never_made_by_using_the_vault(tmp_path: Path) -> None:
    vault = Vault.open(tmp_path / "key", environ={})
    for use in (lambda: vault.seal(b"", b""), lambda: vault.unseal(b"", b""), lambda: vault.digest(b"")):
        with pytest.raises(StoreError, match="missing"):
            use()
    assert not (tmp_path / "key").exists()


def test_a_created_key_is_private_random_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "var" / "key"
    vault = Vault.open(path, environ={})
    vault.create_key()
    first = path.read_bytes()
    vault.create_key()
    assert path.read_bytes() == first
    assert len(first) == KEY_BYTES
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert list(path.parent.iterdir()) == [path]


def test_a_systemd_credential_goes_before_the_file(tmp_path: Path) -> None:
    credentials = tmp_path / "credentials"
    credentials.mkdir()
    (credentials / "edged-vault-key").write_bytes(b"\x07" * 32)
    (credentials / "edged-vault-key").chmod(0o440)  # how systemd shows an access list
    vault = Vault.open(tmp_path / "key", environ={"CREDENTIALS_DIRECTORY": str(credentials)})
    same = vault_with_key(tmp_path / "same", b"\x07" * 32)
    assert same.unseal(vault.seal(b"plain", b"row"), b"row") == b"plain"


def test_without_the_credential_the_file_counts(tmp_path: Path) -> None:
    vault_with_key(tmp_path / "key")
    vault = Vault.open(tmp_path / "key", environ={"CREDENTIALS_DIRECTORY": str(tmp_path / "none")})
    assert vault.key_file == tmp_path / "key"
