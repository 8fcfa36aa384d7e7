"""What a command is given wrongly ends in a sentence, not in a traceback."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from edged.cli.main import app
from edged.demo.rendering import check_place
from edged.errors import ConfigError, EdgedError, StoreError
from edged.publishing.groups import access_record

CONFIG = """
site: hq
door_id: front
camera: {source: {type: file, path: x.mp4}}
door: {lock: {driver: fake}}
mqtt: {enabled: false}
journal: {path: journal.db}
gallery: {path: people.db, key_file: vault.key}
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a configuration, a file that is empty, one that is noise, and a folder."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config.yaml").write_text(CONFIG)
    (tmp_path / "empty").touch()
    (tmp_path / "noise").write_bytes(bytes(range(256)) * 16)
    (tmp_path / "folder").mkdir()
    return tmp_path


def refused(*words: str) -> str:
    """Run what must fail, and return the sentence that the program would end with."""
    error = CliRunner().invoke(app, list(words)).exception
    assert isinstance(error, EdgedError), error
    return str(error)


@pytest.mark.parametrize("path", ["nowhere/x", "folder", "empty/x"])
def test_a_card_goes_into_a_file_that_can_be_written(place: Path, path: str) -> None:
    assert f"{path}: cannot be written" in refused("fleet", "card", "-o", path)


def test_a_key_goes_into_a_folder(place: Path) -> None:
    assert "empty/x: cannot be created: Not a directory" in refused("second-factor", "key", "empty/x")


@pytest.mark.parametrize(
    "content",
    [
        b"2020-99-99", b"schedules: !!int ''", b"a: !!timestamp x", b"a: !!bool x", b"- 1", b"\xff\xfe",
        b"a: [",
        b"a: &a [*a]", b"[" * 5000, b"x: 1" + b"1" * 5000, b"schedules: {}\nschedules: {}",
    ],
)  # fmt: skip
def test_hours_that_are_none_are_refused(place: Path, content: bytes) -> None:
    (place / "hours.yaml").write_bytes(content)
    with pytest.raises(ConfigError, match=r"hours\.yaml: "):
        access_record(place / "hours.yaml")


@pytest.mark.parametrize("path", ["nowhere", "folder", "noise"])
def test_hours_that_cannot_be_read_are_named(place: Path, path: str) -> None:
    with pytest.raises(ConfigError, match=path):
        access_record(place / path)


def test_hours_are_written_as_in_a_door_s_own_configuration(place: Path) -> None:
    (place / "hours.yaml").write_text(
        "schedules: {day: [{days: [mon], from: 08:00, to: 18:30}]}\ngroups: {staff: [day]}\n"
    )
    (period,) = access_record(place / "hours.yaml").schedules["day"]
    assert (period.start, period.end) == ("08:00", "18:30")


def test_a_picture_goes_to_a_name_that_opencv_can_write(place: Path) -> None:
    check_place(place / "x.png")
    with pytest.raises(StoreError, match="not UTF-8"):
        check_place(place / "x\udcff.png")
