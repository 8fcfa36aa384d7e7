import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from edged.config import load
from edged.doctor.machine import Machine
from edged.storage.vault import CREDENTIAL_NAME

ROOT = Path(__file__).parents[2]
UNIT = ROOT / "systemd/edged.service"
DOOR_UNIT = ROOT / "systemd/edged-door.service"
COLLECT_UNIT = ROOT / "systemd/edged-collect.service"
each_unit = pytest.mark.parametrize("source", [UNIT, DOOR_UNIT, COLLECT_UNIT], ids=lambda path: path.stem)
each_installed = pytest.mark.parametrize(
    "name",
    ["edged.service", "edged-door.service", "edged@.service", "edged-collect.service"],
    ids=lambda name: name.split(".")[0],
)
ANALYZE, SYSUSERS, TMPFILES = map(shutil.which, ("systemd-analyze", "systemd-sysusers", "systemd-tmpfiles"))
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
    "etc/systemd/system/edged-collect.service",
    "etc/sysusers.d/edged.conf",
    "etc/tmpfiles.d/edged.conf",
    "etc/edged/config.yaml",
    "etc/edged/config.schema.json",
    "usr/local/bin/edged",
}


@pytest.fixture(scope="module")
def staged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Everything that `make install-service` puts into place."""
    if shutil.which("make") is None:
        pytest.skip("make is not on this machine")
    folder = tmp_path_factory.mktemp("staged")
    make("install-service", folder)
    return folder


@needs_systemd
@each_installed
def test_systemd_understands_the_unit(staged: Path, tmp_path: Path, name: str) -> None:
    for unit in (staged / "etc/systemd/system").iterdir():
        text = re.sub(r"/opt/edged/bin/(edged|python)\b", sys.executable, unit.read_text())
        (tmp_path / unit.name).write_text(text)
    unit = tmp_path / name
    done = subprocess.run(
        [ANALYZE or "", "verify", "--man=no", str(unit)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


@needs_systemd
@each_installed
def test_the_unit_is_hardened(staged: Path, name: str) -> None:
    unit = staged / "etc/systemd/system" / name
    done = subprocess.run(
        [ANALYZE or "", "security", "--offline=true", "--no-pager", str(unit)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    score = re.search(r"Overall exposure level for edged.*.service: ([0-9.]+)", done.stdout)
    assert score is not None
    assert float(score[1]) <= 1.5


def allowed(unit: Path) -> set[str]:
    """The system calls that a unit's lines leave it, as systemd.exec(5) has them: the last word counts."""
    calls: set[str] = set()
    lines = unit.read_text().splitlines()
    for line in (line for line in lines if line.startswith("SystemCallFilter=")):
        words = line.removeprefix("SystemCallFilter=")
        named = members(words.removeprefix("~").split())
        calls = calls - named if words.startswith("~") else calls | named
    return calls - members(["@clock"]) if "ProtectClock=yes" in lines else calls


def members(names: list[str]) -> set[str]:
    """System calls, those of sets included."""
    found: set[str] = set()
    for name in names:
        if not name.startswith("@"):
            found.add(name)
            continue
        listed = subprocess.run(
            [ANALYZE or "", "syscall-filter", "--no-pager", name], capture_output=True, text=True, check=True
        ).stdout.splitlines()
        words = [line.strip() for line in listed if line.startswith("    ")]
        found |= members([word for word in words if word and not word.startswith("#")])
    return found


@needs_systemd
def test_only_the_door_process_may_ask_whether_the_clock_is_right_and_none_may_set_it() -> None:
    asking, setting = {"adjtimex", "clock_adjtime"}, {"clock_settime", "settimeofday"}
    assert allowed(DOOR_UNIT) & (asking | setting) == asking
    assert allowed(UNIT) & (asking | setting) == set()
    assert "CapabilityBoundingSet=" in DOOR_UNIT.read_text().splitlines()


