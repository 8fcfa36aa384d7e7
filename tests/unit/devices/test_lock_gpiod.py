import errno

import gpiod
import pytest
from gpiod.line import Direction

from edged.config.sections import GpiodLockConfig
from edged.devices.fake_gpio import FakeBoard, FakeChip, FakeLine
from edged.devices.lock import Level, Power, levels
from edged.devices.lock_gpiod import GpiodLock
from edged.errors import LockError

LINE = 1
WIRINGS = [(a, p) for a in ("high", "low") for p in ("fail_secure", "fail_safe")]


def config(
    active: Level = "high",
    power: Power = "fail_secure",
    line: int | str = "GPIO17",
    chip: str = "pinctrl-rp1",
) -> GpiodLockConfig:
    return GpiodLockConfig(chip=chip, line=line, active=active, power=power)


def chip(*, on_release: str = "keep", pulled_high: bool = False) -> FakeChip:
    lines = [FakeLine("GPIO16"), FakeLine("GPIO17", pulled_high=pulled_high), FakeLine("GPIO18"), FakeLine()]
    return FakeChip("pinctrl-rp1", lines, on_release="keep" if on_release == "keep" else "input")


def board(*chips: FakeChip) -> FakeBoard:
    return FakeBoard({f"/dev/gpiochip{number}": each for number, each in enumerate(chips)})


def highs(the_chip: FakeChip) -> list[bool]:
    """Every level that the lock's line has had."""
    return [sample.high for sample in the_chip.timeline if sample.offset == LINE]


@pytest.mark.parametrize(("active", "power"), WIRINGS)
@pytest.mark.parametrize("on_release", ["keep", "input"])
def test_a_hundred_starts_and_stops_never_show_the_unlocked_level(
    active: Level, power: Power, on_release: str
) -> None:
    secure_high = levels(active, power).secure == "high"
    the_chip = chip(on_release=on_release, pulled_high=secure_high)
    the_board = board(the_chip)
    for _ in range(100):
        GpiodLock(config(active, power), the_board).close()
    assert len(highs(the_chip)) >= 200
    assert set(highs(the_chip)) == {secure_high}


@pytest.mark.parametrize(("active", "power"), WIRINGS)
def test_a_line_that_a_fire_has_released_is_claimed_as_it_stands_and_secured_at_the_end(
    active: Level, power: Power
) -> None:
    unlocked_high = levels(active, power).secure == "low"
    the_chip = chip(pulled_high=unlocked_high)
    lock = GpiodLock(config(active, power), board(the_chip), released=True)
    lock.unlock()
    assert set(highs(the_chip)) == {unlocked_high}
    assert lock.unlocked
    lock.close()
    assert highs(the_chip)[-1] is not unlocked_high


@pytest.mark.parametrize(("active", "power"), WIRINGS)
def test_a_pulse_is_one_change_there_and_one_back(active: Level, power: Power) -> None:
    expected = levels(active, power)
    secure_high = expected.secure == "high"
    the_chip = chip(pulled_high=secure_high)
    with GpiodLock(config(active, power), board(the_chip)) as lock:
        the_chip.timeline.clear()
        lock.unlock()
        lock.secure()
    assert highs(the_chip)[:2] == [expected.unlocked == "high", secure_high]
    assert set(highs(the_chip)[1:]) == {secure_high}


@pytest.mark.parametrize(("active", "power"), WIRINGS)
def test_a_pulse_cut_by_a_kill_is_ended_by_the_next_claim(active: Level, power: Power) -> None:
    expected = levels(active, power)
    the_chip = chip(pulled_high=expected.secure == "high")
    the_board = board(the_chip)
    GpiodLock(config(active, power), the_board).unlock()
    the_chip.kill_owners()
    assert highs(the_chip)[-1] == (expected.unlocked == "high")  # such kernels keep the level
    GpiodLock(config(active, power), the_board).close()
    assert highs(the_chip)[-1] == (expected.secure == "high")


def test_the_release_of_a_fail_safe_lock_may_let_it_go() -> None:
    the_chip = chip(on_release="input")
    lock = GpiodLock(config("high", "fail_safe"), board(the_chip))
    lock.close()
    assert highs(the_chip)[-2:] == [True, False]


def test_close_secures_before_it_releases() -> None:
    the_chip = chip(on_release="input", pulled_high=True)
    lock = GpiodLock(config(), board(the_chip))
    lock.unlock()
    lock.close()
    assert highs(the_chip)[-3:] == [True, False, True]


def test_the_request_names_its_owner_and_polarity() -> None:
    the_chip = chip()
    the_board = board(the_chip)
    with GpiodLock(config("low"), the_board):
        info = the_board.open("/dev/gpiochip0").get_line_info("GPIO17")
    assert (info.consumer, info.active_low, info.direction) == ("edged", True, Direction.OUTPUT)


