import json
import time
from pathlib import Path

import pytest

from edged.devices.fakes import FakeLock
from edged.errors import LockError


def states(path: Path) -> list[str]:
    return [json.loads(line)["state"] for line in path.read_text().splitlines()]


def test_every_change_is_on_file_at_once_with_both_times(tmp_path: Path) -> None:
    trace = tmp_path / "new" / "trace.jsonl"
    before = time.monotonic(), time.time()
    with FakeLock(trace) as lock:
        lock.unlock()
        lock.unlock()
        assert states(trace) == ["locked", "unlocked"]
    assert states(trace) == ["locked", "unlocked", "locked"]
    last = json.loads(trace.read_text().splitlines()[-1])
    assert last["monotonic_at"] >= before[0]
    assert last["unix_time"] >= before[1]


def test_a_trace_goes_on_where_the_last_owner_ended(tmp_path: Path) -> None:
    trace = tmp_path / "trace.jsonl"
    FakeLock(trace).close()
    FakeLock(trace).close()
    assert states(trace) == ["locked", "locked"]


def test_transitions_are_kept_in_memory_without_a_file() -> None:
    lock = FakeLock()
    lock.unlock()
    lock.close()
    assert [transition.state for transition in lock.transitions] == ["locked", "unlocked", "locked"]
    assert lock.name == "fake lock"


def test_a_trace_that_cannot_be_opened_is_a_lock_error(tmp_path: Path) -> None:
    with pytest.raises(LockError, match=r"cannot be opened: Is a directory"):
        FakeLock(tmp_path)


def test_a_full_disk_is_a_lock_error() -> None:
    with pytest.raises(LockError, match="cannot write the trace: No space left"):
        FakeLock(Path("/dev/full"))
