"""What the runner makes of a log."""

import pytest

from tests.fuzz.__main__ import _row, _Share

GUIDED = """\
INFO: seed corpus: files: 2
#3\tINITED cov: 40 ft: 41 corp: 2/3b exec/s: 0 rss: 90Mb
#99\tNEW    cov: 52 ft: 60 corp: 3/5b lim: 4 exec/s: 0 rss: 90Mb L: 2/2 MS: 1 EraseBytes-
#1500\tDONE   cov: 55 ft: 70 corp: 4/8b lim: 11 exec/s: 500 rss: 95Mb
stat::number_of_executed_units: 1500
stat::peak_rss_mb:              95
"""
BROKEN = """\
#3\tINITED cov: 40 ft: 41 corp: 2/3b exec/s: 0 rss: 90Mb

 === Uncaught Python exception: ===
KeyError: 'a'
==7== ERROR: libFuzzer: fuzz target exited
"""


def test_a_run_without_a_breach_is_counted() -> None:
    row = _row("toy", GUIDED, 3.0, 0, None)
    assert (row.executions, row.coverage, row.peak_mb, row.crash, row.why) == (1500, (40, 55), 95, None, None)


def test_a_breach_is_told_by_the_exception_behind_it() -> None:
    row = _row("toy", BROKEN, 3.0, 77, "crashes/toy-crash-1")
    assert (row.why, row.crash) == ("KeyError: 'a'", "crashes/toy-crash-1")


@pytest.mark.parametrize("log", ["", "==7== ERROR: libFuzzer: timeout after 20 seconds\n"])
def test_a_target_that_ended_without_a_word_is_a_breach_as_well(log: str) -> None:
    assert _row("toy", log, 3.0, -9, None).why


def test_each_target_gets_its_share_less_what_it_takes_to_start() -> None:
    share = _Share(600, 10)
    assert share.next() == pytest.approx(60, abs=1)
    share.took(20)
    assert share.next() == pytest.approx(600 / 9 - 20, abs=1)
    share.took(1000)
    assert share.next() == 5
