"""What the start is measured with: the interpreter's own report, and the kernel's."""

import os

from edged.evaluation.start_time import by_package, memory

REPORT = """\
import time: self [us] | cumulative | imported package
import time:       113 |        113 |   _io
import time:      2000 |       5000 |     edged.errors
import time:      1500 |       9000 | edged.app
import time:     30250 |      30250 |   numpy._core
a warning that somebody printed | between | them
"""


def test_imports_are_added_up_by_package_the_slowest_first() -> None:
    assert by_package(REPORT) == (("numpy", 30.2), ("edged", 3.5), ("_io", 0.1))
    assert by_package("") == ()


def test_memory_is_told_in_its_three_ways() -> None:
    before = memory(os.getpid())
    assert before.rss_mb >= before.pss_mb >= before.private_mb > 1
    assert before.threads >= 1
    held = bytearray(b"x" * 50_000_000)
    assert 45 < memory(os.getpid()).private_mb - before.private_mb < 60
    del held
