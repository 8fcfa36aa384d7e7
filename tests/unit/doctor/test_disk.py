"""The disk and the card below it, from the kernel's own tables."""

import errno
import os
from pathlib import Path

import pytest

from edged.doctor.card import card
from edged.doctor.disk import disk
from edged.doctor.finding import State
from edged.doctor.machine import Machine
from edged.doctor.mounts import mount_of, standing
from tests.unit.doctor.conftest import Site

ROOT = "22 1 179:2 / / rw,noatime shared:1 - ext4 /dev/mmcblk0p2 rw,errors=remount-ro"
CARD = "sys/devices/platform/mmc0/mmc0:0001/block/mmcblk0"


def mounted(site: Site, *lines: str) -> None:
    site.kernel("proc/self/mountinfo", "\n".join([ROOT, *lines]))


def over_data(site: Site, kind: str = "ext4", options: str = "rw", super_options: str = "rw") -> str:
    return f"30 22 179:3 / {site.data} {options},relatime - {kind} /dev/mmcblk0p3 {super_options}"


def on_card(site: Site, **files: str) -> None:
    """An SD card or eMMC with two partitions, as /sys shows it."""
    for number in (2, 3):
        site.kernel(f"{CARD}/mmcblk0p{number}/partition", str(number))
        link = site.root / f"sys/dev/block/179:{number}"
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(site.root / f"{CARD}/mmcblk0p{number}")
    for name, text in files.items():
        site.kernel(f"{CARD}/device/{name}", text)


def test_the_mount_nearest_above_counts_and_of_two_at_one_point_the_later(tmp_path: Path) -> None:
    lines = [
        ROOT,
        "30 22 0:40 / /var rw - tmpfs tmpfs rw",
        "31 22 179:3 / /var/lib/my\\040doors rw - ext4 /dev/sda1 rw",
        "32 22 179:4 / /var/lib/my\\040doors rw - xfs /dev/sdb1 rw",
        "33 22 179:5 / /var/lib/my ro - vfat /dev/sdc1 ro",
        "no table",
    ]
    path = tmp_path / "proc/self/mountinfo"
    path.parent.mkdir(parents=True)
    path.write_text("\n".join(lines))
    machine = Machine(tmp_path)
    assert [
        getattr(mount_of(machine, Path(folder)), "kind", None)
        for folder in ("/var/lib/my doors/front", "/var/lib", "/home", "/var/lib/my doors", "/variable")
    ] == ["xfs", "tmpfs", "ext4", "xfs", "ext4"]
    assert mount_of(Machine(tmp_path / "nothing"), Path("/var")) is None


def test_a_folder_that_is_not_made_yet_stands_for_the_one_above(tmp_path: Path) -> None:
    assert standing(tmp_path / "a/b/c") == tmp_path.resolve()


def test_a_sound_disk_is_fine(site: Site) -> None:
    mounted(site, over_data(site))
    found = disk(site.patient())
    assert found.state is State.OK
    assert "MB free, writable" in found.detail


@pytest.mark.parametrize(
    ("kind", "options", "state", "told"),
    [
        ("ext4", ("ro", "rw"), State.FAILED, "read-only"),
        ("ext4", ("rw", "ro,errors=remount-ro"), State.FAILED, "dmesg"),
        ("tmpfs", ("rw", "rw"), State.WARNING, "gone at the next start"),
        ("overlay", ("rw", "rw,lowerdir=/a"), State.WARNING, "gone at the next start"),
        ("nfs4", ("rw", "rw"), State.FAILED, "local disk"),
        ("vfat", ("rw", "rw"), State.FAILED, "every account reads"),
    ],
)
def test_a_disk_that_does_not_keep_what_is_written_is_told_of(
    site: Site, kind: str, options: tuple[str, str], state: State, told: str
) -> None:
    mounted(site, over_data(site, kind, *options))
    found = disk(site.patient())
    assert found.state is state
    assert told in found.detail


def test_a_journal_without_ballast_met_a_full_disk(site: Site) -> None:
    mounted(site, over_data(site))
    site.file("journal.db")
    assert "no ballast" in disk(site.patient()).detail
    site.file("journal.db.ballast", content=b"\0" * 100)
    assert disk(site.patient()).state is State.OK


def test_room_and_inodes_are_asked_of_the_disk_itself(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    mounted(site, over_data(site))
    real = os.statvfs(site.data)

    def full(**changes: int) -> None:
        fields = {name: getattr(real, name) for name in dir(real) if name.startswith("f_")} | changes
        names = "f_bsize f_frsize f_blocks f_bfree f_bavail f_files f_ffree f_favail f_flag f_namemax"
        values = os.statvfs_result([fields[name] for name in names.split()])
        monkeypatch.setattr(os, "statvfs", lambda _path: values)

    full(f_frsize=4096, f_blocks=1_000_000, f_bfree=1000, f_bavail=1000)
    assert disk(site.patient()).state is State.FAILED
    full(f_frsize=4096, f_blocks=1_000_000, f_bfree=50_000, f_bavail=50_000)
    assert "5% free" in disk(site.patient()).detail
    full(f_files=100_000, f_favail=3)
    assert "3 files more" in disk(site.patient()).detail
    full(f_files=0, f_favail=0)  # btrfs has no such limit
    assert disk(site.patient()).state is State.OK

    def broken(_path: object) -> os.statvfs_result:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "statvfs", broken)
    assert disk(site.patient()).state is State.FAILED


@pytest.mark.parametrize(
    ("files", "errors", "state", "told"),
    [
        ({"type": "MMC", "life_time": "0x01 0x02", "pre_eol_info": "0x01"}, "0", State.OK, "at most 20 %"),
        ({"type": "MMC", "life_time": "0x09 0x01", "pre_eol_info": "0x01"}, "0", State.WARNING, "soon"),
        ({"type": "MMC", "life_time": "0x01 0x0b", "pre_eol_info": "0x01"}, "0", State.FAILED, "now"),
        ({"type": "MMC", "life_time": "0x01 0x01", "pre_eol_info": "0x02"}, "0", State.WARNING, "soon"),
        ({"type": "MMC", "life_time": "0x01 0x01", "pre_eol_info": "0x03"}, "0", State.FAILED, "now"),
        ({"type": "MMC", "life_time": "0x01 0x01", "pre_eol_info": "0x01"}, "4", State.FAILED, "4 errors"),
        ({"type": "SD"}, "0", State.OK, "does not tell how worn"),
    ],
)
def test_the_card_says_how_worn_it_is(
    site: Site, files: dict[str, str], errors: str, state: State, told: str
) -> None:
    mounted(site, over_data(site))
    on_card(site, **files)
    site.kernel("sys/fs/ext4/mmcblk0p3/errors_count", errors)
    site.kernel("sys/fs/ext4/mmcblk0p2/errors_count", "99")  # of another partition
    found = card(site.patient())
    assert (found.state, found.facts["device"]) == (state, "mmcblk0")
    assert told in found.detail


def test_without_a_disk_there_is_nothing_to_say(site: Site) -> None:
    assert card(site.patient()).state is State.NOT_APPLICABLE
    mounted(site, over_data(site, "tmpfs"))
    assert card(site.patient()).state is State.NOT_APPLICABLE
