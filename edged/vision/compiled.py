"""Compiled files: where they lie, which of them may stand for a pack's file, and opening one.

A compiled file gives the numbers of the pack's file within a tolerance, and takes pixels. Its folder is
named by a hash of all that its verification depended on: the file it was made of, how that is fed, the
compiler, onnxruntime, the providers and the processor. Where one of these changes there is no such folder,
and the pack's own file runs. Whoever may write the models directory may replace a model, as with a pack
that edged does not describe: compiled files that others may write are not taken.
"""

import hashlib
import logging
import platform
import stat
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated

import msgspec
import onnxruntime
from msgspec import Meta

from edged.config.sections import ModelsConfig
from edged.errors import ModelError
from edged.vision.choice import running_threads
from edged.vision.packs import ModelSpec, Pack, Precision, sha256_of
from edged.vision.session import PixelSession

logger = logging.getLogger(__name__)

# Raised with every change of what compiled files hold, or of what decides whether one is used.
COMPILER = 4
FOLDER = "compiled"
MODEL = "model.onnx"
RECORD = "record.json"
# The form of a record without a file: rewriting was tried, and gained nothing or was refused.
ORIGINAL = "original"
# A record has some 700 bytes.
_LIMIT_BYTES = 16_384
_OTHERS_MAY_WRITE = 0o022

Digest = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]


class Record(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is known of a compiled file.

    ``deviation`` is the largest difference of an output as a share of its largest value, ``cosine`` the
    lowest of an output to the original's, over ``samples`` pictures. The milliseconds are of processor, of
    runs in turns and in one thread, picture to outputs, what nine of ten took at least; ``ratio`` is their
    quotient.
    """

    source: Digest
    sha256: Digest
    size: Annotated[int, Meta(gt=0, le=2**31)]
    form: str
    deviation: Annotated[float, Meta(ge=0)]
    cosine: float
    samples: Annotated[int, Meta(gt=0)]
    original_ms: Annotated[float, Meta(ge=0)]
    compiled_ms: Annotated[float, Meta(ge=0)]
    ratio: Annotated[float, Meta(ge=0)]
    threads: int
    edged: str
    onnxruntime: str
    device: str


@dataclass(frozen=True, slots=True)
class CompiledFile:
    """A compiled file whose record belongs to what is asked for; its own hash is checked on opening."""

    path: Path
    record: Record


def compiled_folder(spec: ModelSpec, precision: Precision, models: ModelsConfig) -> Path:
    """Return the folder in which the compiled file of ``spec`` belongs; it may be absent."""
    depends = [
        COMPILER,
        spec.files[precision].sha256,
        [spec.task, *spec.input, spec.channels, spec.mean, spec.scale],
        onnxruntime.__version__,
        list(models.providers),
        device(),
    ]
    name = hashlib.sha256(msgspec.json.encode(depends)).hexdigest()
    return models.directory / FOLDER / name


@cache
def device() -> str:
    """Return what tells this processor from others whose kernels may round otherwise."""
    kinds = ("model name", "Hardware", "CPU part", "Features", "flags")
    told = {}
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
            name, _, value = line.partition(":")
            if name.strip() in kinds:
                told[name.strip()] = value.strip()
    except OSError:
        pass
    # The flags are a thousand characters; their hash tells as much.
    digest = hashlib.sha256(msgspec.json.encode(told, order="sorted")).hexdigest()[:16]
    return f"{platform.machine()} {told.get('model name', platform.system())[:80]} {digest}"


def find_compiled(spec: ModelSpec, precision: Precision, models: ModelsConfig) -> CompiledFile | None:
    """Return the compiled file of ``spec``, None where there is none or the original was found to be as good.

    Raises ``ModelError`` for one that must not be used, with the reason.
    """
    folder = compiled_folder(spec, precision, models)
    if not folder.exists():
        return None
    path = folder / MODEL
    for one in (folder.parent, folder, folder / RECORD):
        check_place(one)
    record = _read_record(folder / RECORD)
    if record.source != spec.files[precision].sha256:
        raise ModelError(f"{folder}: made of another file")
    if record.form == ORIGINAL:
        return None
    check_place(path)
    return CompiledFile(path, record)


def open_compiled(
    pack: Pack, spec: ModelSpec, precision: Precision, models: ModelsConfig
) -> PixelSession | None:
    """Open the compiled file that may stand for the pack's; None where the pack's own has to run.

    What is wrong with a compiled file is logged: a door goes on with the file that it was made of. So it
    does where the pack's file is not what its descriptor says: opening that one then tells.
    """
    if models.compile == "off":
        return None
    try:
        found = find_compiled(spec, precision, models)
        if found is None or not _as_described(pack.file_path(spec, precision), spec, precision):
            return None
        session = PixelSession(
            found.path,
            sha256=found.record.sha256,
            threads=running_threads(models),
            providers=models.providers,
            input_size=spec.input,
        )
    except (ModelError, OSError) as exc:
        logger.warning(
            "the compiled file is not used, the pack's own is",
            extra={"pack": pack.name, "task": spec.task, "error": str(exc)},
        )
        return None
    logger.info("compiled file in use", extra={"pack": pack.name, "task": spec.task})
    return session


def encode_record(record: Record) -> bytes:
    """Return ``record`` as it is written."""
    return msgspec.json.format(msgspec.json.encode(record), indent=2) + b"\n"


def _as_described(path: Path, spec: ModelSpec, precision: Precision) -> bool:
    return path.is_file() and sha256_of(path) == spec.files[precision].sha256


def check_place(path: Path) -> None:
    """Raise ``ModelError`` for a link, a pipe or device, or what others than its owner may write."""
    try:
        mode = path.lstat().st_mode
    except OSError as exc:
        raise ModelError(f"{path}: cannot be read: {exc.strerror or exc}") from exc
    if path.is_symlink():
        raise ModelError(f"{path}: a symbolic link")
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise ModelError(f"{path}: neither a file nor a folder")
    if mode & _OTHERS_MAY_WRITE:
        raise ModelError(f"{path}: others than its owner may write it")


def _read_record(path: Path) -> Record:
    try:
        with path.open("rb") as stream:
            return msgspec.json.decode(stream.read(_LIMIT_BYTES), type=Record)
    except OSError as exc:
        raise ModelError(f"{path}: cannot be read: {exc.strerror or exc}") from exc
    except msgspec.DecodeError as exc:
        raise ModelError(f"{path}: {exc}") from exc
