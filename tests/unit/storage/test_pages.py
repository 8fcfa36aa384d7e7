"""Pages that were made to cost more than they hold."""

import struct
from pathlib import Path

from edged.storage import pages
from edged.storage.pages import PageFile
from edged.storage.remains import Remains
from edged.storage.salvage import Salvage, _usual_roots

PAGE = 4096


def remains(folder: Path, main: bytes, wal: bytes = b"") -> Remains:
    found = Remains(folder, "journal.db", "", "e" * 26, "d", "r")
    found.main.write_bytes(main)
    found.wal.write_bytes(wal)
    return found


def header() -> bytes:
    return b"SQLite format 3\0" + struct.pack(">H", PAGE) + bytes(82)


def inner(*children: int) -> bytes:
    """An inner page whose cells lead to ``children``."""
    cells = b"".join(struct.pack(">IB", child, 1) for child in children)
    at = [PAGE - len(cells) + 5 * index for index in range(len(children))]
    head = bytes([pages.TABLE_INTERIOR]) + struct.pack(">HHHBI", 0, len(children), 0, 0, 0)
    start = head + b"".join(struct.pack(">H", one) for one in at)
    return start.ljust(PAGE - len(cells), b"\0") + cells


def log_of(number: int) -> bytes:
    """A write-ahead log of one frame, its checksums right, of page ``number``."""
    start = struct.pack(">IIIIII", 0x377F0682, 3007000, PAGE, 0, 1, 2)
    sums = pages._wal_sum(start, (0, 0), "<")
    page, front = bytes(PAGE), struct.pack(">II", number, number)
    of_frame = pages._wal_sum(page, pages._wal_sum(front, sums, "<"), "<")
    return start + struct.pack(">II", *sums) + front + start[16:24] + struct.pack(">II", *of_frame) + page


def test_a_page_with_the_largest_number_is_one_page(tmp_path: Path) -> None:
    found = remains(tmp_path, header().ljust(PAGE, b"\0"), log_of(2**32 - 1))
    with PageFile(found.main, found.wal) as file:
        assert list(file.numbers()) == [1, 2**32 - 1]
    with Salvage(found) as salvage:
        assert list(salvage.rows()) == []


def test_a_tree_that_leads_back_to_itself_ends_the_walk(tmp_path: Path) -> None:
    outbox = _usual_roots()["outbox"]
    main = [header().ljust(PAGE, b"\0"), *(inner() for _ in range(outbox - 1))]
    main[outbox - 1] = inner(*[outbox] * 300)
    with Salvage(remains(tmp_path, b"".join(main))) as salvage:
        assert not salvage.outbox_known


def test_an_overflow_chain_that_thousands_claim_is_read_a_few_times(tmp_path: Path) -> None:
    size = 489 + 4092 * 220  # as many bytes on the leaf as can be few, the rest on 220 pages
    cell = b"".join([bytes([0x80 | size >> 14, 0x80 | size >> 7 & 0x7F, size & 0x7F, 1]), bytes(60)])
    leaf = bytearray(PAGE)
    leaf[0] = pages.TABLE_LEAF
    leaf[3:5] = struct.pack(">H", 1000)
    at = PAGE - 1200
    leaf[at : at + len(cell)] = cell
    for index in range(1000):
        leaf[8 + 2 * index : 10 + 2 * index] = struct.pack(">H", at)
    chain = struct.pack(">I", 3).ljust(PAGE, b"\1")  # page 3 follows itself
    leaf[at + 4 + 489 : at + 4 + 489 + 4] = struct.pack(">I", 3)
    found = remains(tmp_path, header().ljust(PAGE, b"\0") + bytes(leaf) + chain)
    with PageFile(found.main, found.wal) as file:
        reads = [file.record(2, *where) for _, *where in file.leaf_cells(2)]
        assert len(reads) == 1000
        assert file._overflow_left < 0
