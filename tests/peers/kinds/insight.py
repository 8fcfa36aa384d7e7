"""InsightFace's FaceAnalysis, detection and recognition alone, as its README shows it."""

from typing import Any

import numpy as np
from insightface.app import FaceAnalysis

from tests.peers.peer import Image, Peer, Vector, prominent


class _Insight:
    def __init__(self, root: str, size: int | None) -> None:
        self._app = FaceAnalysis(
            name="door",
            root=root,
            allowed_modules=["detection", "recognition"],
            providers=["CPUExecutionProvider"],
        )
        # Without a size it is the library's own choice: both 128 and 640 in its version 2.
        self._app.prepare(ctx_id=-1, **({} if size is None else {"det_size": (size, size)}))

    def look(self, image: Image) -> Vector | None:
        faces = self._app.get(image)
        chosen = prominent([face.bbox for face in faces], image)
        return None if chosen is None else np.asarray(faces[chosen].normed_embedding)


def open_peer(options: dict[str, Any]) -> Peer:
    """Open the folder ``root``; ``size`` is the side of the detector's input, None for the default."""
    return _Insight(options["root"], options["size"])
