"""Clock, heat, and the daemon's own word."""

import fcntl
import os
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from edged.doctor.camera import camera
from edged.doctor.examination import CHECKS, Selection, examine
from edged.doctor.finding import Finding, State
from edged.doctor.gallery_age import gallery_age
from edged.doctor.heat import heat
from edged.doctor.machine import Machine
from edged.doctor.patient import Patient
from edged.doctor.running import running
from edged.doctor.swap import swap
from edged.doctor.time_of_day import time_of_day
from edged.doctor.watchdog import watchdog
from tests.unit.doctor.conftest import NOW, Site, json_safe, strike, with_lock

OFFICE = {"schedules": {"office": [{"days": ["mon"], "from": "07:00", "to": "19:00"}]}, "groups": {"a": []}}
THROTTLED = "sys/devices/platform/soc/soc:firmware/get_throttled"


def rtc(site: Site, seconds: float) -> None:
    site.kernel("sys/class/rtc/rtc0/since_epoch", str(int(seconds)))


def test_a_clock_that_is_kept_and_set_is_fine(site: Site) -> None:
    rtc(site, NOW)
    assert time_of_day(site.patient()).state is State.OK


def test_an_impossible_year_fails_whatever_else_is_said(site: Site) -> None:
    rtc(site, 1000)
    for now in (1000.0, 1e11, 1e30):
        assert time_of_day(site.patient(now=now)).state is State.FAILED


def test_what_nobody_keeps_right_is_told_of(site: Site) -> None:
    assert "no RTC" in time_of_day(site.patient(synced=False)).detail
    assert time_of_day(site.patient()).state is State.OK
    assert time_of_day(site.patient(access=OFFICE)).state is State.WARNING  # schedules need the time
    rtc(site, NOW - 86_400)
    assert "RTC is wrong" in time_of_day(site.patient()).detail
    rtc(site, NOW)
    assert "no RTC" not in time_of_day(site.patient(synced=False)).detail
    assert time_of_day(site.patient(synced=False)).state is State.WARNING


def test_a_clock_that_nobody_may_be_asked_about_is_not_called_wrong(site: Site) -> None:
    found = time_of_day(site.patient(synced=None))
    assert (found.state, found.facts["synchronised"]) == (State.WARNING, None)
    assert "cannot be told, and no RTC" in found.detail
    rtc(site, NOW)
    assert "no RTC" not in time_of_day(site.patient(synced=None)).detail
    rtc(site, NOW - 86_400)
    assert "no RTC" in time_of_day(site.patient(synced=None)).detail


@pytest.mark.parametrize(
    ("milli", "flags", "state", "told"),
    [
        ("48312", "0", State.OK, "48 degrees, not throttled"),
        ("81000", "0", State.WARNING, "cool it"),
        ("48312", "1", State.FAILED, "too little voltage"),
        ("84000", "e0008", State.FAILED, "soft temperature limit"),
        ("48312", "50000", State.WARNING, "a better power supply"),
        ("48312", "80000", State.WARNING, "cooling"),
    ],
)
def test_heat_and_supply_come_from_zones_and_firmware(
    site: Site, milli: str, flags: str, state: State, told: str
) -> None:
    site.kernel("sys/class/thermal/thermal_zone0/temp", milli)
    site.kernel(THROTTLED, flags)
    found = heat(site.patient())
    assert found.state is state
    assert told in found.detail


def test_where_the_kernel_is_silent_the_firmware_tool_is_asked(site: Site) -> None:
    assert heat(site.patient()).state is State.NOT_APPLICABLE
    tool = site.kernel("usr/bin/vcgencmd", '#!/bin/sh\n[ "$1" = get_throttled ] && echo throttled=0x50005')
    tool.chmod(0o755)
    found = heat(site.patient())
    assert (found.state, found.facts["throttled"]) == (State.FAILED, 0x50005)
    tool.write_text("#!/bin/sh\nexit 255\n")
    assert heat(site.patient()).state is State.NOT_APPLICABLE


def test_a_kernel_that_hangs_is_the_boards_own_watchdogs_to_end(site: Site) -> None:
    assert watchdog(site.patient()).state is State.NOT_APPLICABLE
    wired = with_lock(strike())
    assert "there is none" in watchdog(site.patient(**wired)).detail
    site.kernel("sys/class/watchdog/watchdog0/state", "inactive")
    found = watchdog(site.patient(**wired))
    assert (found.state, "RuntimeWatchdogSec" in found.detail) == (State.WARNING, True)
    site.kernel("sys/class/watchdog/watchdog1/identity", "Broadcom BCM2835 Watchdog timer")
    assert "does not say" in watchdog(site.patient(**wired)).detail
    site.kernel("sys/class/watchdog/watchdog0/state", "active")
    assert watchdog(site.patient(**wired)).state is State.OK


@pytest.mark.parametrize(
    ("device", "controllers", "state"),
    [
        ("/var/swap", "cpuset cpu io pids", State.WARNING),
        ("/dev/mmcblk0p3", "", State.WARNING),
        ("/var/swap", "cpuset cpu io memory pids", State.OK),
        ("/dev/zram0", "cpuset cpu", State.OK),
        ("", "cpuset cpu", State.OK),
    ],
)
def test_faces_stay_out_of_swap_on_a_disk(site: Site, device: str, controllers: str, state: State) -> None:
    heading = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority"
    row = f"\n{device}                               file\t\t524272\t\t0\t\t-2" if device else ""
    site.kernel("proc/swaps", heading + row)
    site.kernel("sys/fs/cgroup/cgroup.controllers", controllers)
    assert swap(site.patient(**with_lock(strike()))).state is state
    assert swap(site.patient()).state is State.NOT_APPLICABLE


