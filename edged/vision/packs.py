"""Model packs: what a weights file is, where it comes from, and what may be done with it.

A pack is a folder with ``pack.yaml`` and the ONNX files it names. The descriptor pins every file by
size and SHA-256, so that a model is a known thing before it is opened.
"""

import hashlib
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import numpy as np
from msgspec import Meta

from edged.domain.types import FloatArray
from edged.errors import ModelError, printable
from edged.vision.descriptor import LIMIT_BYTES, plain_values

DESCRIPTOR = "pack.yaml"
STANDARD_LANDMARKS = "arcface"
PRECISIONS: tuple["Precision", ...] = ("float32", "int8")

Task = Literal["detector", "embedder", "liveness"]
Decoder = Literal["yunet", "scrfd", "arcface", "minifasnet"]
Precision = Literal["float32", "int8"]

_DECODER_TASKS: dict[str, Task] = {
    "yunet": "detector",
    "scrfd": "detector",
    "arcface": "embedder",
    "minifasnet": "liveness",
}
_NAME = r"^[a-z0-9][a-z0-9-]{0,62}\Z"

Name = Annotated[str, Meta(pattern=_NAME)]
# No separator and no leading dot: a name can never leave the pack's folder. Unlike $, \Z lets no newline by.
FileName = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,120}\.onnx\Z")]
Text = Annotated[str, Meta(min_length=1, max_length=2000)]
Side = Annotated[int, Meta(ge=16, le=4096)]
Point = tuple[float, float]
Template = tuple[Point, Point, Point, Point, Point]


class _Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of everything in a descriptor."""


class ModelFile(_Part, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One weights file, pinned: ``size`` in bytes, ``sha256`` in lower-case hex.

    ``space`` is set where this file's embeddings must not meet those of the model's other files.
    """

    name: FileName
    sha256: Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]
    size: Annotated[int, Meta(gt=0, le=2**31)]
    url: Annotated[str, Meta(pattern=r"^https://[^\s]+\Z", max_length=1000)] | None = None
    space: Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9._/-]{0,62}\Z")] | None = None


