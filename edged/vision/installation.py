"""Packs onto this machine: pulled from an address or a mirror, or imported from files.

A pack is installed when every file has its pinned size and SHA-256 and has been run once. Until then
nothing changes in the models directory but ``.pull``, where part files wait to be continued.
"""

import logging
import os
import shutil
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal
from urllib.parse import SplitResult, unquote, urlsplit

from edged.errors import ModelError
from edged.vision.download import Patience, Progress, fetch
from edged.vision.fitness import check_model
from edged.vision.packs import (
    DESCRIPTOR,
    Catalogue,
    ModelFile,
    ModelSpec,
    Pack,
    Precision,
    load_pack,
    verify_file,
)
from edged.vision.search import Findings, search
from edged.vision.staging import installing, put_in_place, staged

logger = logging.getLogger(__name__)

Choice = Literal["float32", "int8", "all"]
Supply = Callable[[ModelFile, Path], None]


@dataclass(frozen=True, slots=True)
class Installed:
    """A pack as it lies on disk now; ``added`` are the precisions that this call brought."""

    pack: Pack
    added: tuple[Precision, ...]


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import did: packs, files that belong to none, and packs of which files are missing."""

    installed: tuple[Installed, ...]
    unknown: tuple[Path, ...]
    incomplete: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Job:
    """One pack to install: its descriptor's folder, what to bring, and who brings it."""

    pack: Pack
    bring: tuple[Precision, ...]
    supply: Supply


def terms(pack: Pack) -> str | None:
    """Return what somebody must agree to before ``pack`` is fetched; None where nothing is asked."""
    if pack.commercial:
        return None
    where = f" ({pack.licence_url})" if pack.licence_url else ""
    return f"{pack.name}: {pack.licence}{where}. Commercial use is not allowed."


class Installer:
    """Installs into ``catalogue.installed``."""

    def __init__(
        self, catalogue: Catalogue, *, progress: Progress | None = None, patience: Patience | None = None
    ) -> None:
        self._catalogue = catalogue
        self._root = catalogue.installed
        self._progress = progress or _silent
        self._patience = patience

    def pull(
        self,
        name: str,
        *,
        precision: Choice | None = None,
        source: str | None = None,
        accept_licence: bool = False,
    ) -> Installed:
        """Fetch a pack from its addresses, or from ``source``: a folder, ``file://`` or a mirror.

        A mirror holds ``PACK/FILE`` or ``FILE`` below its address. Without ``precision`` everything
        that has an address is fetched; what is installed and sound is not fetched again.
        Raises ``ModelError``, also where the licence must be accepted first.
        """
        pack = self._catalogue.origin(name)
        text = terms(pack)
        if text and not accept_licence:
            raise ModelError(f"{text} Nothing was fetched; accept the licence with --accept-license.")
        folder = _local_folder(source)
        if folder is not None:
            return self.import_from([folder], precision=precision, only=name).installed[0]
        base = _mirror(source)
        wanted = _chosen(pack, precision, _addressed(pack) if base is None else pack.precisions)
        if not wanted:
            raise ModelError(_no_address(pack))
        parts = {}
        for one in self._lacking(pack, wanted):
            for spec in _specs(pack, one):
                file = spec.files[one]
                parts[file.sha256] = part = self._root / ".pull" / f"{file.sha256}.part"
                fetch(
                    _addresses(pack, file, base), file, part, progress=self._progress, patience=self._patience
                )
        return self._install([_Job(pack, wanted, lambda file, to: _move(parts[file.sha256], to))])[0]

    def import_from(
        self, paths: Sequence[Path], *, precision: Choice | None = None, only: str | None = None
    ) -> Imported:
        """Install the packs whose files are found, by SHA-256, among ``paths`` (folders and files).

        A folder with a ``pack.yaml`` of a name that edged does not ship is installed as it describes
        itself. Raises ``ModelError`` where nothing, or not all that was asked for, could be installed;
        then nothing is.
        """
        findings = search(self._catalogue, paths, only=only)
        jobs, incomplete = [], []
        for pack, found in findings.packs:
            have = tuple(one for one in pack.precisions if not _missing(pack, one, found))
            if only:
                chosen = _chosen(pack, precision, have)
            else:
                chosen = tuple(one for one in have if precision in (None, "all", one))
            if chosen:
                jobs.append(_Job(pack, chosen, self._copier(found)))
            incomplete += [
                f"{pack.name} {one}: no {name}"
                for one in pack.precisions
                if one not in have and any(spec.files[one].sha256 in found for spec in _specs(pack, one))
                for name in _missing(pack, one, found)
            ]
        if not jobs:
            raise ModelError(_nothing_found(paths, findings, incomplete, only))
        return Imported(tuple(self._install(jobs)), tuple(findings.unknown), tuple(incomplete))

    def _copier(self, found: dict[str, Path]) -> Supply:
        def supply(file: ModelFile, to: Path) -> None:
            self._progress(file.name, 0, file.size)
            _copy(found[file.sha256], to)
            self._progress(file.name, file.size, file.size)

        return supply

    def _install(self, jobs: Sequence[_Job]) -> list[Installed]:
        """Build and check every folder before the first one is put in place."""
        with installing(self._root), ExitStack() as stack:
            ready: list[tuple[Path, Pack, tuple[Precision, ...]]] = []
            for job in jobs:
                added = self._lacking(job.pack, job.bring)
                if not added and self._same_descriptor(job.pack):
                    ready.append((Path(), job.pack, ()))
                    continue
                folder = stack.enter_context(staged(self._root))
                self._build(folder, job, added)
                ready.append((folder, job.pack, added))
            done = []
            for folder, pack, added in ready:
                if folder != Path():
                    put_in_place(folder, self._root / pack.name)
                    logger.info("model pack installed pack=%s added=%s", pack.name, ",".join(added) or "none")
                done.append(Installed(load_pack(self._root / pack.name), added))
            return done

    def _build(self, folder: Path, job: _Job, added: tuple[Precision, ...]) -> None:
        _copy(job.pack.directory / DESCRIPTOR, folder / DESCRIPTOR)
        pack = load_pack(folder)
        if pack.models != job.pack.models:
            raise ModelError(f"{job.pack.directory / DESCRIPTOR}: changed while it was read")
        for cohort in pack.cohorts():
            _copy(job.pack.directory / cohort.name, folder / cohort.name)
            verify_file(folder / cohort.name, cohort)
        for one in pack.precisions:
            here = replace(job.pack, directory=self._root / pack.name)
            keep = one not in added and not self._lacking(pack, (one,))
            for spec in _specs(pack, one):
                target = pack.file_path(spec, one)
                if keep:
                    _copy(here.file_path(spec, one), target)
                elif one in added:
                    job.supply(spec.files[one], target)
                    verify_file(target, spec.files[one])
                    target.chmod(0o644)
                    check_model(target, spec, one)

    def _lacking(self, pack: Pack, wanted: Sequence[Precision]) -> tuple[Precision, ...]:
        """Return those of ``wanted`` that are not installed, whole and sound."""
        here = replace(pack, directory=self._root / pack.name)
        return tuple(one for one in wanted if not all(_sound(here, spec, one) for spec in _specs(pack, one)))

    def _same_descriptor(self, pack: Pack) -> bool:
        try:
            installed = (self._root / pack.name / DESCRIPTOR).read_bytes()
            return installed == (pack.directory / DESCRIPTOR).read_bytes()
        except OSError:
            return False


