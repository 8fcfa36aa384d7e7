"""The switch changes one value of the file, and nothing else of it."""

import os
import stat
from pathlib import Path

import pytest

from edged.config import load
from edged.config.arming import switch, switched
from edged.errors import ConfigError

ROOT = Path(__file__).parents[3]
SMALL = """\
site: hq # the head quarters
door_id: front
camera: {source: {type: v4l2, device: /dev/video0}}
door: {lock: {driver: gpiod, chip: gpiochip0, line: 17, active: high, power: fail_secure}}
"""
WAYS = [
    "",
    "decision:\n",
    "decision: # rules\n  confirm_frames: 4\n",
    "decision:\n    # armed: true\n    confirm_frames: 4 # armed: false\n",
    "decision:\n  armed: true # shadow mode is false\n  min_margin: 0.1\n",
    "decision:\n\n  min_margin: 0.1\n\n  armed: false\n",
    "decision: {armed: true, confirm_frames: 4}\n",
    "decision: { confirm_frames: 4, armed: false } # inline\n",
    "decision: {confirm_frames: 4}\n",
    "decision: {}\n",
]


@pytest.mark.parametrize("armed", [True, False])
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("after", ["", "logging: {level: debug}\n# armed: true\n"])
def test_however_it_is_written_only_this_key_changes(
    tmp_path: Path, way: str, after: str, armed: bool
) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(SMALL + way + after)
    before = load(path)
    changed = switch(path, armed=armed)
    assert load(path) == changed
    assert changed.decision.armed is armed
    assert (changed.logging, changed.door) == (before.logging, before.door)
    assert changed.decision.confirm_frames == before.decision.confirm_frames
    comments = {line.partition("#")[2] for line in (SMALL + way + after).splitlines() if "#" in line}
    assert comments == {line.partition("#")[2] for line in path.read_text().splitlines() if "#" in line}
    switch(path, armed=before.decision.armed)
    assert load(path) == before


def test_the_example_loses_no_line() -> None:
    text = (ROOT / "config.yaml").read_text()
    off = switched(text, armed=False)
    assert off != text
    assert switched(off, armed=True) == text


def test_a_file_that_says_so_already_is_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(SMALL)
    os.utime(path, (0, 0))
    switch(path, armed=True)
    assert path.stat().st_mtime == 0


def test_mode_is_kept_and_a_link_is_followed(tmp_path: Path) -> None:
    real, link = tmp_path / "real.yaml", tmp_path / "config.yaml"
    real.write_text(SMALL)
    real.chmod(0o640)
    link.symlink_to(real)
    switch(link, armed=False)
    assert link.is_symlink()
    assert stat.S_IMODE(real.stat().st_mode) == 0o640
    assert not load(real).decision.armed
    assert sorted(one.name for one in tmp_path.iterdir()) == ["config.yaml", "real.yaml"]


@pytest.mark.parametrize("odd", ['"decision":\n  armed: true\n', 'decision:\n  "armed": true\n'])
def test_what_is_written_too_unusually_is_left_to_its_author(tmp_path: Path, odd: str) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(SMALL + odd)
    with pytest.raises(ConfigError, match="edit it by hand"):
        switch(path, armed=False)
    assert path.read_text() == SMALL + odd


def test_a_wrong_file_is_not_changed(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(SMALL + "decision: {armed: true, confirm_framez: 3}\n")
    with pytest.raises(ConfigError, match="confirm_framez"):
        switch(path, armed=False)
