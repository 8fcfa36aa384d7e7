"""A damaged database read without SQLite: pages, cells and records by the file format alone.

Sources: sqlite.org/fileformat2.html (sections 1.3, 1.6, 2.1 and 4). The library refuses a file whose
header is gone or whose tree is broken, while the rows still stand in its leaves. Every length is checked
against the bytes that are there: what is read here is damaged by definition.
"""

import struct
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from edged.errors import StoreError

DEFAULT_PAGE_BYTES = 4096  # SQLite's own since 3.12; no journal was made with another
TABLE_LEAF = 0x0D
TABLE_INTERIOR = 0x05
# Above the largest event (fleet.messages.MAX_PAYLOAD_BYTES) several times over.
_MAX_RECORD_BYTES = 1 << 20
# A record is looked at three times at most, and has its overflow pages for itself; where thousands of cells
# claim the same ones, reading would not end this year.
_OVERFLOW_READS = 16
_MAGIC = b"SQLite format 3\0"
_FILE_HEADER_BYTES = 100
_WAL_HEADER_BYTES = 32
_FRAME_HEADER_BYTES = 24
_WAL_MAGIC = {0x377F0682: "<", 0x377F0683: ">"}
_INTEGER_BYTES = {1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 8}
_FIRST_BLOB = 12

Value = int | float | str | bytes | None


