"""edged without its memory: each picture by itself, as photographs are enrolled."""

from pathlib import Path
from typing import Any

from edged.config.sections import ModelsConfig, QualityConfig
from edged.devices.memory import release_freed_memory
from edged.domain.types import Face
from edged.vision.pipeline import FacePipeline
from tests.peers.peer import Image, Peer, Vector, prominent


class Alone:
    """A pipeline asked about one picture after the other, none of which it remembers."""

    def __init__(self, pipeline: FacePipeline) -> None:
        self._pipeline = pipeline

    def look(self, image: Image) -> Vector | None:
        faces = self._pipeline.detect(image)
        chosen = prominent([_corners(face) for face in faces], image)
        if chosen is None:
            return None
        return self._pipeline.embed([self._pipeline.align(image, faces[chosen])])[0]


def _corners(face: Face) -> tuple[float, float, float, float]:
    box = face.box
    return box.x, box.y, box.x + box.width, box.y + box.height


def load(options: dict[str, Any]) -> FacePipeline:
    """Open the packs of ``models``, a section of the configuration; tidy up as a door does."""
    section = dict(options["models"], directory=Path(options["models"]["directory"]))
    pipeline = FacePipeline.load(ModelsConfig(**section), QualityConfig())
    release_freed_memory()
    return pipeline


def open_peer(options: dict[str, Any]) -> Peer:
    """Open edged's pipeline."""
    return Alone(load(options))
