"""Right, not right, and nobody tells."""

from pathlib import Path

import pytest

from edged.devices import timekeeping


class Kernel:
    """adjtimex(2) as far as it is asked: what it returns is the state of the clock."""

    def __init__(self, state: int) -> None:
        self._state = state

    def adjtimex(self, buffer: object) -> int:
        """Return the state."""
        del buffer
        return self._state


@pytest.fixture
def answered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of systemd-timesyncd, which is not there yet."""
    monkeypatch.setattr(timekeeping, "_TIMESYNCD", tmp_path / "synchronized")
    return tmp_path / "synchronized"


# adjtimex(2): TIME_OK 0, TIME_INS 1 ... TIME_ERROR 5; -1 where the call fails.
@pytest.mark.parametrize(("state", "word"), [(0, True), (1, True), (4, True), (5, False), (-1, None)])
def test_the_kernel_says_yes_no_or_nothing(
    state: int, word: bool | None, answered: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timekeeping, "_LIBC", Kernel(state))
    assert timekeeping.by_kernel() is word
    assert timekeeping.synced() is word
    answered.touch()
    # It is heard only where the kernel is silent: it is still there when the server has long been lost.
    assert timekeeping.synced() is (True if word is None else word)


def test_no_answer_to_timesyncd_says_nothing(answered: Path) -> None:
    assert timekeeping.by_timesyncd() is None
    answered.touch()
    assert timekeeping.by_timesyncd() is True


@pytest.mark.parametrize(("age", "word"), [(-60, None), (0, True), (9 * 3600 - 1, True), (9 * 3600, None)])
def test_an_old_answer_and_one_from_before_the_clock_was_set_back_say_nothing(
    age: int, word: bool | None, answered: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answered.touch()
    at = answered.stat().st_mtime
    monkeypatch.setattr("edged.devices.timekeeping.time.time", lambda: at + age)
    assert timekeeping.by_timesyncd() is word