class CalibrationPoint(_Part, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """At cosine ``threshold`` the share ``fmr`` of ``comparisons`` impostor pairs still matched.

    ``bound`` is what the true share does not exceed at 95 % confidence, where it was measured; see
    ``domain.calibration``.
    """

    fmr: Annotated[float, Meta(gt=0, lt=1)]
    threshold: Annotated[float, Meta(ge=-1, le=1)]
    comparisons: Annotated[int, Meta(gt=0)]
    bound: Annotated[float, Meta(gt=0, le=1)] | None = None


class Cohort(_Part, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Strangers to compare a site's people with: one embedding each of ``people``, without names.

    A NumPy file beside the weights, pinned like those; see ``vision.cohort`` for its content.
    """

    name: Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,120}\.npy\Z")]
    sha256: Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]
    size: Annotated[int, Meta(gt=0, le=2**26)]
    people: Annotated[int, Meta(ge=100, le=100_000)]


class ModelSpec(_Part, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One network of a pack: how to feed it and how to read it.

    ``input`` is (width, height) in pixels. A pixel enters as ``(x - mean) * scale`` with x 0..255,
    channels in the order ``channels``, layout NCHW float32.
    Detectors: ``landmarks`` names the convention of the five points they give.
    Embedders: ``space``, ``dimension``, ``templates`` (landmark convention -> five (x, y) points on
    the aligned face), ``calibration`` with what it was ``measured_with``, ``cohort``, ``mirrored`` where a
    face is embedded together with its mirror image, and ``zoom`` where also enlarged so many times: each is
    twice the work, and gives vectors of another space.
    Liveness: ``crop_scale`` is the side of the crop relative to the face box.
    """

    task: Task
    decoder: Decoder
    files: Annotated[dict[Precision, ModelFile], Meta(min_length=1)]
    input: tuple[Side, Side]
    channels: Literal["bgr", "rgb"]
    mean: float = 0.0
    scale: Annotated[float, Meta(gt=0)] = 1.0
    landmarks: Name | None = None
    space: Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9._/-]{0,62}\Z")] | None = None
    dimension: Annotated[int, Meta(ge=16, le=4096)] | None = None
    templates: dict[Name, Template] = {}
    calibration: tuple[CalibrationPoint, ...] = ()
    measured_with: Text | None = None
    cohort: Cohort | None = None
    mirrored: bool = False
    zoom: Annotated[float, Meta(gt=1, le=1.5)] | None = None
    crop_scale: Annotated[float, Meta(gt=0, le=10)] | None = None

    def template_for(self, landmarks: str) -> FloatArray:
        """Return the (5, 2) float32 template for a detector's ``landmarks``, or else the standard one.

        Raises ``ModelError`` where neither is given.
        """
        points = self.templates.get(landmarks, self.templates.get(STANDARD_LANDMARKS))
        if points is None:
            raise ModelError(
                f"no template for landmarks {landmarks!r}; the pack has {sorted(self.templates)}"
            )
        return np.asarray(points, dtype=np.float32)

    def space_of(self, precision: Precision) -> str | None:
        """Return the embedding space of one file; None for a model that does not embed."""
        own = self.files[precision].space if precision in self.files else None
        return own or self.space


class _Descriptor(_Part, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``pack.yaml`` as it is written."""

    schema: Literal[1]
    name: Name
    title: Text
    licence: Text
    licence_url: Annotated[str, Meta(pattern=r"^https://[^\s]+\Z")] | None = None
    commercial: bool
    provenance: Text
    models: Annotated[tuple[ModelSpec, ...], Meta(min_length=1, max_length=8)]


@dataclass(frozen=True, slots=True)
class Pack:
    """A parsed pack in its folder. ``commercial`` tells whether its licence allows commercial use."""

    name: str
    title: str
    licence: str
    licence_url: str | None
    commercial: bool
    provenance: str
    models: tuple[ModelSpec, ...]
    directory: Path

    @property
    def tasks(self) -> tuple[Task, ...]:
        """The tasks its models have, each once."""
        return tuple(dict.fromkeys(spec.task for spec in self.models))

    @property
    def precisions(self) -> tuple[Precision, ...]:
        """The precisions that any of its models comes in."""
        return tuple(one for one in PRECISIONS if any(one in spec.files for spec in self.models))

    def specs(self, task: Task) -> tuple[ModelSpec, ...]:
        """Return all models of ``task``."""
        return tuple(spec for spec in self.models if spec.task == task)

    def model(self, task: Task) -> ModelSpec:
        """Return the one model of ``task``. Raises ``ModelError`` unless there is exactly one."""
        found = self.specs(task)
        if len(found) != 1:
            raise ModelError(f"pack {self.name}: {len(found)} models are a {task}, expected one")
        return found[0]

    def file_path(self, spec: ModelSpec, precision: Precision) -> Path:
        """Return where the file of ``spec`` belongs; it may be absent.

        Raises ``ModelError`` for a precision that the model does not come in.
        """
        if precision not in spec.files:
            known = ", ".join(spec.files)
            raise ModelError(f"pack {self.name}: no {precision} file of its {spec.task}; it has {known}")
        return self.directory / spec.files[precision].name

    def cohorts(self) -> tuple[Cohort, ...]:
        """Return the cohorts of its models."""
        return tuple(spec.cohort for spec in self.models if spec.cohort is not None)

    def present(self) -> tuple[Precision, ...]:
        """Return the precisions of which every file lies in the folder; nothing is checked but the names."""
        return tuple(
            one
            for one in self.precisions
            if all(self.file_path(spec, one).is_file() for spec in self.models if one in spec.files)
        )


def load_pack(directory: Path) -> Pack:
    """Parse ``directory/pack.yaml`` strictly. Raises ``ModelError`` naming the file and the key."""
    path = directory / DESCRIPTOR
    try:
        with path.open("rb") as stream:
            raw = stream.read(LIMIT_BYTES + 1)
    except OSError as exc:
        raise ModelError(f"{path}: cannot be read: {exc.strerror or exc}") from exc
    return parse_pack(raw, directory)


def parse_pack(raw: bytes, directory: Path) -> Pack:
    """Return the pack that ``raw`` describes, as if it lay in ``directory``. Raises ``ModelError``."""
    path = directory / DESCRIPTOR
    try:
        document = msgspec.convert(plain_values(raw), _Descriptor)
    except (ModelError, msgspec.ValidationError) as exc:
        raise ModelError(f"{path}: {printable(str(exc)[:400])}") from exc
    problems = list(_problems(document))
    if problems:
        raise ModelError(f"{path}: {'; '.join(problems)}")
    fields: dict[str, Any] = {name: getattr(document, name) for name in document.__struct_fields__}
    del fields["schema"]
    return Pack(directory=directory, **fields)


def _problems(document: _Descriptor) -> Iterator[str]:
    """Find what the types cannot say."""
    names = [file.name for spec in document.models for file in spec.files.values()]
    names += [spec.cohort.name for spec in document.models if spec.cohort]
    if len(set(names)) != len(names):
        yield "two files have one name"
    for index, spec in enumerate(document.models):
        at = f"models[{index}]"
        if _DECODER_TASKS[spec.decoder] != spec.task:
            yield f"{at}: decoder {spec.decoder} does not belong to a {spec.task}"
        needs: dict[str, dict[str, object]] = {
            "detector": {"landmarks": spec.landmarks},
            "embedder": {"space": spec.space, "dimension": spec.dimension, "templates": spec.templates},
            "liveness": {"crop_scale": spec.crop_scale},
        }
        needed = needs[spec.task]
        yield from (
            f"{at}.{key}: missing; a {spec.task} needs it" for key, value in needed.items() if not value
        )
        if spec.cohort and spec.task != "embedder":
            yield f"{at}.cohort: only an embedder has one"
        if spec.calibration and not spec.measured_with:
            yield f"{at}.measured_with: missing; a calibration must say what it was measured with"
        table = sorted((point.fmr, point.threshold) for point in spec.calibration)
        if any(after[0] == before[0] or after[1] > before[1] for before, after in pairwise(table)):
            yield f"{at}.calibration: expected a threshold that falls as the fmr rises, each fmr once"


def verify_pack(pack: Pack, precision: Precision | None = None) -> None:
    """Check the files on disk against the descriptor; None checks every precision that is there.

    Raises ``ModelError`` for a missing, linked, resized or altered file.
    """
    wanted = pack.present() if precision is None else (precision,)
    files = [(one, spec) for one in wanted for spec in pack.models if one in spec.files]
    if not files:
        raise ModelError(f"pack {pack.name}: no {precision or 'model'} file is installed")
    for one, spec in files:
        verify_file(pack.file_path(spec, one), spec.files[one])
    for cohort in pack.cohorts():
        verify_file(pack.directory / cohort.name, cohort)


def verify_file(path: Path, expected: ModelFile | Cohort) -> None:
    """Check size and SHA-256 of ``path``. Raises ``ModelError``; a symbolic link is refused."""
    if path.is_symlink() or not path.is_file():
        raise ModelError(f"{path}: {'a link, not a file' if path.is_symlink() else 'missing'}")
    try:
        size, digest = path.stat().st_size, sha256_of(path) if path.stat().st_size == expected.size else ""
    except OSError as exc:
        raise ModelError(f"{path}: cannot be read: {exc.strerror or exc}") from exc
    if size != expected.size:
        raise ModelError(f"{path}: {size} bytes, expected {expected.size}")
    if digest != expected.sha256:
        raise ModelError(f"{path}: SHA-256 is {digest}, expected {expected.sha256}")


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file in lower-case hex. Raises ``OSError``."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


class Catalogue:
    """The packs that this machine knows: those in ``installed`` first, then the shipped descriptors."""

    def __init__(self, installed: Path, shipped: Path | None = None) -> None:
        self.installed = installed
        self.shipped = shipped_directory() if shipped is None else shipped

    def find(self, name: str) -> Pack:
        """Return the pack called ``name``. Raises ``ModelError`` where it is unknown or unreadable."""
        for root in (self.installed, self.shipped):
            if re.fullmatch(_NAME, name) and (root / name / DESCRIPTOR).is_file():
                return _named(root / name)
        known = ", ".join(pack.name for pack in self.packs()) or "none"
        raise ModelError(f"no model pack {name[:80]!r} in {self.installed}, nor with edged; known: {known}")

    def place(self, pack: Pack) -> Path:
        """Return the folder that the files of ``pack`` lie in, or belong in where they are not installed."""
        return pack.directory if pack.present() else self.installed / pack.name

    def origin(self, name: str) -> Pack:
        """Return the descriptor to install from: the shipped one, which may be newer than an installed copy.

        Raises ``ModelError``.
        """
        return _named(self.shipped / name) if self.ships(name) else self.find(name)

    def in_force(self, name: str) -> Pack:
        """Return the pack to run: the installed files under the newest description of them.

        An upgrade may bring a better calibration of the same weights. An installed copy of the descriptor
        must not keep the old threshold alive. A precision that was made here, of weights that are still
        the same, stays in it. Raises ``ModelError``.
        """
        found = self.find(name)
        origin = _with_own_files(self.origin(name), found)
        same = _pins(found) <= _pins(origin)
        return replace(origin, directory=found.directory) if same else found

    def ships(self, name: str) -> bool:
        """Tell whether edged itself describes a pack of this name."""
        return re.fullmatch(_NAME, name) is not None and (self.shipped / name / DESCRIPTOR).is_file()

    def packs(self) -> list[Pack]:
        """Return every pack that can be read, by name."""
        return self.scan()[0]

    def scan(self) -> tuple[list[Pack], list[ModelError]]:
        """Return every pack by name, and what is wrong with the others."""
        found: dict[str, Pack] = {}
        problems: list[ModelError] = []
        for root in (self.installed, self.shipped):
            for path in sorted(root.glob(f"[a-z0-9]*/{DESCRIPTOR}")):
                if path.parent.name in found:
                    continue
                try:
                    found[path.parent.name] = _named(path.parent)
                except ModelError as exc:
                    problems.append(exc)
        return [found[name] for name in sorted(found)], problems


def shipped_directory() -> Path:
    """Return where the descriptors that come with edged lie: beside the sources, or below the prefix."""
    root = Path(__file__).parents[2]
    # An installed package has other people's folders beside it.
    in_checkout = (root / "pyproject.toml").is_file()
    return root / "models" if in_checkout else Path(sys.prefix) / "share" / "edged" / "models"


def _with_own_files(origin: Pack, found: Pack) -> Pack:
    """Return ``origin`` with the precisions that ``found`` alone has, where their float32 is one."""

    def joined(ours: ModelSpec, theirs: ModelSpec) -> ModelSpec:
        source = theirs.files.get("float32")
        same = source is not None and source == ours.files.get("float32") and theirs.space == ours.space
        return msgspec.structs.replace(ours, files=theirs.files | ours.files) if same else ours

    if [spec.task for spec in origin.models] != [spec.task for spec in found.models]:
        return origin
    return replace(origin, models=tuple(map(joined, origin.models, found.models)))


def _pins(pack: Pack) -> set[tuple[str, str]]:
    return {(file.name, file.sha256) for spec in pack.models for file in spec.files.values()}


def _named(directory: Path) -> Pack:
    pack = load_pack(directory)
    if pack.name != directory.name:
        raise ModelError(f"{directory / DESCRIPTOR}: names itself {pack.name!r}, not {directory.name!r}")
    return pack
