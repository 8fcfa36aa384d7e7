import sys
from pathlib import Path

import pytest

from edged.config.sections import FakeLockConfig, GpiodLockConfig, GpiozeroLockConfig
from edged.devices.fakes import FakeLock
from edged.devices.lock_factory import open_lock
from edged.errors import LockError


def test_the_driver_that_is_named_is_opened(tmp_path: Path) -> None:
    with open_lock(FakeLockConfig(trace_path=tmp_path / "trace.jsonl")) as lock:
        assert isinstance(lock, FakeLock)
    assert (tmp_path / "trace.jsonl").exists()


def test_a_missing_chip_is_an_error_and_no_other_driver_is_tried() -> None:
    config = GpiodLockConfig(chip="no-such-label", line=0, active="high", power="fail_secure")
    with pytest.raises(LockError, match="no-such-label"):
        open_lock(config)


def test_gpiozero_without_its_back_end_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "lgpio", None)
    monkeypatch.delitem(sys.modules, "gpiozero.pins.lgpio", raising=False)
    with pytest.raises(LockError, match="lgpio"):
        open_lock(GpiozeroLockConfig(pin=17, active="high", power="fail_secure"))
