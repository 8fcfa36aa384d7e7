"""Which file of a pack the configuration asks for; nothing of it is opened."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from edged.config.sections import ModelsConfig
from edged.vision.packs import PRECISIONS, CalibrationPoint, Catalogue, ModelSpec, Pack, Precision

if TYPE_CHECKING:
    from edged.vision.profile import Profile

# SHA-256s of weights files by task.
Weights = Mapping[str, str]
# Its name in the models directory; see ``vision.profile``.
PROFILE = "profile.json"
# Where nothing was measured; see ``vision.threads``.
_USUAL_THREADS = 1


def chosen_precision(pack: Pack, spec: ModelSpec, wanted: str) -> Precision:
    """Return the precision that is asked for; ``auto`` is the first that is there, float32 before int8."""
    for one in PRECISIONS:
        if wanted == one:
            return one
    had = [one for one in PRECISIONS if one in spec.files]
    installed = [one for one in had if pack.file_path(spec, one).is_file()]
    return (installed or had)[0]


def wanted_precision(
    pack: Pack, spec: ModelSpec, models: ModelsConfig, measured: Weights | None = None
) -> Precision:
    """Return the precision that is configured; ``auto`` is what the profile says, see ``vision.profile``.

    ``measured`` are the SHA-256s by task that this door was calibrated with: it stays with those files, since
    a calibration holds for no others. The pack may not have what is asked for. An embedder's space is the
    same with and without a profile.
    """
    precision = chosen_precision(pack, spec, models.precision)
    if models.precision != "auto" or spec.task == "liveness":
        return precision
    usable = usable_precisions(pack, spec, precision)
    for one in usable:
        if measured and spec.files[one].sha256 == measured.get(spec.task):
            return one
    found = _profile(models)
    profiled = None if found is None else found.precision.get(spec.task)
    return profiled if profiled in usable else precision


def usable_precisions(pack: Pack, spec: ModelSpec, default: Precision) -> tuple[Precision, ...]:
    """Return the installed files of ``spec`` that may stand for the ``default`` one, that first.

    Embeddings of another space would find nobody in the gallery, so a file with one of its own is none.
    """
    others = [one for one in spec.files if one != default and spec.space_of(one) == spec.space_of(default)]
    found = [one for one in others if pack.file_path(spec, one).is_file()]
    return (default, *found) if default in spec.files else tuple(found)


def running_precision(
    pack: Pack, spec: ModelSpec, models: ModelsConfig, measured: Weights | None = None
) -> Precision:
    """Return the precision that a daemon runs: liveness without a profile, a detector in what it comes in."""
    if spec.task == "liveness":
        precision = chosen_precision(pack, spec, "auto")
    else:
        precision = wanted_precision(pack, spec, models, measured)
    return precision if precision in spec.files else next(iter(spec.files))


def running_threads(models: ModelsConfig) -> int:
    """Return with how many threads a network runs; ``auto`` is what the profile says, else one.

    A door without a profile measures whether one is enough as it opens its networks (``vision.threads``).
    """
    if models.threads != "auto":
        return models.threads
    found = _profile(models)
    return _USUAL_THREADS if found is None else found.threads


def _profile(models: ModelsConfig) -> "Profile | None":
    from edged.vision.profile import standing  # noqa: PLC0415 - it imports this module

    return standing(models).profile


def configured_space(models: ModelsConfig) -> str | None:
    """Return the embedding space that the configured embedder gives. Raises ``ModelError``."""
    pack = Catalogue(models.directory).in_force(models.embedder)
    spec = pack.model("embedder")
    return spec.space_of(chosen_precision(pack, spec, models.precision))


def configured_table(models: ModelsConfig) -> tuple[CalibrationPoint, ...]:
    """Return the configured embedder's table for the space that it gives. Raises ``ModelError``."""
    pack = Catalogue(models.directory).in_force(models.embedder)
    spec = pack.model("embedder")
    given = spec.space_of(chosen_precision(pack, spec, models.precision))
    return spec.calibration if given == spec.space else ()
