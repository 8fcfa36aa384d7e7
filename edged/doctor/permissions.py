"""Who may read and write what: data, secrets, sockets, and the accounts of the services."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from edged.config.sections import Config, UrlSource, V4l2Source
from edged.doctor.door_process import ACCOUNT
from edged.doctor.finding import Finding, State
from edged.doctor.machine import Machine
from edged.doctor.patient import Patient

_OTHERS, _GROUP_AND_OTHERS = 0o007, 0o077
_WRITABLE_BY_ALL, _WRITABLE_BY_MORE = 0o002, 0o022
# What SQLite and edged keep beside a database; each holds rows, or says who writes.
_BESIDE = ("", "-wal", "-shm", ".lock", ".epoch")


def permissions(patient: Patient) -> Finding:
    """Look for files that others read or replace, and for accounts without their groups."""
    config = patient.config
    troubles = [
        *_data(config),
        *_secrets(config),
        *_folders(config),
        *_configuration(patient.path),
        *_accounts(config, patient.machine),
    ]
    for state in (State.FAILED, State.WARNING):
        if told := [text for grade, text in troubles if grade is state]:
            return Finding(state, "; ".join(told), {"troubles": [text for _, text in troubles]})
    return Finding(State.OK, "data and secrets are private, nobody else can replace them")


Troubles = Iterator[tuple[State, str]]


def secret_files(config: Config) -> dict[str, Path]:
    """Return the files that nobody but the service may read, by the dotted path of their key."""
    source, tls = config.camera.source, config.mqtt.tls
    named = {
        "camera.source.password_file": source.password_file if isinstance(source, UrlSource) else None,
        "mqtt.password_file": config.mqtt.password_file,
        "mqtt.tls.key_file": None if tls is None else tls.key_file,
        "second_factor.mqtt_key_file": config.second_factor.mqtt_key_file,
    }
    return {key: path for key, path in named.items() if path is not None}


def is_credential(path: Path) -> bool:
    """Whether the service manager gave it: it grants by access list, which shows as bits of the group."""
    folder = os.environ.get("CREDENTIALS_DIRECTORY")
    return bool(folder) and path.parent == Path(folder or "")


def _data(config: Config) -> Troubles:
    for database in (config.journal.path, config.gallery.path):
        for name in _BESIDE:
            path = database.with_name(f"{database.name}{name}")
            if (mode := _mode(path)) is not None and mode & _GROUP_AND_OTHERS:
                yield State.FAILED, f"{path} has mode {mode:04o}, others may use it: chmod 600 {path}"


def _secrets(config: Config) -> Troubles:
    for key, path in secret_files(config).items():
        mode = _mode(path)
        if mode is None:
            if not os.access(path, os.R_OK):
                yield State.FAILED, f"{key}: {path} cannot be read; run this as the service's user"
        elif is_credential(path):
            continue
        elif mode & _OTHERS:
            yield State.FAILED, f"{key}: {path} has mode {mode:04o}, everybody may use it: chmod 600 {path}"
        elif mode & _GROUP_AND_OTHERS:
            yield State.WARNING, f"{key}: {path} has mode {mode:04o}, its group may use it"


def _folders(config: Config) -> Troubles:
    folders = [config.journal.path.parent, config.gallery.path.parent, config.gallery.key_file.parent]
    if config.door.socket is not None:
        folders.append(config.door.socket.parent)
    if config.second_factor.enabled:
        folders.append(config.second_factor.socket_path.parent)
    folders.append(config.models.directory)
    for folder in dict.fromkeys(folders):
        mode = _mode(folder)
        if mode is None or not mode & _WRITABLE_BY_MORE:
            continue
        state = State.FAILED if mode & _WRITABLE_BY_ALL else State.WARNING
        yield state, f"{folder} has mode {mode:04o}, others may replace what is in it: chmod go-w {folder}"


def _configuration(path: Path | None) -> Troubles:
    """Whoever writes it decides who opens the door."""
    if path is None:
        return
    for one in (path, path.resolve().parent):
        mode = _mode(one)
        if mode is not None and mode & _WRITABLE_BY_ALL:
            yield State.FAILED, f"{one} has mode {mode:04o}, everybody may change it: chmod o-w {one}"


def _accounts(config: Config, machine: Machine) -> Troubles:
    """Only where the services' accounts were made: at a desk nobody but oneself is concerned."""
    wanted = [(ACCOUNT, "gpio")] if config.door.socket is not None else []
    if isinstance(config.camera.source, V4l2Source):
        wanted.append(("edged", "video"))
    for account, group in wanted:
        if machine.account(account) is None:
            continue
        members = machine.group_members(group)
        if members is None or account not in members:
            yield State.FAILED, f"{account} is not in the group {group}: usermod -aG {group} {account}"


def _mode(path: Path) -> int | None:
    """Return the mode of what is there; None where nothing is. Raises ``OSError`` where we may not look."""
    try:
        found = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    # In a folder such as /tmp, with the sticky bit, nobody replaces what is another's.
    mode = stat.S_IMODE(found.st_mode)
    return mode & ~_WRITABLE_BY_MORE if mode & stat.S_ISVTX else mode
