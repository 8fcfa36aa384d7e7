"""Which file of a pack the configuration asks for; nothing of it is opened."""

from edged.config.sections import ModelsConfig
from edged.vision.packs import PRECISIONS, CalibrationPoint, Catalogue, ModelSpec, Pack, Precision


def chosen_precision(pack: Pack, spec: ModelSpec, wanted: str) -> Precision:
    """Return the precision that is asked for; ``auto`` is the first that is there, float32 before int8."""
    for one in PRECISIONS:
        if wanted == one:
            return one
    had = [one for one in PRECISIONS if one in spec.files]
    installed = [one for one in had if pack.file_path(spec, one).is_file()]
    return (installed or had)[0]


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
