"""Another precision for an installed pack: made on this machine, described like any other file."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from edged.errors import ModelError
from edged.vision.descriptor import plain_values
from edged.vision.fitness import check_model
from edged.vision.packs import (
    DESCRIPTOR,
    Pack,
    Precision,
    Task,
    load_pack,
    sha256_of,
    verify_file,
)
from edged.vision.staging import installing, put_in_place, staged

_PROVENANCE_LIMIT = 2000


@dataclass(frozen=True, slots=True)
class Variant:
    """A weights file for the model of ``task``: how it was made, and its own space if it needs one."""

    task: Task
    precision: Precision
    path: Path
    provenance: str
    space: str | None = None


def add_variant(pack: Pack, variant: Variant, root: Path) -> Pack:
    """Put ``pack`` with ``variant`` into ``root``, where it may lie already, in a single step.

    The other files go with it. Until the end the old folder serves; an interruption leaves it as it was.
    Raises ``ModelError``.
    """
    with installing(root), staged(root) as folder:
        described = _describe(pack, variant)
        names = {file.name for spec in pack.models for file in spec.files.values()}
        names |= {cohort.name for cohort in pack.cohorts()}
        name = _file_name(pack, variant)
        for one in sorted(names - {name}):
            if (pack.directory / one).is_file():
                _copy(pack.directory / one, folder / one)
        _copy(variant.path, folder / name)
        (folder / DESCRIPTOR).write_text(described, encoding="utf-8")
        made = load_pack(folder)
        _check(made, variant)
        put_in_place(folder, root / pack.name)
    return load_pack(root / pack.name)


def _describe(pack: Pack, variant: Variant) -> str:
    """Return the descriptor with the new file; what else it says stays."""
    path = pack.directory / DESCRIPTOR
    try:
        document: dict[str, Any] = plain_values(path.read_bytes())
    except (OSError, ModelError) as exc:
        raise ModelError(f"{path}: cannot be read: {exc}") from exc
    entry: dict[str, Any] = {
        "name": _file_name(pack, variant),
        "sha256": sha256_of(variant.path),
        "size": variant.path.stat().st_size,
    }
    if variant.space:
        entry["space"] = variant.space
    model = next(one for one in document["models"] if one["task"] == variant.task)
    model["files"][variant.precision] = entry
    told = str(document["provenance"]).strip()
    document["provenance"] = f"{told} {variant.provenance}"[:_PROVENANCE_LIMIT]
    return yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=110)


def _file_name(pack: Pack, variant: Variant) -> str:
    files = pack.model(variant.task).files
    if variant.precision in files:
        return files[variant.precision].name
    stem = files["float32"].name.removesuffix(".onnx")
    return f"{stem[:100]}.{variant.precision}.onnx"


def _check(made: Pack, variant: Variant) -> None:
    for spec in made.models:
        for precision, file in spec.files.items():
            path = made.file_path(spec, precision)
            if path.is_file():
                verify_file(path, file)
    own = made.model(variant.task)
    check_model(made.file_path(own, variant.precision), own, variant.precision)


def _copy(source: Path, to: Path) -> None:
    try:
        shutil.copyfile(source, to, follow_symlinks=False)
        to.chmod(0o644)
    except OSError as exc:
        raise ModelError(f"{source}: cannot be copied to {to.parent}: {exc.strerror or exc}") from exc
