import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from edged.doorway import spool as module
from edged.doorway import spool_lines
from edged.doorway.ledger import Ledger
from edged.doorway.messages import Happened
from edged.doorway.owner import inherit_owner
from edged.doorway.spool import Spool
from edged.doorway.tenant import Tenancy
from edged.doorway.ulid import new_id


def event(what: str = "exit") -> Happened:
    return Happened(event=new_id(), what=what, alarm=False, ts=1.0, at=1.0, boot_id="b", time_synced=True)


@contextmanager
def opened(folder: Path) -> Iterator[Spool]:
    spool = Spool(folder)
    yield spool
    assert spool.close(10)


def test_what_was_not_taken_is_there_after_a_restart_in_order(tmp_path: Path) -> None:
    events = [event() for _ in range(5)]
    with opened(tmp_path) as spool:
        for each in events:
            assert spool.put(each)
        spool.taken(events[1].event)
        spool.taken(events[1].event)
        spool.taken("unknown")
    with opened(tmp_path) as spool:
        assert list(spool.waiting.values()) == [events[0], *events[2:]]
        for each in events:
            spool.taken(each.event)
    assert (tmp_path / "events").read_bytes() == b""


def test_a_period_that_runs_outlives_the_process_whatever_was_taken(tmp_path: Path) -> None:
    first, longer, end, later = event("unlocked"), event("unlocked"), event("locked"), event()
    with opened(tmp_path) as spool:
        assert spool.period is None
        spool.put(first, begins=True)
    with opened(tmp_path) as spool:
        assert spool.period == first
        spool.put(longer, begins=True)
        spool.put(later)
        for each in (first, longer, later):
            spool.taken(each.event)
    with opened(tmp_path) as spool:
        assert (spool.period, spool.waiting) == (longer, {})
        spool.put(end, ends=True)
    with opened(tmp_path) as spool:
        assert spool.period is None
        assert list(spool.waiting.values()) == [end]


def test_a_period_that_ends_is_kept_where_its_event_finds_no_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_EVENTS", 1)
    with opened(tmp_path) as spool:
        assert spool.put(event("unlocked"), begins=True)
        assert not spool.put(event("locked"), ends=True)
    with opened(tmp_path) as spool:
        assert spool.period is None
        assert not spool.put(event("unlocked"), begins=True)
    with opened(tmp_path) as spool:
        assert spool.period is not None


def test_the_latch_of_an_emergency_outlives_the_process(tmp_path: Path) -> None:
    with opened(tmp_path) as spool:
        assert not spool.emergency
        spool.latch(emergency=True)
    with opened(tmp_path) as spool:
        assert spool.emergency
        spool.put(event("unlocked"), begins=True)
    with opened(tmp_path) as spool:
        assert spool.period is None  # it became part of the emergency
        spool.latch(emergency=False)
    with opened(tmp_path) as spool:
        assert not spool.emergency


@given(st.integers(0, 400), st.binary(max_size=3))
def test_a_torn_or_damaged_file_gives_up_no_whole_line(cut: int, noise: bytes) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        events = [event(), event()]
        with opened(Path(folder)) as spool:
            for each in events:
                spool.put(each)
        path = Path(folder) / "events"
        whole = path.read_bytes()
        path.write_bytes(whole[:cut] + noise)
        complete = sum(cut >= end for end in (whole.index(b"\n") + 1, len(whole)))
        with opened(Path(folder)) as spool:
            found = list(spool.waiting.values())
            assert found[:complete] == events[:complete]
            assert all(each in events for each in found)


def flip(path: Path, text: bytes) -> None:
    content = bytearray(path.read_bytes())
    content[content.index(text)] ^= 1
    path.write_bytes(content)


def test_a_damaged_line_is_kept_aside_and_its_event_is_counted(tmp_path: Path) -> None:
    before, hurt, after = event(), event("forced_open"), event()
    with opened(tmp_path) as spool:
        for each in (before, hurt, after):
            spool.put(each)
    path = tmp_path / "events"
    flip(path, b"forced_open")
    found = path.read_bytes()
    with opened(tmp_path) as spool:
        assert (list(spool.waiting.values()), spool.lost, spool.damaged) == ([before, after], 1, True)
    with opened(tmp_path) as spool:  # the file is mended, and what is lost is still to be told
        assert (list(spool.waiting.values()), spool.lost, spool.damaged) == ([before, after], 1, False)
    (aside,) = tmp_path.glob("events.damaged-*")
    assert aside.read_bytes() == found


