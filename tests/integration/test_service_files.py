import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from edged.config import load

ROOT = Path(__file__).parents[2]
UNIT = ROOT / "systemd/edged.service"
DOOR_UNIT = ROOT / "systemd/edged-door.service"
each_unit = pytest.mark.parametrize("source", [UNIT, DOOR_UNIT], ids=lambda path: path.stem)
ANALYZE = shutil.which("systemd-analyze")
needs_systemd = pytest.mark.skipif(ANALYZE is None, reason="systemd-analyze is not on this machine")
needs_make = pytest.mark.skipif(shutil.which("make") is None, reason="make is not on this machine")


def make(target: str, destination: Path, *variables: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        ["make", "--no-print-directory", target, f"DESTDIR={destination}", *variables],
        cwd=ROOT, capture_output=True, text=True, check=True, timeout=60,
        env={key: value for key, value in os.environ.items() if not key.startswith("MAKE")},
    )  # fmt: skip


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


INSTALLED = {
    "etc/systemd/system/edged.service",
    "etc/systemd/system/edged@.service",
    "etc/systemd/system/edged-door.service",
    "etc/sysusers.d/edged.conf",
    "etc/edged/config.yaml",
    "etc/edged/config.schema.json",
    "usr/local/bin/edged",
}


@needs_systemd
@each_unit
def test_systemd_understands_the_unit(tmp_path: Path, source: Path) -> None:
    for unit in (UNIT, DOOR_UNIT):
        (tmp_path / unit.name).write_text(
            unit.read_text()
            .replace("/opt/edged/bin/edged", sys.executable)
            .replace("/opt/edged/bin/python", sys.executable)
        )
    unit = tmp_path / source.name
    done = subprocess.run(
        [ANALYZE or "", "verify", "--man=no", str(unit)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


@needs_systemd
@each_unit
def test_the_unit_is_hardened(source: Path) -> None:
    done = subprocess.run(
        [ANALYZE or "", "security", "--offline=true", "--no-pager", str(source)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    score = re.search(r"Overall exposure level for edged.*.service: ([0-9.]+)", done.stdout)
    assert score is not None
    assert float(score[1]) <= 1.5


@each_unit
def test_the_unit_is_started_again_however_it_ended(source: Path) -> None:
    lines = source.read_text().splitlines()
    for line in (
        "Type=notify", "Restart=always", "StartLimitIntervalSec=0", "RestartPreventExitStatus=78",
        "LimitCORE=0", "UMask=0077",
    ):  # fmt: skip
        assert line in lines
    assert [line for line in lines if line.startswith("WatchdogSec=")]


def test_the_line_is_the_door_process_s_alone_and_secure_after_every_run() -> None:
    door, watcher = DOOR_UNIT.read_text().splitlines(), UNIT.read_text()
    secure = "/opt/edged/bin/python -m edged.doorway --secure --config /etc/edged/config.yaml"
    assert f"ExecStopPost={secure}" in door
    assert [line for line in door if line.startswith("DeviceAllow")] == ["DeviceAllow=char-gpiochip rw"]
    assert "gpio" not in watcher
    users = (ROOT / "systemd/edged.sysusers.conf").read_text().splitlines()
    assert [line for line in users if line.endswith(" gpio")] == ["m edged-door gpio"]


@needs_make
def test_install_stages_a_service_whose_configuration_is_fine(tmp_path: Path) -> None:
    make("install-service", tmp_path)
    assert files(tmp_path) == INSTALLED
    assert os.access(tmp_path / "usr/local/bin/edged", os.X_OK)
    path = tmp_path / "etc/edged/config.yaml"
    config = load(path, {})
    data = Path("/var/lib/edged")
    assert config.journal.path == data / "journal.db"
    assert config.gallery.path == data / "people.db"
    assert config.gallery.key_file == data / "vault.key"
    assert config.models.directory == data / "models"
    assert config.door.socket == Path("/run/edged-door/door.sock")
    reader = (tmp_path / "etc/systemd/system/edged@.service").read_text()
    assert "Environment=EDGED_CONFIG=/etc/edged/%i.yaml\n" in reader
    assert path.read_text().startswith("# yaml-language-server: $schema=config.schema.json\n")


@needs_make
def test_install_again_keeps_the_configuration(tmp_path: Path) -> None:
    make("install-service", tmp_path)
    path = tmp_path / "etc/edged/config.yaml"
    path.write_text("mine")
    unit = tmp_path / "etc/systemd/system/edged.service"
    unit.write_text("old")
    assert "kept /etc/edged/config.yaml" in make("install-service", tmp_path).stdout
    assert path.read_text() == "mine"
    assert "ExecStart" in unit.read_text()


@needs_make
def test_other_folders_reach_every_file(tmp_path: Path) -> None:
    make("install-service", tmp_path, "PROGRAM_DIR=/srv/edged", "CONFIG_DIR=/srv/etc", "DATA_DIR=/srv/data")
    texts = [(tmp_path / name).read_text() for name in files(tmp_path) if "schema" not in name]
    assert load(tmp_path / "srv/etc/config.yaml", {}).journal.path == Path("/srv/data/journal.db")
    for text in texts:
        assert not re.search(r"/opt/edged|/var/lib/edged/", text)


@needs_make
def test_uninstall_keeps_people_and_events_unless_told(tmp_path: Path) -> None:
    make("install-service", tmp_path)
    program = tmp_path / "opt/edged"
    (program / "bin").mkdir(parents=True)
    (program / "bin/edged").touch()
    (program / "pyvenv.cfg").touch()
    data = tmp_path / "var/lib/edged/people.db"
    data.parent.mkdir(parents=True)
    data.write_text("people")
    assert "PURGE=1 removes them" in make("uninstall", tmp_path).stdout
    assert files(tmp_path) == {"etc/edged/config.yaml", "var/lib/edged/people.db"}
    make("uninstall", tmp_path)
    make("uninstall", tmp_path, "PURGE=1")
    assert files(tmp_path) == set()


@needs_make
def test_uninstall_leaves_a_folder_that_is_not_ours(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home/letter").touch()
    make("uninstall", tmp_path, "PROGRAM_DIR=/home")
    assert files(tmp_path) == {"home/letter"}


@pytest.mark.parametrize("name", ["requirements.lock", "requirements-dev.lock", "requirements-build.lock"])
def test_lock_files_pin_hashes_and_name_no_place(name: str) -> None:
    text = (ROOT / name).read_text()
    assert re.search(r"^[a-z0-9-]+==\S+ .*\\\n    --hash=sha256:[0-9a-f]{64}", text, re.MULTILINE)
    pins = re.findall(r"^(\S.*)$", text, re.MULTILINE)
    assert pins
    assert all(re.match(r"[a-z0-9-]+(\[[a-z0-9,]+\])?==[^ ]+ (; .* )?\\$", pin) for pin in pins)
    assert not re.search(r"://|file:|^-|/(?:home|root|tmp|opt|work)\b", text, re.MULTILINE)


def test_the_lock_file_covers_what_is_asked_for() -> None:
    """Each dependency of pyproject.toml has a pin."""
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    wanted = {
        "requirements.lock": project["dependencies"],
        "requirements-dev.lock": project["dependencies"] + extras["dev"] + extras["demo"],
    }
    for name, requirements in wanted.items():
        pinned = set(
            re.findall(r"^([a-z0-9-]+)(?:\[[a-z0-9,]+\])?==", (ROOT / name).read_text(), re.MULTILINE)
        )
        names = {re.split(r"[^A-Za-z0-9-]", text)[0].lower() for text in requirements}
        assert names - pinned == set(), name