@needs_systemd
def test_the_publishers_timer_is_understood_and_its_service_hardened(tmp_path: Path) -> None:
    for kind in ("service", "timer"):
        text = (ROOT / f"systemd/edged-fleet-renew.{kind}").read_text()
        (tmp_path / f"edged-fleet-renew.{kind}").write_text(
            text.replace("/opt/edged/bin/edged", sys.executable)
        )
        done = subprocess.run(
            [ANALYZE or "", "verify", "--man=no", str(tmp_path / f"edged-fleet-renew.{kind}")],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert (done.returncode, done.stderr) == (0, "")
    unit = tmp_path / "edged-fleet-renew.service"
    done = subprocess.run(
        [ANALYZE or "", "security", "--offline=true", "--no-pager", str(unit)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    score = re.search(r"Overall exposure level for edged-fleet-renew.service: ([0-9.]+)", done.stdout)
    assert score is not None
    assert float(score[1]) <= 1.6


@pytest.mark.skipif(SYSUSERS is None or TMPFILES is None, reason="systemd is not on this machine")
@pytest.mark.skipif(os.geteuid() != 0, reason="accounts and owners are root's to make")
def test_accounts_and_folders_are_made_and_only_the_door_has_the_line(staged: Path, tmp_path: Path) -> None:
    shutil.copytree(staged / "etc", tmp_path / "etc")
    for _ in range(2):
        subprocess.run([SYSUSERS or "", f"--root={tmp_path}"], check=True, capture_output=True)
        configuration = str(tmp_path / "etc/tmpfiles.d/edged.conf")
        subprocess.run([TMPFILES or "", f"--root={tmp_path}", "--create", configuration], check=True)
    machine = Machine(tmp_path)
    watcher, door = machine.account("edged"), machine.account("edged-door")
    assert watcher is not None
    assert door is not None
    assert machine.group_members("gpio") == {"edged-door"}
    assert machine.group_members("video") == {"edged"}
    kept = {name: (tmp_path / name).stat() for name in ("var/lib/edged", "run/edged", "run/edged-door")}
    assert {name: (found.st_uid, f"{found.st_mode & 0o7777:o}") for name, found in kept.items()} == {
        "var/lib/edged": (watcher.uid, "700"),
        "run/edged": (watcher.uid, "755"),
        "run/edged-door": (door.uid, "750"),
    }
    assert kept["run/edged-door"].st_gid == watcher.gid


@pytest.mark.parametrize(
    ("environment", "told"),
    [
        ({}, "/etc/edged/config.yaml {given}"),
        ({"EDGED_CONFIG": "mine.yaml"}, "mine.yaml none"),
        ({"CREDENTIALS_DIRECTORY": "/else"}, "/etc/edged/config.yaml /else"),
    ],
)
def test_the_command_has_what_the_service_was_given(
    tmp_path: Path, environment: dict[str, str], told: str
) -> None:
    given = tmp_path / "given"
    given.mkdir()
    programs = {"edged": 'echo "$EDGED_CONFIG ${CREDENTIALS_DIRECTORY:-none}"', "id": "echo 1000"}
    for name, line in programs.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{line}\n")
        (tmp_path / name).chmod(0o755)
    text = (
        (ROOT / "systemd/edged.command").read_text().replace("/opt/edged/bin/edged", str(tmp_path / "edged"))
    )
    assert "given=/run/credentials/edged.service\n" in text
    done = subprocess.run(
        ["sh", "-c", text.replace("/run/credentials/edged.service", str(given))],
        env={"PATH": f"{tmp_path}:{os.environ['PATH']}", **environment},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.strip() == told.format(given=given)


@needs_systemd
def test_the_lines_for_secrets_are_ones_that_systemd_takes(tmp_path: Path) -> None:
    text = UNIT.read_text().replace("#LoadCredential=", "LoadCredential=")
    unit = tmp_path / UNIT.name
    unit.write_text(
        text.replace("/opt/edged/bin/edged", sys.executable).replace("Wants=edged-door.service\n", "")
    )
    done = subprocess.run(
        [ANALYZE or "", "verify", "--man=no", str(unit)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_secrets_are_described_where_they_are_given() -> None:
    text = UNIT.read_text()
    assert f"#LoadCredential={CREDENTIAL_NAME}:" in text
    assert "$CREDENTIALS_DIRECTORY/mqtt-password" in text


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
    # Both with the folder of the fire's latch: what the one has released, the other must not shut.
    program = "/opt/edged/bin/python -m edged.doorway"
    given = "--config /etc/edged/config.yaml --state ${STATE_DIRECTORY}"
    assert f"ExecStart={program} {given}" in door
    assert f"ExecStopPost={program} --secure {given}" in door
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
    for name in ("edged", "edged@"):
        unit = (tmp_path / f"etc/systemd/system/{name}.service").read_text()
        assert "ReadWritePaths=-/srv/data\n" in unit  # ProtectSystem= leaves nothing else writable


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
    waiting = tmp_path / "var/lib/edged-door/events"
    waiting.parent.mkdir()
    waiting.write_text("events")
    collected = tmp_path / "var/lib/private/edged-collect/events.db"  # as systemd keeps it with DynamicUser=
    collected.parent.mkdir(parents=True)
    collected.write_text("events")
    other = tmp_path / "var/lib/private/another/file"
    other.parent.mkdir()
    other.touch()
    link = tmp_path / "var/lib/edged-collect"
    link.symlink_to("private/edged-collect")
    assert "PURGE=1 removes them" in make("uninstall", tmp_path).stdout
    kept = {
        "etc/edged/config.yaml", "var/lib/edged/people.db", "var/lib/edged-door/events",
        "var/lib/private/edged-collect/events.db", "var/lib/private/another/file",
    }  # fmt: skip
    assert files(tmp_path) == kept
    make("uninstall", tmp_path)
    assert files(tmp_path) == kept
    for _ in range(2):
        make("uninstall", tmp_path, "PURGE=1")
        assert files(tmp_path) == {"var/lib/private/another/file"}
        assert not link.is_symlink()


@needs_make
@pytest.mark.parametrize(
    "variable", ["DATA_DIR=/", "DATA_DIR=", "DATA_DIR=/var/..", "CONFIG_DIR=/etc", "DATA_DIR=data"]
)
def test_a_mistyped_folder_is_refused_before_anything_is_removed(tmp_path: Path, variable: str) -> None:
    make("install-service", tmp_path)
    before = files(tmp_path)
    with pytest.raises(subprocess.CalledProcessError) as caught:
        make("uninstall", tmp_path, "PURGE=1", variable)
    assert "expected a folder of edged's own" in caught.value.stderr
    assert files(tmp_path) == before


@needs_make
def test_uninstall_leaves_a_folder_that_is_not_ours(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home/letter").touch()
    make("uninstall", tmp_path, "PROGRAM_DIR=/home")
    assert files(tmp_path) == {"home/letter"}


LOCKS = ("requirements.lock", "requirements-dev.lock", "requirements-build.lock", "requirements-fuzz.lock")


@pytest.mark.parametrize("name", LOCKS)
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
        "requirements-dev.lock": project["dependencies"] + extras["dev"] + extras["demo"] + extras["collect"],
        "requirements-fuzz.lock": extras["fuzz"],
    }
    for name, requirements in wanted.items():
        pinned = set(
            re.findall(r"^([a-z0-9-]+)(?:\[[a-z0-9,]+\])?==", (ROOT / name).read_text(), re.MULTILINE)
        )
        names = {re.split(r"[^A-Za-z0-9-]", text)[0].lower() for text in requirements}
        assert names - pinned == set(), name
