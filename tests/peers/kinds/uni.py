"""uniface: its SCRFD, and its recognizer's base class around a file of ours."""

from typing import Any

from uniface.constants import SCRFDWeights
from uniface.detection import SCRFD
from uniface.recognition.base import BaseRecognizer, PreprocessConfig

from tests.peers.peer import Image, Peer, Vector, prominent


class _Recognizer(BaseRecognizer):
    def __init__(self, path: str) -> None:
        # y1's normalisation is inside the graph.
        super().__init__(model_path=path, preprocessing=PreprocessConfig(input_mean=0.0, input_std=1.0))


class _Uniface:
    def __init__(self, embedder: str, size: int) -> None:
        self._detector = SCRFD(model_name=SCRFDWeights.SCRFD_500M_KPS, input_size=(size, size))
        self._embedder = _Recognizer(embedder)

    def look(self, image: Image) -> Vector | None:
        faces = self._detector.detect(image)
        chosen = prominent([face.bbox for face in faces], image)
        if chosen is None:
            return None
        return self._embedder.get_normalized_embedding(image, faces[chosen].landmarks).ravel()


def open_peer(options: dict[str, Any]) -> Peer:
    """Open uniface's own SCRFD-500M from its cache folder, and the file ``embedder``."""
    return _Uniface(options["embedder"], options["size"])
