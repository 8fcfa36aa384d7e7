"""Which models run at a door, and what speaks against them before a real lock."""

import logging

from edged.config import Config
from edged.config.sections import FakeLockConfig
from edged.vision.liveness_meter import FaceLiveness
from edged.vision.pipeline import FacePipeline

logger = logging.getLogger(__name__)


def model_names(pipeline: FacePipeline, liveness: FaceLiveness | None) -> dict[str, str]:
    """Return the pack behind each task."""
    names = {"detector": pipeline.detector_name, "embedder": pipeline.embedder_name}
    pack = None if liveness is None else liveness.pack_name
    return names if pack is None else names | {"liveness": pack}


def warn_about_models(config: Config, pipeline: FacePipeline, liveness: FaceLiveness | None) -> None:
    """Log what a real lock should not rely on; nothing where the lock is a fake."""
    if isinstance(config.door.lock, FakeLockConfig):
        return
    own = {} if liveness is None else liveness.restrictions
    for pack, licence in (pipeline.restrictions | own).items():
        logger.warning("a real lock on models not for commercial use pack=%s licence=%r", pack, licence)
    if config.liveness.mode != "required":
        logger.warning("a real lock without liveness check: a photograph may open it")