def _specs(pack: Pack, precision: Precision) -> list[ModelSpec]:
    return [spec for spec in pack.models if precision in spec.files]


def _sound(pack: Pack, spec: ModelSpec, precision: Precision) -> bool:
    try:
        verify_file(pack.file_path(spec, precision), spec.files[precision])
    except ModelError:
        return False
    return True


def _missing(pack: Pack, precision: Precision, found: dict[str, Path]) -> list[str]:
    files = [spec.files[precision] for spec in _specs(pack, precision)]
    return [file.name for file in files if file.sha256 not in found]


def _addressed(pack: Pack) -> tuple[Precision, ...]:
    return tuple(one for one in pack.precisions if all(spec.files[one].url for spec in _specs(pack, one)))


def _chosen(pack: Pack, choice: Choice | None, available: Sequence[Precision]) -> tuple[Precision, ...]:
    """Return the precisions to bring. Raises ``ModelError`` for one that was asked for and is not there."""
    if choice is None:
        return tuple(available)
    wanted = pack.precisions if choice == "all" else (choice,)
    lacking = [one for one in wanted if one not in available]
    if lacking:
        raise ModelError(
            f"pack {pack.name}: no {', '.join(lacking)} here; available: {', '.join(available) or 'nothing'}"
        )
    return wanted


def _addresses(pack: Pack, file: ModelFile, base: str | None) -> list[str]:
    if base is None:
        return [file.url] if file.url else []
    return [f"{base}/{pack.name}/{file.name}", f"{base}/{file.name}"]


def _no_address(pack: Pack) -> str:
    files = [file for spec in pack.models for file in spec.files.values()]
    names = ", ".join(file.name for file in files)
    return (
        f"pack {pack.name} has no public address: run `edged models import PATH` with a folder that holds "
        f"{names}, or name a mirror with --from"
    )


def _nothing_found(
    paths: Sequence[Path], findings: Findings, incomplete: Sequence[str], only: str | None
) -> str:
    looked = ", ".join(str(path) for path in paths)
    if incomplete:
        return f"{looked}: incomplete: {'; '.join(incomplete)}"
    what = f"no file of pack {only}" if only else "no file of a known pack"
    seen = ", ".join(path.name for path in findings.unknown[:10]) or "none"
    return f"{looked}: {what}; .onnx files that are there: {seen}"


def _local_folder(source: str | None) -> Path | None:
    """Return the folder that ``source`` names; None for an address on the network."""
    if source is None or source.startswith(("http://", "https://")):
        return None
    if source.startswith("file:"):
        parts = _split(source)
        if parts.netloc not in ("", "localhost"):
            raise ModelError(f"{source[:300]!r}: names another machine; expected file:///path")
        return Path(unquote(parts.path))
    if "://" in source:
        raise ModelError(f"{source[:300]!r}: expected a folder, file://, http:// or https://")
    return Path(source)


def _mirror(source: str | None) -> str | None:
    if source is None:
        return None
    if "@" in _split(source).netloc:
        raise ModelError("a mirror's address may hold no password: it would show in process lists")
    return source.rstrip("/")


def _split(source: str) -> SplitResult:
    try:
        return urlsplit(source)
    except ValueError as exc:
        raise ModelError(f"{source[:300]!r}: no address: {exc}") from exc


def _move(part: Path, to: Path) -> None:
    try:
        part.replace(to)
    except OSError as exc:
        raise ModelError(f"{part}: cannot be moved to {to}: {exc.strerror or exc}") from exc


def _copy(source: Path, to: Path) -> None:
    """Copy one file, following no link. Raises ``ModelError``."""
    try:
        descriptor = os.open(source, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        with os.fdopen(descriptor, "rb") as reader, to.open("xb") as writer:
            shutil.copyfileobj(reader, writer, 1 << 20)
        to.chmod(0o644)
    except OSError as exc:
        raise ModelError(f"{source}: cannot be copied to {to.parent}: {exc.strerror or exc}") from exc


def _silent(_name: str, _have: int, _size: int) -> None:
    return None
