"""Everything a demo needs before the daemon starts: a folder, a configuration, models, people."""

import contextlib
import hashlib
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from edged.config import Config, load
from edged.config.packs import configured_packs
from edged.demo.photographs import Say
from edged.demo.reel import FPS
from edged.demo.stage import Actor
from edged.domain.count import counted
from edged.enrolment.entries import Entry
from edged.enrolment.opening import open_enrolment
from edged.enrolment.reports import PersonReport
from edged.enrolment.service import Policy
from edged.enrolment.sources import FilePhoto
from edged.errors import EnrolmentError, ModelError, StoreError
from edged.fleet.local_broker import LocalBroker
from edged.storage.guard import WriterGuard
from edged.vision.installation import Installer
from edged.vision.packs import DESCRIPTOR, Catalogue

CONFIG_NAME = "config.yaml"
SCENE_NAME = "scene"
_MARK = "# Written by edged demo, of which the next one makes everything anew; contents:"
_DATABASES = ("people.db", "journal.db")
# What a run leaves behind and the next one makes anew, so that its records tell of one show. The
# databases' .lock files stay: removing them would let two writers in.
_REMAINS = (
    *(f"{name}{part}" for name in _DATABASES for part in ("", "-wal", "-shm")),
    "people.calibration.json",
    "lock.jsonl",
)


@dataclass(frozen=True, slots=True)
class Options:
    """Where and with what: ``models`` is a folder of packs or of weights, None the default.

    ``liveness`` names a pack of liveness networks. Without one, ``guarded`` asks for the cue that needs
    none and carries the bundled people's replay; cut-outs of any photograph have edges of their own.
    """

    folder: Path
    models: Path | None = None
    detector: str | None = None
    embedder: str | None = None
    http_port: int = 9477
    liveness: str | None = None
    guarded: bool = False


def clear(folder: Path) -> None:
    """Make ``folder`` ready for a show; what an earlier one left is removed, but for models and key.

    Raises ``StoreError`` where the folder holds anything that a demo did not put there, where its
    configuration was changed, and while a door runs in it.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not any(folder.iterdir()):
            return
        if not _is_ours(folder / CONFIG_NAME):
            raise StoreError(
                f"{folder} holds something that is not the demo's, or its {CONFIG_NAME} was changed: "
                "name an empty --folder"
            )
        with contextlib.ExitStack() as held:
            for name in _DATABASES:
                held.callback(WriterGuard.acquire(folder / name, 0.0).release)
            for name in _REMAINS:
                (folder / name).unlink(missing_ok=True)
    except OSError as exc:
        if isinstance(exc, StoreError):
            raise
        raise StoreError(f"{folder}: {exc.strerror or exc}") from exc


def _is_ours(config: Path) -> bool:
    """Tell whether ``config`` is, to the byte, what a demo wrote: somebody's own door is never cleared."""
    if not config.is_file():
        return False
    first, _, rest = config.read_text(encoding="utf-8", errors="replace").partition("\n")
    return first == f"{_MARK} {_digest(rest)}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def write_config(
    options: Options, *, broker: LocalBroker | None, source: Mapping[str, object] | None
) -> Config:
    """Write ``config.yaml`` of a door that lives in the folder, and load it; ``source`` None is the replay.

    It stays, so that ``edged events``, ``explain``, ``report`` and ``people`` work on the demo's door. Raises
    ``StoreError`` where it cannot be written, ``ModelError`` where ``options`` name no folder of models.
    """
    mqtt: dict[str, object] = {"enabled": False}
    if broker is not None:
        mqtt = {"port": broker.port, "protocol": broker.protocol}
    document = {
        "site": "demo",
        "door_id": "desk",
        "camera": {"source": source or {"type": "folder", "path": SCENE_NAME, "fps": FPS}},
        "door": {"unlock_seconds": 1.5, "lock": {"driver": "fake", "trace_path": "lock.jsonl"}},
        "models": _models(options),
        "liveness": _liveness(options),
        # People follow each other faster than at a door.
        "decision": {"cooldown_seconds": 2.0},
        "attendance": {"enabled": True, "direction": "in", "double_punch_seconds": 2.0},
        "mqtt": mqtt,
        "journal": {"path": "journal.db"},
        "gallery": {"path": "people.db", "key_file": "vault.key"},
        "http": {"port": _free(options.http_port)},
        "logging": {"level": "warning"},
    }
    path = options.folder / CONFIG_NAME
    try:
        text = yaml.safe_dump(document, sort_keys=False)
        path.write_text(f"{_MARK} {_digest(text)}\n{text}", encoding="utf-8")
    except OSError as exc:
        raise StoreError(f"{path}: cannot be written: {exc.strerror or exc}") from exc
    return load(path)


