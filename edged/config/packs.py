"""Which model packs a configuration asks for."""

from edged.config.sections import LivenessConfig, ModelsConfig


def configured_packs(models: ModelsConfig, liveness: LivenessConfig) -> list[str]:
    """Return the names of the packs that a daemon runs, each once."""
    alive = [liveness.pack] if liveness.mode != "off" and liveness.pack else []
    return list(dict.fromkeys([models.detector, models.embedder, *alive]))
