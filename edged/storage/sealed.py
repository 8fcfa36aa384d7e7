"""From a sealed column to a record: whatever the column holds."""

from typing import TypeVar

import msgspec

from edged.errors import StoreCorruptError
from edged.storage.vault import Vault

T = TypeVar("T")


def opened(vault: Vault, sealed: object, context: bytes, kind: type[T]) -> T:
    """Return the record of ``kind`` that was sealed for ``context``.

    Raises ``StoreCorruptError``: a damaged row may hold a number or nothing in place of bytes, and what
    another version sealed is perhaps not of this kind. Raises ``StoreError`` without a key.
    """
    if not isinstance(sealed, bytes):
        raise StoreCorruptError(f"sealed record: expected bytes, got {type(sealed).__name__}")
    plain = vault.unseal(sealed, context)
    try:
        return msgspec.msgpack.decode(plain, type=kind)
    except (msgspec.MsgspecError, ValueError, RecursionError) as exc:
        # Text that is not UTF-8 is a ValueError of the decoder's, and no error of msgspec.
        raise StoreCorruptError("sealed record: not of the expected kind") from exc