def install_models(config: Config, weights: Path | None, say: Say) -> None:
    """Make sure that the configured packs are there. Raises ``ModelError`` saying what to pull or import."""
    catalogue = Catalogue(config.models.directory)
    wanted = configured_packs(config.models, config.liveness)
    missing = [name for name in wanted if not catalogue.find(name).present()]
    if missing and weights is not None and not _holds_packs(weights):
        Installer(catalogue).import_from([weights])
        missing = [name for name in wanted if not catalogue.find(name).present()]
    if missing:
        raise ModelError(
            f"the files of the model pack {' and '.join(missing)} are missing: name a folder that holds them "
            f"with --models DIR; `edged models info {missing[0]}` shows the files and their hashes"
        )
    say("models", ", ".join(f"{name} ({_precision(catalogue, name, config)})" for name in wanted))


def enrol(config: Config, actors: Sequence[Actor], say: Say) -> list[Actor]:
    """Enrol who is to be enrolled; return everybody but those who were refused, which is told.

    Raises ``EdgedError``.
    """
    entries = [Entry(one.name, tuple(FilePhoto(path) for path in one.enrol)) for one in actors if one.enrol]
    with open_enrolment(config.models, config.quality, config.gallery, Policy()) as tools:
        reports = {report.name: report for report in tools.enrolment.run(entries)}
    for report in reports.values():
        _tell(report, say)
    if all(report.person_id is None for report in reports.values()):
        raise EnrolmentError("no_people", "nobody could be enrolled, so there is nothing to show")
    return [one for one in actors if not one.enrol or (one.name in reports and reports[one.name].person_id)]


def _tell(report: PersonReport, say: Say) -> None:
    if report.person_id is None:
        say("refused", f"{report.name}: {report.text}; takes no part")
        return
    count = report.accepted
    say("enrolled", f"{report.name}, {counted(count, 'photograph')}")
    for photo in report.photos:
        if not photo.accepted:
            say("skipped", f"{photo.label}: {photo.text}")


def _precision(catalogue: Catalogue, name: str, config: Config) -> str:
    """Return the precision that a pack will run in."""
    wanted = config.models.precision
    return catalogue.in_force(name).present()[0] if wanted == "auto" else wanted


def _models(options: Options) -> dict[str, str]:
    """Return the models section: a folder that holds packs is used as it is, and never written to."""
    directory = "models"
    if options.models is not None:
        if not options.models.is_dir():
            raise ModelError(f"--models {options.models}: not a folder")
        if _holds_packs(options.models):
            directory = str(options.models.absolute())
    named = {"detector": options.detector, "embedder": options.embedder}
    return {"directory": directory} | {key: name for key, name in named.items() if name is not None}


def _liveness(options: Options) -> dict[str, object]:
    # A busy desk must not make dead people of the demo's; frames that are too old are refused anyway.
    patient = {"mode": "required", "timeout_ms": 2000}
    if options.liveness is not None:
        return patient | {"pack": options.liveness}
    # On this replay every frame of a visitor has 0.4 or more, and the print 0.06.
    return patient | {"cues": ["border"], "threshold": 0.3} if options.guarded else {"mode": "off"}


def _holds_packs(folder: Path) -> bool:
    return any(folder.glob(f"*/{DESCRIPTOR}"))


def _free(port: int) -> int:
    """Return ``port``, or 0 (any) where somebody listens on it already."""
    with contextlib.closing(socket.socket()) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind(("127.0.0.1", port))
        except OSError:
            return 0
    return port
