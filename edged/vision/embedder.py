"""Aligned faces to unit vectors."""

import math
from collections.abc import Sequence

import cv2
import numpy as np

from edged.domain.types import FloatArray, Image
from edged.errors import ModelError
from edged.vision.alignment import enlarged
from edged.vision.packs import ModelSpec
from edged.vision.tensors import AnySession, check_image, check_size, feed_in_parts

# A face always gives a vector of norm 1 to 100; this small, the direction is rounding error.
_MIN_NORM = 1e-3


class FaceEmbedder:
    """An embedding network. Vectors of different ``space`` must never be compared."""

    def __init__(self, session: AnySession, spec: ModelSpec, *, space: str | None = None) -> None:
        """Raise ``ModelError`` when file and descriptor disagree, or the descriptor is incomplete."""
        name = space or spec.space
        if name is None or spec.dimension is None:
            raise ModelError("an embedder's descriptor needs a space and a dimension")
        check_size(session, spec.input)
        self.space: str = name
        self.dimension: int = spec.dimension
        self.session = session
        self._spec = spec
        fixed = session.input_shape[0]
        self._batch = fixed if isinstance(fixed, int) else None

    def embed(self, faces: Sequence[Image]) -> FloatArray:
        """Return (N, D) float32 unit rows for N aligned faces (H, W, 3) uint8 BGR.

        Where the descriptor says ``mirrored``, a row is the mean of a face's and of its mirror image's; where
        it gives a ``zoom``, of the enlarged face's as well.
        Raises ``ValueError`` for pictures of another size, ``ModelError`` when the network gives
        another dimension, a vector that is not finite, or one without direction.
        """
        for face in faces:
            check_image(face)
            if face.shape[1::-1] != self._spec.input:
                raise ValueError(f"expected a face {self._spec.input}, got {face.shape[1::-1]}")
        if not faces:
            return np.empty((0, self.dimension), np.float32)
        views = [list(faces)]
        if self._spec.zoom is not None:
            views.append([enlarged(face, self._spec.zoom) for face in faces])
        if self._spec.mirrored:
            views += [[np.asarray(cv2.flip(face, 1), np.uint8) for face in view] for view in views]
        vectors = _normalised(self._raw([face for view in views for face in view], len(faces)))
        if len(views) > 1:
            first, *others = vectors.reshape(len(views), len(faces), self.dimension)
            vectors = _normalised(sum(others, first))
        vectors.flags.writeable = False
        return vectors

    def _raw(self, pictures: Sequence[Image], at_once: int) -> FloatArray:
        """Return a row for each picture; a file that takes any number gets ``at_once`` of them."""
        step = self._batch or at_once
        # A file with a fixed batch gets its last one filled up with copies, which are dropped again.
        filled = [*pictures, *[pictures[-1]] * (-len(pictures) % step)]
        rows = []
        for outputs in feed_in_parts(self.session, filled, self._spec, step):
            if len(outputs) != 1 or outputs[0].shape != (step, self.dimension):
                raise ModelError(
                    f"expected one output ({step}, {self.dimension}), got {[out.shape for out in outputs]}"
                )
            rows.append(outputs[0])
        return (rows[0] if len(rows) == 1 else np.concatenate(rows))[: len(pictures)]


def _normalised(rows: FloatArray) -> FloatArray:
    norms = np.sqrt(np.add.reduce(rows * rows, axis=1, keepdims=True))
    # Written so that NaN and infinity fail too; for so few NumPy takes longer.
    if not all(_MIN_NORM < norm < math.inf for norm in norms.ravel().tolist()):
        raise ModelError("the embedder gave a vector that is zero or not finite")
    return np.asarray(rows / norms, np.float32)
