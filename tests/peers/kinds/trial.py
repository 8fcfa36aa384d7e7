"""The first evening's program: onnxruntime with its defaults, YuNet 320 and y1, no library around them."""

from typing import Any

import cv2
import numpy as np
import onnxruntime

from tests.peers.peer import Image, Peer, Vector, prominent

_SIDE = 320
_SCORE, _OVERLAP = 0.6, 0.3
# The ArcFace template, 112 x 112 (InsightFace, utils/face_align.py).
_TEMPLATE = np.array(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]],
    np.float32,
)


class _Trial:
    def __init__(self, detector: str, embedder: str) -> None:
        self._detector = onnxruntime.InferenceSession(detector)
        self._embedder = onnxruntime.InferenceSession(embedder)

    def look(self, image: Image) -> Vector | None:
        boxes, marks, scores = self._detect(image)
        kept = cv2.dnn.NMSBoxes(boxes.tolist(), scores.tolist(), _SCORE, _OVERLAP)
        corners = [[x, y, x + width, y + height] for x, y, width, height in boxes[kept]] if len(kept) else []
        chosen = prominent(corners, image)
        if chosen is None:
            return None
        matrix, _ = cv2.estimateAffinePartial2D(marks[kept[chosen]], _TEMPLATE, method=cv2.LMEDS)
        aligned = cv2.warpAffine(image, matrix, (112, 112))
        blob = cv2.dnn.blobFromImage(aligned, swapRB=True)
        vector = self._embedder.run(None, {self._embedder.get_inputs()[0].name: blob})[0].ravel()
        return vector / np.linalg.norm(vector)

    def _detect(self, image: Image) -> tuple[Any, Any, Any]:
        scale = _SIDE / max(image.shape[:2])
        small = cv2.resize(image, None, fx=scale, fy=scale)
        canvas = np.zeros((_SIDE, _SIDE, 3), np.uint8)
        canvas[: small.shape[0], : small.shape[1]] = small
        names = [one.name for one in self._detector.get_outputs()]
        blob = cv2.dnn.blobFromImage(canvas)
        got = self._detector.run(None, {self._detector.get_inputs()[0].name: blob})
        told = {name: value.reshape(-1, value.shape[-1]) for name, value in zip(names, got, strict=True)}
        boxes, marks, scores = [], [], []
        for stride in (8, 16, 32):
            side = _SIDE // stride
            grid = np.stack(np.meshgrid(np.arange(side), np.arange(side)), -1).reshape(-1, 2)
            score = np.sqrt(told[f"cls_{stride}"] * told[f"obj_{stride}"]).ravel()
            middle = (grid + told[f"bbox_{stride}"][:, :2]) * stride
            size = np.exp(told[f"bbox_{stride}"][:, 2:]) * stride
            boxes.append(np.hstack([middle - size / 2, size]))
            marks.append((told[f"kps_{stride}"].reshape(-1, 5, 2) + grid[:, None]) * stride)
            scores.append(score)
        return np.concatenate(boxes) / scale, np.concatenate(marks) / scale, np.concatenate(scores)


def open_peer(options: dict[str, Any]) -> Peer:
    """Open the files ``detector`` and ``embedder``."""
    return _Trial(options["detector"], options["embedder"])
