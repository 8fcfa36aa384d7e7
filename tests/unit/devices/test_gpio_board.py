import pytest
from gpiod import LineSettings
from gpiod.line import Direction, Value

from edged.devices.fake_gpio import FakeBoard, FakeChip, FakeLine
from edged.devices.gpio_board import LinuxBoard, find_line, open_chip
from edged.errors import LockError


def test_a_file_that_is_no_chip_is_refused_by_the_real_library() -> None:
    with pytest.raises(LockError, match=r"GPIO chip /dev/null: .*; there is"):
        open_chip(LinuxBoard(), "/dev/null")


def test_a_chip_that_is_not_there_is_refused_by_the_real_library() -> None:
    with pytest.raises(LockError, match="No such file or directory"):
        open_chip(LinuxBoard(), "/dev/gpiochip-that-is-not-there")


def test_the_machine_lists_chips_by_their_device_files() -> None:
    assert all(path.startswith("/dev/") for path in LinuxBoard().paths())


def test_long_lists_are_cut() -> None:
    board = FakeBoard({"/dev/gpiochip0": FakeChip("big", [FakeLine(f"L{number}") for number in range(300)])})
    with pytest.raises(LockError, match="and 260 more") as caught:
        find_line(board.open("/dev/gpiochip0"), "missing")
    assert len(str(caught.value)) < 500


def test_the_fake_drives_an_output_only_after_its_request_and_only_while_held() -> None:
    chip = FakeChip("toy", [FakeLine("A"), FakeLine("B")])
    handle = FakeBoard({"/dev/gpiochip0": chip}).open("/dev/gpiochip0")
    request = handle.request_lines({"A": LineSettings(direction=Direction.OUTPUT, output_value=Value.ACTIVE)})
    assert chip.lines[0].high
    with pytest.raises(ValueError, match="unknown line"):
        request.set_value(1, Value.ACTIVE)
    request.release()
    with pytest.raises(Exception, match="released"):
        request.set_value(0, Value.INACTIVE)


def test_the_fake_lets_nobody_drive_an_input() -> None:
    chip = FakeChip("toy", [FakeLine("A", pulled_high=True)])
    handle = FakeBoard({"/dev/gpiochip0": chip}).open("/dev/gpiochip0")
    request = handle.request_lines({("A",): LineSettings(direction=Direction.INPUT, active_low=True)})
    assert request.get_value(0) is Value.INACTIVE
    with pytest.raises(PermissionError):
        request.set_value(0, Value.ACTIVE)