def test_the_chip_is_closed_once_the_line_is_claimed() -> None:
    the_board = board(chip())
    with GpiodLock(config(), the_board) as lock:
        with pytest.raises(gpiod.ChipClosedError):
            the_board.handles[0].get_info()
        lock.unlock()
        assert lock.unlocked


def test_a_line_that_does_not_follow_is_refused_and_released() -> None:
    the_chip = chip()
    the_chip.lines[LINE].stuck_high = True
    with pytest.raises(LockError, match="still reads unlocked"):
        GpiodLock(config(), board(the_chip))
    assert the_chip.lines[LINE].owner is None


def test_securing_a_line_that_does_not_follow_raises() -> None:
    the_chip = chip()
    lock = GpiodLock(config(), board(the_chip))
    the_chip.lines[LINE].stuck_high = True
    with pytest.raises(LockError, match="still reads unlocked"):
        lock.secure()
    with pytest.raises(LockError, match="still reads unlocked"):
        lock.close()
    assert the_chip.lines[LINE].owner is None


def test_a_line_held_by_another_names_the_owner() -> None:
    the_chip = chip()
    the_board = board(the_chip)
    the_board.open("/dev/gpiochip0").request_lines({LINE: None}, consumer="spi0 CS1")
    with pytest.raises(LockError, match=r"line GPIO17 \(offset 1\).*in use by 'spi0 CS1'"):
        GpiodLock(config(), the_board)


def test_a_line_that_became_an_input_cannot_be_driven() -> None:
    the_chip = chip()
    with GpiodLock(config(), board(the_chip)) as lock:
        the_chip.lines[LINE].direction = Direction.INPUT
        with pytest.raises(LockError, match="cannot be driven: Operation not permitted"):
            lock.unlock()
        the_chip.lines[LINE].direction = Direction.OUTPUT


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        (config(chip="pinctrl-bcm2711"), r"expected a label .*; there is /dev/gpiochip0 \[pinctrl-rp1\]"),
        (config(chip="/dev/gpiochip7"), r"No such file or directory; there is /dev/gpiochip0$"),
        (config(line="GPIO99"), r"no line is named 'GPIO99'; there is GPIO16, GPIO17, GPIO18$"),
        (config(line="1"), r"no line is named '1'; an offset is written without quotes"),
        (config(line=4), r"expected a line offset of 0 to 3, got 4"),
        (config(line=-1), r"expected a line offset of 0 to 3, got -1"),
        (config(line=""), r"no line is named ''"),
    ],
)  # fmt: skip
def test_what_is_missing_is_named_with_what_there_is(wanted: GpiodLockConfig, message: str) -> None:
    the_chip = chip()
    the_chip.lines[3].name = ""
    if wanted.line == "":
        the_chip.lines[3].name = "x"
    with pytest.raises(LockError, match=message):
        GpiodLock(wanted, board(the_chip))
    assert all(line.owner is None for line in the_chip.lines)


def test_a_chip_by_path_and_a_line_by_offset() -> None:
    the_chip = chip()
    with GpiodLock(config(line=LINE, chip="/dev/gpiochip0"), board(the_chip)) as lock:
        assert lock.name == "GPIO chip /dev/gpiochip0 line 1 (offset 1)"
        lock.unlock()
        assert highs(the_chip)[-1]


def test_a_label_that_two_chips_bear_is_refused() -> None:
    the_board = board(chip(), chip())
    with pytest.raises(LockError, match=r"2 chips bear this label \(/dev/gpiochip0, /dev/gpiochip1\)"):
        GpiodLock(config(), the_board)
    for handle in the_board.handles:
        with pytest.raises(gpiod.ChipClosedError):
            handle.get_info()


def test_a_name_that_two_lines_bear_is_refused() -> None:
    the_chip = chip()
    the_chip.lines[2].name = "GPIO17"
    with pytest.raises(LockError, match=r"lines 1, 2 are all named 'GPIO17'; give the offset"):
        GpiodLock(config(), board(the_chip))


def test_a_chip_that_may_not_be_opened_is_passed_over_and_named() -> None:
    closed = PermissionError(errno.EACCES, "Permission denied")
    with GpiodLock(config(), FakeBoard({"/dev/gpiochip0": closed, "/dev/gpiochip1": chip()})):
        pass
    with pytest.raises(LockError, match=r"there is /dev/gpiochip0 \(Permission denied\)"):
        GpiodLock(config(), FakeBoard({"/dev/gpiochip0": closed}))


def test_a_machine_without_chips_says_so() -> None:
    with pytest.raises(LockError, match="there is none"):
        GpiodLock(config(), FakeBoard({}))