class DaemonStandIn:
    """What a daemon shows of itself: a held lock on the journal, and /readyz."""

    def __init__(self, site: Site, answer: bytes) -> None:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(503)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_: object) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        self.lock = os.open(site.file("journal.db.lock", content=f"{os.getpid()}\n".encode()), os.O_RDWR)
        fcntl.flock(self.lock, fcntl.LOCK_EX)
        site.kernel("proc/locks", Path("/proc/locks").read_text())
        site.sections["http"] = {"port": self.server.server_address[1]}
        source = {"type": "v4l2", "device": "/dev/video-nobody-has"}
        site.sections["camera"] = {"source": source, "first_frame_timeout_ms": 50}

    def __enter__(self) -> None:
        self.thread.start()

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()
        os.close(self.lock)


def ready(**checks: tuple[bool, str]) -> bytes:
    rows = {name: {"ok": ok, "detail": detail} for name, (ok, detail) in checks.items()}
    return json_safe({"status": "ok", "checks": rows})


def test_a_running_daemon_is_asked_and_its_camera_left_alone(site: Site) -> None:
    with DaemonStandIn(site, ready(camera=(True, "up"), gallery=(True, "3 people"))):
        found = running(site.patient())
        assert found.state is State.OK
        assert found.facts["pid"] == os.getpid()
        seen = camera(site.patient())
        assert (seen.state, seen.facts) == (State.OK, {"asked": "daemon"})


def test_what_a_running_daemon_lacks_fails(site: Site) -> None:
    site.file("people.db", content=b"x")
    with DaemonStandIn(site, ready(camera=(False, "down"), gallery=(False, "unreadable"))):
        assert "camera: down; gallery: unreadable" in running(site.patient()).detail
        for check in (running, camera, gallery_age):
            assert check(site.patient()).state is State.FAILED


@pytest.mark.parametrize(
    "answer", [b"", b"hello", b"[]", b"[" * 60_000, b'{"checks": {"camera": 1}}', b'{"checks": 3}']
)
def test_a_daemon_that_answers_nonsense_keeps_its_camera(site: Site, answer: bytes) -> None:
    with DaemonStandIn(site, answer):
        assert running(site.patient()).state is State.WARNING
        assert "cannot be asked" in camera(site.patient()).detail


def test_another_doors_daemon_at_the_same_port_is_not_asked(site: Site) -> None:
    with DaemonStandIn(site, ready(camera=(True, "up"))):
        site.kernel("proc/locks", "1: FLOCK  ADVISORY  WRITE 1 08:02:1 0 EOF")
        assert running(site.patient()).state is State.NOT_APPLICABLE
        assert camera(site.patient()).state is State.FAILED  # the device is not there


def test_a_list_that_nobody_touched_for_half_a_year_is_worth_a_look(site: Site) -> None:
    assert gallery_age(site.patient()).state is State.NOT_APPLICABLE
    path = site.file("people.db", content=b"x")
    os.utime(path, (NOW, NOW - 10 * 86_400))
    assert gallery_age(site.patient()).detail == "changed 10 days ago"
    gallery = {"path": "people.db", "max_unread_seconds": None}
    assert "max_unread_seconds" in gallery_age(site.patient(gallery=gallery)).detail
    os.utime(path, (NOW, NOW - 200 * 86_400))
    assert gallery_age(site.patient()).state is State.WARNING
    wal = site.file("people.db-wal", content=b"x")
    os.utime(wal, (NOW, NOW - 60))
    assert gallery_age(site.patient()).state is State.OK


def test_checks_are_chosen_by_name() -> None:
    assert list(Selection(only=["boot-pull", "Clock"]).of()) == ["boot pull", "clock"]
    assert list(Selection(skip=["models"]).of()) == [name for name in CHECKS if name != "models"]
    with pytest.raises(KeyError, match="cl0ck"):
        Selection(skip=["cl0ck"]).of()


def test_a_check_that_hangs_has_failed_and_the_others_are_heard(site: Site) -> None:
    over = threading.Event()

    def hanging(_patient: Patient) -> Finding:
        over.wait(30)
        return Finding(State.OK, "late")

    def unreadable(_patient: Patient) -> Finding:
        raise PermissionError(13, "Permission denied", "/secret")

    told: list[str] = []
    chosen = {"hanging": hanging, "unreadable": unreadable, "heat": heat}
    found = examine(site.patient(), chosen, seconds={"hanging": 0.05}, before=told.append)
    over.set()
    assert found["hanging"] == Finding(State.FAILED, "no answer within 0.05 s")
    assert found["unreadable"].state is State.FAILED
    assert found["heat"].state is State.NOT_APPLICABLE
    assert told == list(chosen)


def test_a_fault_of_a_check_itself_is_not_taken_for_a_finding(site: Site) -> None:
    def wrong(_patient: Patient) -> Finding:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        examine(site.patient(), {"wrong": wrong}, seconds={})


def test_a_board_without_a_name_is_no_raspberry_pi(tmp_path: Path) -> None:
    assert not Machine(tmp_path).raspberry_pi
    assert Machine(tmp_path).group_members("gpio") is None