class PageFile:
    """The newest committed version of each page of a database and its WAL; either file may be missing.

    Raises ``StoreError`` where a file that is there cannot be read.
    """

    def __init__(self, main: Path, wal: Path) -> None:
        self._main: BinaryIO | None = None
        self._wal: BinaryIO | None = None
        self._frames: dict[int, int] = {}
        with ExitStack() as opening:
            self._main, main_size = _open(main, opening)
            self._wal, _ = _open(wal, opening)
            self.page_bytes, self._usable = self._geometry()
            self._main_pages = self.pages = -(-main_size // self.page_bytes)
            if self._wal is not None:
                self._frames = _committed_frames(self._wal, self.page_bytes)
                self.pages = max(self.pages, *self._frames, 0)
            self._overflow_left = _OVERFLOW_READS * self.count
            self._files = opening.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._files.close()

    @property
    def count(self) -> int:
        """How many pages stand somewhere, at most."""
        return self._main_pages + len(self._frames)

    def numbers(self) -> Iterator[int]:
        """Yield the numbers of the pages that stand somewhere; a frame's may be any, up to 2^32."""
        yield from range(1, self._main_pages + 1)
        yield from sorted(number for number in self._frames if number > self._main_pages)

    def page(self, number: int) -> bytes:
        """Return page ``number``, from 1; what lies beyond the end of the file is zeros."""
        at, file = self._frames.get(number), self._wal
        if at is None:
            at, file = (number - 1) * self.page_bytes, self._main
        if file is None or number < 1:
            return bytes(self.page_bytes)
        file.seek(at)
        return file.read(self.page_bytes).ljust(self.page_bytes, b"\0")

    def leaf_cells(self, number: int) -> Iterator[tuple[int, int, int]]:
        """Yield (rowid, size of the record, offset of the record) of a table's leaf; of others nothing."""
        page = self.page(number)
        start = _FILE_HEADER_BYTES if number == 1 else 0
        if page[start] != TABLE_LEAF:
            return
        (count,) = struct.unpack_from(">H", page, start + 3)
        for index in range(min(count, (len(page) - start - 8) // 2)):
            (at,) = struct.unpack_from(">H", page, start + 8 + 2 * index)
            try:
                size, at = _varint(page, at)
                rowid, at = _varint(page, at)
            except IndexError:
                continue
            if size <= _MAX_RECORD_BYTES:
                yield _signed(rowid), size, at

    def children(self, number: int) -> list[int] | None:
        """Return the pages below a table's inner page; none for a leaf; None where it is neither."""
        page = self.page(number)
        start = _FILE_HEADER_BYTES if number == 1 else 0
        if page[start] == TABLE_LEAF:
            return []
        if page[start] != TABLE_INTERIOR:
            return None
        (count,) = struct.unpack_from(">H", page, start + 3)
        found = list(struct.unpack_from(">I", page, start + 8))
        for index in range(min(count, (len(page) - start - 12) // 2)):
            (at,) = struct.unpack_from(">H", page, start + 12 + 2 * index)
            found.append(int.from_bytes(page[at : at + 4]))
        return found

    def is_whole(self, number: int) -> bool:
        """Whether every byte of a table's page belongs to a cell or is said to be free, rows in their order.

        A page that says fewer cells than it has, or twice the same, would show fewer rows than there are.
        https://www.sqlite.org/fileformat.html#b_tree_pages
        """
        page = self.page(number)
        start = _FILE_HEADER_BYTES if number == 1 else 0
        interior = page[start] == TABLE_INTERIOR
        first_free, count, content, fragments = struct.unpack_from(">HHHB", page, start + 1)
        try:
            cells = [self._extent(page, start, index, interior=interior) for index in range(count)]
            free = _freeblocks(page, first_free)
        except (IndexError, struct.error, ValueError):
            return False
        rowids = [rowid for rowid, _ in cells]
        used = sum(size for _, size in cells) + free + fragments
        ascending = all(one < other for one, other in pairwise(rowids))
        return ascending and used == self._usable - (content or 65536)

    def _extent(self, page: bytes, start: int, index: int, *, interior: bool) -> tuple[int, int]:
        """Return the rowid of a cell and how many bytes it takes. Raises ``IndexError``, ``struct.error``."""
        (begin,) = struct.unpack_from(">H", page, start + (12 if interior else 8) + 2 * index)
        if interior:
            rowid, at = _varint(page, begin + 4)
            return _signed(rowid), at - begin
        size, at = _varint(page, begin)
        rowid, at = _varint(page, at)
        local = self._local(size)
        return _signed(rowid), max(4, at - begin + local + (4 if local < size else 0))

    def _local(self, size: int) -> int:
        """Return how much of a record of ``size`` bytes stands on its page."""
        usable = self._usable
        if size <= usable - 35:
            return size
        least = (usable - 12) * 32 // 255 - 23
        local = least + (size - least) % (usable - 4)
        return local if local <= usable - 35 else least

    def record(self, number: int, size: int, at: int) -> tuple[Value, ...] | None:
        """Return the columns of a record that begins on page ``number``; None where its bytes make none."""
        try:
            return _decode(self._payload(number, size, at))
        except (IndexError, struct.error, ValueError):
            return None

    def _payload(self, number: int, size: int, at: int) -> bytes:
        page, usable = self.page(number), self._usable
        local = self._local(size)
        parts = [page[at : at + local]]
        missing, at = size - local, at + local
        (follows,) = struct.unpack_from(">I", page, at) if missing else (0,)
        while missing > 0:
            self._overflow_left -= 1
            if not 1 < follows <= self.pages or self._overflow_left < 0:
                raise ValueError("an overflow page is missing")
            page = self.page(follows)
            parts.append(page[4 : min(usable, 4 + missing)])
            missing -= usable - 4
            (follows,) = struct.unpack_from(">I", page)
        payload = b"".join(parts)
        if len(payload) != size:
            raise ValueError("the record is cut short")
        return payload

    def _geometry(self) -> tuple[int, int]:
        """Return the size of a page and how much of it is used; the WAL knows where the header is gone."""
        head = self._main.read(_FILE_HEADER_BYTES) if self._main is not None else b""
        wal = self._wal.read(_WAL_HEADER_BYTES) if self._wal is not None else b""
        if head.startswith(_MAGIC) and len(head) == _FILE_HEADER_BYTES:
            size = int.from_bytes(head[16:18]) or 0
            size = 65536 if size == 1 else size
            if _is_page_size(size):
                return size, size - head[20]
        if len(wal) == _WAL_HEADER_BYTES and int.from_bytes(wal[:4]) in _WAL_MAGIC:
            size = int.from_bytes(wal[8:12])
            if _is_page_size(size):
                return size, size
        return DEFAULT_PAGE_BYTES, DEFAULT_PAGE_BYTES


def _open(path: Path, opening: ExitStack) -> tuple[BinaryIO | None, int]:
    try:
        file = opening.enter_context(path.open("rb"))
        return file, path.stat().st_size
    except FileNotFoundError:
        return None, 0
    except OSError as exc:
        raise StoreError(f"{path}: cannot be read: {exc.strerror}") from exc


def _is_page_size(size: int) -> bool:
    return 512 <= size <= 65536 and size & (size - 1) == 0


def _committed_frames(wal: BinaryIO, page_bytes: int) -> dict[int, int]:
    """Return where the newest committed version of each page in the WAL begins.

    Frames behind the last commit are of a transaction that never was, and one whose checksum fails
    ends the log: SQLite reads it no further either.
    """
    wal.seek(0)
    header = wal.read(_WAL_HEADER_BYTES)
    order = _WAL_MAGIC.get(int.from_bytes(header[:4]), "")
    if len(header) < _WAL_HEADER_BYTES or not order or int.from_bytes(header[8:12]) != page_bytes:
        return {}
    sums = _wal_sum(header[:24], (0, 0), order)
    if sums != struct.unpack(">II", header[24:32]):
        return {}
    committed: dict[int, int] = {}
    open_frames: dict[int, int] = {}
    at = _WAL_HEADER_BYTES
    while True:
        frame = wal.read(_FRAME_HEADER_BYTES + page_bytes)
        if len(frame) < _FRAME_HEADER_BYTES + page_bytes or frame[8:16] != header[16:24]:
            return committed
        sums = _wal_sum(frame[_FRAME_HEADER_BYTES:], _wal_sum(frame[:8], sums, order), order)
        if sums != struct.unpack(">II", frame[16:24]):
            return committed
        number, size_after = struct.unpack(">II", frame[:8])
        open_frames[number] = at + _FRAME_HEADER_BYTES
        if size_after:
            committed |= open_frames
            open_frames.clear()
        at += len(frame)


def _wal_sum(data: bytes, sums: tuple[int, int], order: str) -> tuple[int, int]:
    first, second = sums
    words = struct.unpack(f"{order}{len(data) // 4}I", data)
    for even, odd in zip(words[::2], words[1::2], strict=True):
        first = (first + even + second) & 0xFFFFFFFF
        second = (second + odd + first) & 0xFFFFFFFF
    return first, second


def _decode(payload: bytes) -> tuple[Value, ...]:
    header_bytes, at = _varint(payload, 0)
    if not at <= header_bytes <= len(payload):
        raise ValueError("the record has no header")
    values: list[Value] = []
    body = header_bytes
    while at < header_bytes:
        kind, at = _varint(payload, at)
        value, body = _value(payload, kind, body)
        values.append(value)
    return tuple(values)


def _value(payload: bytes, kind: int, at: int) -> tuple[Value, int]:
    if kind == 0:
        return None, at
    if kind in (8, 9):
        return kind - 8, at
    size = 8 if kind == 7 else _INTEGER_BYTES.get(kind, (kind - _FIRST_BLOB) // 2)
    raw = payload[at : at + size]
    if size < 0 or len(raw) != size:
        raise ValueError("a column is cut short")
    at += size
    if kind == 7:
        return float(struct.unpack(">d", raw)[0]), at
    if kind in _INTEGER_BYTES:
        return int.from_bytes(raw, signed=True), at
    if kind < _FIRST_BLOB:
        raise ValueError("a column of no known kind")
    return (raw.decode("utf-8", "surrogateescape") if kind % 2 else raw), at


def _freeblocks(page: bytes, at: int) -> int:
    """Return how many bytes the free blocks take from ``at`` on. Raises ``struct.error``, ``ValueError``."""
    free = 0
    while at:
        follows, size = struct.unpack_from(">HH", page, at)
        if size < 4 or (follows and follows < at + size):
            raise ValueError("the free blocks are not in order")
        free, at = free + size, follows
    return free


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """Return a number of up to nine bytes and where it ends. Raises ``IndexError``."""
    value = 0
    for _ in range(8):
        byte = data[at]
        at += 1
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, at
    return value << 8 | data[at], at + 1


def _signed(value: int) -> int:
    return value - (1 << 64) if value >> 63 else value
