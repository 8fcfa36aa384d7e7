"""Which packs do these files belong to? Answered by content, so that names may differ."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from edged.errors import ModelError
from edged.vision.packs import DESCRIPTOR, Catalogue, ModelFile, Pack, load_pack, sha256_of


@dataclass(slots=True)
class Findings:
    """``packs`` with the files found for each (SHA-256 to path); ``unknown`` belong to none."""

    packs: list[tuple[Pack, dict[str, Path]]] = field(default_factory=list)
    unknown: list[Path] = field(default_factory=list)


def search(catalogue: Catalogue, paths: Sequence[Path], *, only: str | None = None) -> Findings:
    """Look through files, and through folders one level deep, for the files of packs.

    Raises ``ModelError`` for a path that is missing or a link, and for a file that carries the name
    of a pack's file with other content.
    """
    findings = Findings()
    loose: list[Path] = []
    for folder, files in _gather(paths):
        own = None if folder is None else _own_pack(catalogue, folder)
        if own is None:
            loose += files
        elif only in (None, own.name):
            findings.packs.append((own, _files_of(own)))
    # The descriptors of edged itself: an installed copy may be older.
    known = [catalogue.origin(pack.name) for pack in catalogue.packs() if only in (None, pack.name)]
    _match(findings, loose, known)
    return findings


def _gather(paths: Sequence[Path]) -> Iterator[tuple[Path | None, list[Path]]]:
    """Give each folder with its .onnx files, and single files with None."""
    for path in paths:
        if path.is_dir():
            yield path, sorted(_plain(one) for one in path.glob("*.onnx"))
            for descriptor in sorted(path.glob(f"[!.]*/{DESCRIPTOR}")):
                folder = _plain(descriptor.parent)
                yield folder, sorted(_plain(one) for one in folder.glob("*.onnx"))
        elif path.exists() or path.is_symlink():
            yield None, [_plain(path)]
        else:
            raise ModelError(f"{path}: does not exist")


def _plain(path: Path) -> Path:
    if path.is_symlink():
        raise ModelError(f"{path}: a symbolic link; name the file itself")
    return path


def _own_pack(catalogue: Catalogue, folder: Path) -> Pack | None:
    """Return what a folder says it is, unless edged knows a pack of that name better."""
    descriptor = folder / DESCRIPTOR
    if not descriptor.exists() and not descriptor.is_symlink():
        return None
    _plain(descriptor)
    pack = load_pack(folder)
    return None if catalogue.ships(pack.name) else pack


def _files_of(pack: Pack) -> dict[str, Path]:
    """Return the files in the pack's own folder, each checked. Raises ``ModelError``."""
    found = {}
    for spec in pack.models:
        for file in spec.files.values():
            path = _plain(pack.directory / file.name)
            if path.exists():
                _check(path, file, pack)
                found[file.sha256] = path
    return found


def _match(findings: Findings, loose: Sequence[Path], known: Sequence[Pack]) -> None:
    expected = {
        (pack.name, file.sha256): (pack, file)
        for pack in known
        for spec in pack.models
        for file in spec.files.values()
    }
    sizes = {file.size for _, file in expected.values()}
    found: dict[str, dict[str, Path]] = {}
    for path in loose:
        digest = _digest(path) if path.stat().st_size in sizes else ""
        owners = [pack for pack, file in expected.values() if file.sha256 == digest]
        for pack in owners:
            found.setdefault(pack.name, {})[digest] = path
        if not owners:
            for pack, file in expected.values():
                if file.name == path.name:
                    _check(path, file, pack)
            findings.unknown.append(path)
    findings.packs += [(pack, found[pack.name]) for pack in known if pack.name in found]


def _check(path: Path, file: ModelFile, pack: Pack) -> None:
    """Say how ``path`` differs from what ``pack`` pins under this name. Raises ``ModelError``."""
    size = path.stat().st_size
    if size != file.size:
        raise ModelError(f"{path}: {size} bytes, but pack {pack.name} expects {file.size}")
    digest = _digest(path)
    if digest != file.sha256:
        raise ModelError(f"{path}: SHA-256 is {digest}, but pack {pack.name} expects {file.sha256}")


def _digest(path: Path) -> str:
    try:
        return sha256_of(path)
    except OSError as exc:
        raise ModelError(f"{path}: cannot be read: {exc.strerror or exc}") from exc
