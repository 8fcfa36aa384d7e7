"""Listing the kernel's cameras."""

from pathlib import Path

from edged.devices.camera_list import CameraDevice, list_cameras


def test_picture_nodes_are_listed_with_their_stable_names(tmp_path: Path) -> None:
    for number, index, name in [(10, 0, "Bench Cam"), (2, 0, "Door Cam"), (3, 1, "Door Cam")]:
        node = tmp_path / "sys/class/video4linux" / f"video{number}"
        node.mkdir(parents=True)
        (node / "name").write_text(name + "\n")
        (node / "index").write_text(f"{index}\n")
    links = tmp_path / "dev/v4l/by-id"
    links.mkdir(parents=True)
    (links / "usb-Door-index0").symlink_to("../../video2")
    (links / "usb-Door-index1").symlink_to("../../video3")
    assert list_cameras(tmp_path) == [
        CameraDevice("/dev/video2", "Door Cam", ("/dev/v4l/by-id/usb-Door-index0",)),
        CameraDevice("/dev/video10", "Bench Cam", ()),
    ]


def test_a_machine_without_cameras_has_none(tmp_path: Path) -> None:
    assert list_cameras(tmp_path) == []
