"""What ``edged calibrate`` measured at this door, in a file beside the gallery.

It holds rates and counts, never a vector or a name. It belongs to an embedding space and to the very
weights that were measured; for others it is refused, and so is a damaged one. A door with a file that
it cannot use has no threshold: the site was measured, and what was found there cannot be known.
"""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Literal, Protocol, Self

import msgspec
from msgspec import Meta

from edged.config.sections import GalleryConfig
from edged.domain.calibration import MeasuredPoint, refined
from edged.errors import StoreCorruptError, StoreError
from edged.storage.files import identity, inherit_owner, make_private_directory, private_output

_LIMIT_BYTES = 65_536  # a table of a dozen rows has some 2,000
_REMEDY = "run `edged calibrate` again, or remove the file to go back to the pack's own table"


class SitePoint(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """At cosine ``threshold`` ``errors`` of ``comparisons`` impostor scores were accepted.

    ``bound`` is what the true rate does not exceed at 95 % confidence, ``fnmr`` the share of genuine
    comparisons missed there, None where nobody has two photographs.
    """

    bound: Annotated[float, Meta(gt=0, le=1)]
    threshold: Annotated[float, Meta(ge=-1, le=1)]
    comparisons: Annotated[int, Meta(gt=0)]
    errors: Annotated[int, Meta(ge=0)]
    fnmr: Annotated[float, Meta(ge=0, le=1)] | None = None

    @property
    def fmr(self) -> float:
        """The measured rate."""
        return self.errors / self.comparisons


class SiteCalibration(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A measurement of one gallery: ``weights`` are the SHA-256 of the models by task.

    ``people`` and ``photographs`` were enrolled, ``cohort`` strangers compared with them.
    """

    space: str
    weights: dict[str, str]
    measured_at: str
    people: Annotated[int, Meta(ge=0)]
    photographs: Annotated[int, Meta(ge=0)]
    cohort: Annotated[int, Meta(ge=0)]
    genuine: Annotated[int, Meta(ge=0)]
    points: tuple[SitePoint, ...]


class _File(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The file: ``digest`` is the SHA-256 of the measurement's canonical JSON."""

    schema: Literal[1]
    digest: str
    measured: SiteCalibration


def calibration_path(gallery: GalleryConfig) -> Path:
    """Return where the calibration of ``gallery`` lies: beside it."""
    return gallery.path.with_name(f"{gallery.path.stem}.calibration.json")


def write_site(path: Path, measured: SiteCalibration) -> None:
    """Put ``measured`` in the place of what ``path`` holds, in one step. Raises ``StoreError``."""
    make_private_directory(path.parent)
    content = msgspec.json.encode(_File(schema=1, digest=_digest(measured), measured=measured))
    with private_output(path) as file:
        file.write(msgspec.json.format(content, indent=2).decode() + "\n")
    try:
        inherit_owner(path)
    except OSError as exc:
        raise StoreError(f"{path}: cannot be given to the owner of its folder: {exc.strerror}") from exc


def read_site(path: Path) -> SiteCalibration | None:
    """Return what was measured, or None where nothing was.

    Raises ``StoreCorruptError`` where the file is not what was written, ``StoreError`` where it cannot
    be read.
    """
    try:
        with path.open("rb") as stream:
            raw = stream.read(_LIMIT_BYTES + 1)
    except FileNotFoundError:
        return None
    except OSError as exc:
        raise StoreError(f"{path}: cannot be read: {exc.strerror}") from exc
    try:
        found = msgspec.json.decode(raw, type=_File)
    except (msgspec.MsgspecError, UnicodeDecodeError) as exc:
        raise StoreCorruptError(f"{path}: no calibration: {str(exc)[:200]}; {_REMEDY}") from exc
    if found.digest != _digest(found.measured):
        raise StoreCorruptError(f"{path}: damaged: fails its own checksum; {_REMEDY}")
    return found.measured


def measured_weights(gallery: GalleryConfig) -> Mapping[str, str]:
    """Return the SHA-256s by task that ``gallery`` was calibrated with; none where it was not.

    What cannot be read is none as well: who asks for the calibration itself is told.
    """
    try:
        found = read_site(calibration_path(gallery))
    except StoreError:
        return {}
    return {} if found is None else found.weights


class Models(Protocol):
    """The models in force; ``vision.pipeline.FacePipeline`` is the real one."""

    @property
    def space(self) -> str:
        """Name of the embedding space."""

    @property
    def weights(self) -> Mapping[str, str]:
        """SHA-256 of the files by task."""

    @property
    def calibration(self) -> Sequence[MeasuredPoint]:
        """The pack's own table."""


class DoorCalibration:
    """The pack's table, made as strict as what was measured at this door."""

    def __init__(
        self, table: Sequence[MeasuredPoint], path: Path, *, space: str, weights: Mapping[str, str]
    ) -> None:
        self._table = tuple(table)
        self._path = path
        self._space = space
        self._weights = dict(weights)

    @classmethod
    def beside(cls, gallery: GalleryConfig, models: Models) -> Self:
        """Return the calibration of ``models`` with what was measured of ``gallery``, if anything was."""
        path = calibration_path(gallery)
        return cls(models.calibration, path, space=models.space, weights=models.weights)

    def identity(self) -> tuple[int, ...] | None:
        """Return what differs once the file is another one; for polling. Raises ``StoreError``."""
        return identity(self._path)

    def site(self) -> SiteCalibration | None:
        """Return what was measured here with these very models, None where nothing was.

        Raises ``StoreError``, also where other models were measured.
        """
        found = read_site(self._path)
        if found is not None and (found.space, found.weights) != (self._space, self._weights):
            raise StoreError(f"{self._path}: was measured with other models than these; {_REMEDY}")
        return found

    def points(self) -> tuple[MeasuredPoint, ...]:
        """Return the table in force. Raises ``StoreError`` as ``site``."""
        found = self.site()
        return self._table if found is None else refined(self._table, found.points)


def _digest(measured: SiteCalibration) -> str:
    return hashlib.sha256(msgspec.json.encode(measured, order="sorted")).hexdigest()