@pytest.mark.parametrize(
    ("text", "lost"),
    [(b"taken ", 0), (b"begun ", 0), (b"ended", 0), (b'{"type"', 1), (b"\n", 1), (b"locked", 1)],
)
def test_only_events_in_damaged_lines_count_as_lost(tmp_path: Path, text: bytes, lost: int) -> None:
    struck, others = event(), [event() for _ in range(3)]
    with opened(tmp_path) as spool:
        spool.put(others[0])
        spool.put(struck)
        spool.taken(struck.event)
        spool.put(event("unlocked"), begins=True)
        spool.put(event("locked"), ends=True)
    flip(tmp_path / "events", text)
    with opened(tmp_path) as spool:
        assert (spool.lost, spool.damaged) == (lost, True)


def test_an_event_that_its_reader_took_is_not_lost_with_its_line(tmp_path: Path) -> None:
    with opened(tmp_path) as spool:
        taken = event("forced_open")
        spool.put(taken)
        spool.put(event())
        spool.taken(taken.event)
    flip(tmp_path / "events", b"forced_open")
    with opened(tmp_path) as spool:
        assert (len(spool.waiting), spool.lost, spool.damaged) == (1, 0, True)


def test_how_many_found_no_room_outlives_the_process_until_it_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_EVENTS", 2)
    monkeypatch.setattr(module, "_MAX_STRUCK", 5)
    with opened(tmp_path) as spool:
        for _ in range(2 + 13):
            spool.put(event())
    assert (tmp_path / "events").read_bytes().count(b"\n") <= 2 + 1 + 5  # it does not grow with each
    with opened(tmp_path) as spool:
        assert (len(spool.waiting), spool.lost) == (2, 13)
        spool.taken(next(iter(spool.waiting)))
        assert spool.put(event("events_lost"), tells=13)
    with opened(tmp_path) as spool:
        assert (len(spool.waiting), spool.lost) == (2, 0)


def test_for_whom_events_wait_is_known_before_and_after_a_restart(tmp_path: Path) -> None:
    events = [replace(event(), reader=name) for name in ("t.in", "t.out", "t.in", None)]
    with opened(tmp_path) as spool:
        for each in events:
            spool.put(each)
        assert spool.readers == {"t.in": 2, "t.out": 1}
    with opened(tmp_path) as spool:
        assert spool.readers == {"t.in": 2, "t.out": 1}
        for each in events[:2]:
            spool.taken(each.event)
            spool.taken(each.event)
        assert set(spool.readers) == {"t.in"}


def test_only_so_many_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_EVENTS", 2)
    with opened(tmp_path) as spool:
        assert [spool.put(event()) for _ in range(4)] == [True, True, False, False]
        assert spool.lost == 2


def test_a_disk_that_fails_loses_nothing_once_it_works_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, failing = os.fdatasync, True

    def sync(descriptor: int) -> None:
        if failing:
            raise OSError(28, "No space left on device")
        real(descriptor)

    monkeypatch.setattr(os, "fdatasync", sync)
    with opened(tmp_path) as spool:
        first, second = event(), event()
        spool.put(first)
        _wait(lambda: not spool.kept)
        failing = False
        spool.put(second)
        _wait(spool._jobs.empty)
        assert not spool.kept
        spool.mend()
        _wait(lambda: spool.kept)
    with opened(tmp_path) as spool:
        assert list(spool.waiting.values()) == [first, second]


