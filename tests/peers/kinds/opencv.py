"""OpenCV alone: FaceDetectorYN, FaceRecognizerSF's alignment, the embedder in cv2.dnn."""

from typing import Any

import cv2
import numpy as np

from tests.peers.peer import Image, Peer, Vector, prominent


class _OpenCV:
    def __init__(self, detector: str, embedder: str) -> None:
        self._detector = cv2.FaceDetectorYN.create(detector, "", (640, 480))
        # Made for SFace, which is fed as y1 is: 112 x 112, RGB, 0..255, the same template.
        self._embedder = cv2.FaceRecognizerSF.create(embedder, "")

    def look(self, image: Image) -> Vector | None:
        self._detector.setInputSize((image.shape[1], image.shape[0]))
        faces = self._detector.detect(image)[1]
        if faces is None:
            return None
        chosen = prominent(np.hstack([faces[:, :2], faces[:, :2] + faces[:, 2:4]]), image)
        aligned = self._embedder.alignCrop(image, faces[chosen])
        vector = self._embedder.feature(aligned).ravel()
        return vector / np.linalg.norm(vector)


def open_peer(options: dict[str, Any]) -> Peer:
    """Open the files ``detector`` and ``embedder``; a frame is searched at its own size."""
    return _OpenCV(options["detector"], options["embedder"])
