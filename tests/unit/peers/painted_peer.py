"""A contender whose face is the mean colour of the picture: black has none, white breaks it."""

from typing import Any

import numpy as np

from tests.peers.peer import Image, Peer, Vector


class PaintedPeer:
    def look(self, image: Image) -> Vector | None:
        mean = image.reshape(-1, 3).mean(axis=0).astype(np.float32)
        if mean.min() == 255:
            raise RuntimeError("too bright\nto look at")
        return mean / np.linalg.norm(mean) if mean.any() else None


def open_peer(options: dict[str, Any]) -> Peer:
    print("libraries print where they please")  # noqa: T201
    if "broken" in options:
        raise ValueError(options["broken"])
    return PaintedPeer()