@contextmanager
def standing(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A disk whose writes end with the block, and not before."""
    real, goes_on = os.fdatasync, threading.Event()

    def sync(descriptor: int) -> None:
        assert goes_on.wait(30)
        real(descriptor)

    monkeypatch.setattr(os, "fdatasync", sync)
    yield
    goes_on.set()


@pytest.mark.parametrize(("closed", "emergency"), [(False, True), (True, True), (True, False)])
def test_a_disk_that_stands_still_grows_no_queue_and_loses_nothing(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    *,
    closed: bool,
    emergency: bool,
) -> None:
    monkeypatch.setattr(module, "_MOST_JOBS", 10)
    events, unlocked = [event() for _ in range(100)], event("unlocked")
    with opened(tmp_path) as spool:
        with standing(monkeypatch):
            for each in events:
                assert spool.put(each, begins=True)
            spool.put(unlocked, begins=True)
            spool.latch(emergency=emergency)
            for each in events[:40]:
                spool.taken(each.event)
            assert spool._jobs.qsize() <= 10
            assert not spool.kept
        if not closed:
            _wait(spool._jobs.empty)
            spool.mend()
            _wait(lambda: spool._latched is True)
            spool.mend()
            _wait(lambda: spool.kept)
    assert caplog.text.count("the disk stands still") == 1
    with opened(tmp_path) as spool:
        assert list(spool.waiting.values()) == [*events[40:], unlocked]
        assert (spool.emergency, spool.period) == (emergency, None if emergency else unlocked)


@pytest.mark.parametrize("emergency", [True, False])
def test_a_disk_that_fails_knows_of_an_emergency_once_it_works_again(
    emergency: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A latch that stays behind opens the door at the next start; one that is missing shuts it in a fire."""
    real, failing = os.fsync, False

    def sync(descriptor: int) -> None:
        if failing:
            raise OSError(30, "Read-only file system")
        real(descriptor)

    monkeypatch.setattr(os, "fsync", sync)
    with opened(tmp_path) as spool:
        spool.latch(emergency=not emergency)
        _wait(lambda: spool.kept)
        failing = True
        spool.latch(emergency=emergency)
        assert not spool.kept
        _wait(lambda: "emergency" in spool._failing)
        spool.mend()
        _wait(spool._jobs.empty)
        assert not spool.kept
        failing = False
        _mended(spool)
    with opened(tmp_path) as spool:
        assert spool.emergency is emergency


def test_the_end_of_the_process_is_one_more_try(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = event()
    with opened(tmp_path) as spool:
        _wait(spool._jobs.empty)
        with monkeypatch.context() as patched:
            patched.setattr(module, "_append", _full)
            spool.put(first)
            spool.latch(emergency=True)
            _wait(lambda: spool._failing == {"events", "emergency"})
    with opened(tmp_path) as spool:
        assert spool.emergency
        assert list(spool.waiting.values()) == [first]


def _full(path: Path, data: bytes, *, sync: bool) -> None:
    raise OSError(28, "No space left on device")


def test_an_emergency_that_is_over_is_not_kept_before_the_folder_is_synced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, synced = os.fsync, []

    def sync(descriptor: int) -> None:
        synced.append(((tmp_path / "emergency").exists(), spool.kept))
        real(descriptor)

    with opened(tmp_path) as spool:
        spool.latch(emergency=True)
        _wait(lambda: spool._jobs.empty() and spool.kept)
        monkeypatch.setattr(os, "fsync", sync)
        spool.latch(emergency=False)
        _wait(lambda: spool.kept)
    assert synced == [(False, False)]


def test_a_folder_that_cannot_be_made_leaves_events_in_memory_until_it_can(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with opened(tmp_path / "file/state") as spool:
        assert spool.damaged
        first = event()
        assert spool.put(first)
        _wait(lambda: "events" in spool._failing)
        assert not spool.kept
        (tmp_path / "file").unlink()
        _mended(spool)
    with opened(tmp_path / "file/state") as spool:
        assert not spool.damaged
        assert list(spool.waiting.values()) == [first]


def _put_in_the_way(path: Path, what: str) -> None:
    if what == "pipe":
        os.mkfifo(path)
    elif what == "loop":
        path.symlink_to(path)
    else:
        path.mkdir()
        (path / "something").touch()


@pytest.mark.parametrize("what", ["folder", "pipe", "loop"])
@pytest.mark.parametrize("name", ["events", "emergency"])
def test_what_cannot_be_read_is_moved_aside_and_opens_no_door(name: str, what: str, tmp_path: Path) -> None:
    with opened(tmp_path) as spool:
        _wait(lambda: spool.kept)
    (tmp_path / name).unlink(missing_ok=True)
    _put_in_the_way(tmp_path / name, what)
    with opened(tmp_path) as spool:
        assert spool.damaged
        assert not spool.emergency
        spool.latch(emergency=True)
        first = event()
        spool.put(first)
        _mended(spool)
    assert len(list(tmp_path.glob(f"{name}.damaged-*"))) == 1
    with opened(tmp_path) as spool:
        assert (spool.damaged, spool.emergency) == (False, True)
        assert list(spool.waiting.values()) == [first]


def test_a_file_in_place_of_the_folder_is_moved_aside(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("something")
    with opened(tmp_path / "state") as spool:
        assert spool.damaged
        _mended(spool)
    (aside,) = tmp_path.glob("state.damaged-*")
    assert aside.read_text() == "something"


def test_what_is_read_before_the_disk_fails_is_not_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    events = [event() for _ in range(3)]
    with opened(tmp_path) as spool:
        for each in events:
            spool.put(each)
    real = spool_lines.happened

    def fails(content: bytes) -> Happened:
        if (found := real(content)) == events[2]:
            raise OSError(5, "Input/output error")
        return found

    monkeypatch.setattr(spool_lines, "happened", fails)
    with opened(tmp_path) as spool:
        assert spool.damaged
        assert list(spool.waiting.values()) == events[:2]
    (aside,) = tmp_path.glob("events.damaged-*")
    assert events[2].event in aside.read_text()


def test_only_so_many_are_moved_aside(tmp_path: Path) -> None:
    for _ in range(module._MOST_ASIDE + 2):
        (tmp_path / "emergency").mkdir(exist_ok=True)
        with opened(tmp_path) as spool:
            assert spool.damaged
            assert not spool.emergency
    assert len(list(tmp_path.glob("emergency.damaged-*"))) == module._MOST_ASIDE


def _mended(spool: Spool) -> None:
    def kept() -> bool:
        spool.mend()
        return spool.kept

    _wait(kept)


def _wait(condition: "object") -> None:
    deadline = time.monotonic() + 30
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline
        time.sleep(0.002)


def test_a_line_that_strikes_out_no_text_is_passed_over(tmp_path: Path) -> None:
    kept = event()
    lines = spool_lines.event_line(kept) + spool_lines._line(b"taken \xff\xfe")
    (tmp_path / "events").write_bytes(lines)
    with opened(tmp_path) as spool:
        assert list(spool.waiting.values()) == [kept]


@pytest.mark.parametrize("number", [b"-5", b"9" * 3000, b"x", b""])
def test_a_count_of_lost_events_that_is_none_is_passed_over(tmp_path: Path, number: bytes) -> None:
    kept = event()
    (tmp_path / "events").write_bytes(spool_lines.event_line(kept) + spool_lines._line(b"lost " + number))
    with opened(tmp_path) as spool:
        assert (list(spool.waiting.values()), spool.lost, spool.damaged) == ([kept], 0, True)


def test_a_file_of_more_events_than_a_door_writes_does_not_fill_the_memory(tmp_path: Path) -> None:
    most = module.MAX_EVENTS + module._MAX_STRUCK
    first = event()
    lines = [spool_lines.event_line(each) for each in (first, *(event() for _ in range(most + 50)))]
    (tmp_path / "events").write_bytes(b"".join(lines))
    left = spool_lines.Left(most)
    left.read(tmp_path / "events")
    assert (len(left.waiting), left.lost, left.period) == (most, 51, None)
    assert next(iter(left.waiting.values())) == first


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes files for others")
def test_what_root_makes_belongs_to_the_owner_of_the_folder(tmp_path: Path) -> None:
    os.chown(tmp_path, 65534, 65533)
    with opened(tmp_path / "var/door") as spool:
        spool.put(event())
        spool.latch(emergency=True)
    tenancy = Tenancy()
    tenancy.take(tmp_path / "var/door")
    tenancy.close()
    made = {path.relative_to(tmp_path).as_posix(): path.stat() for path in tmp_path.rglob("*")}
    assert {name: (found.st_uid, found.st_gid) for name, found in made.items()} == dict.fromkeys(
        ("var", "var/door", "var/door/events", "var/door/emergency", "var/door/keeper"), (65534, 65533)
    )
    elsewhere = tmp_path / "elsewhere"
    elsewhere.touch()
    os.chown(elsewhere, 1, 1)
    (tmp_path / "link").symlink_to(elsewhere)
    inherit_owner(tmp_path / "link")
    assert elsewhere.stat().st_uid == 1  # whoever owns the folder could have put it there


@pytest.mark.parametrize("content", [b"something", b""])
def test_a_file_that_the_disk_does_not_give_is_lost_with_what_was_in_it(
    content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "events").write_bytes(content)
    with monkeypatch.context() as patched:
        patched.setattr(spool_lines.Left, "read", _refuses)
        spool = Spool(tmp_path)
    Ledger(spool).begin()
    told = [(each.what, each.alarm, each.count) for each in spool.waiting.values()]
    lost = [("events_lost", True, None)] if content else []
    assert told == [("door_disk", True, None), *lost]
    assert spool.close(10)
    with opened(tmp_path) as spool:
        assert (len(spool.waiting), spool.lost_unread) == (len(told), False)


def _refuses(_left: spool_lines.Left, path: Path) -> None:
    raise PermissionError(13, "Permission denied")
