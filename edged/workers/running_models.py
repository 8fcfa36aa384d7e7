"""Which models run at a door, and what speaks against them before a real lock."""

import logging

from edged.config import Config
from edged.config.sections import FakeLockConfig
from edged.vision.liveness_meter import FaceLiveness
from edged.vision.pipeline import FacePipeline
from edged.vision.profile import standing

logger = logging.getLogger(__name__)


def model_names(pipeline: FacePipeline, liveness: FaceLiveness | None) -> dict[str, str]:
    """Return the pack behind each task."""
    names = {"detector": pipeline.detector_name, "embedder": pipeline.embedder_name}
    pack = None if liveness is None else liveness.pack_name
    return names if pack is None else names | {"liveness": pack}


def warn_about_models(config: Config, pipeline: FacePipeline, liveness: FaceLiveness | None) -> None:
    """Log the profile that they run by, and what a real lock should not rely on."""
    found = standing(config.models)
    if found.profile is not None:
        logger.info("%s", found.text)
    elif found.passed_over is not None and config.models.profile != "off":
        logger.warning("the profile of this machine is passed over reason=%r", found.passed_over)
    if isinstance(config.door.lock, FakeLockConfig):
        return
    own = {} if liveness is None else liveness.restrictions
    for pack, licence in (pipeline.restrictions | own).items():
        logger.warning("a real lock on models not for commercial use pack=%s licence=%r", pack, licence)
    if config.liveness.mode != "required":
        logger.warning("a real lock without liveness check: a photograph may open it")
