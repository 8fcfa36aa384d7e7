"""Whether a face is presented alive: the networks that were trained to tell.

A passive check of single colour pictures is a deterrent against a photograph or a screen that somebody
holds up in passing. It is no guarantee: masks, good prints and bright screens have passed such networks.
"""

import math
from collections.abc import Sequence

import cv2
import numpy as np

from edged.domain.types import Box, Face, FloatArray, Image
from edged.errors import ModelError
from edged.vision.packs import ModelSpec
from edged.vision.tensors import AnySession, check_image, check_size, feed

# Minivision's networks know three classes: a print or 2D picture, a living face, a screen or 3D mask.
_CLASSES, _LIVE = 3, 1


class LivenessEnsemble:
    """Networks that look at one face at different scales; the score is the mean of what they say.

    MiniFASNet (Minivision, Silent-Face-Anti-Spoofing) is an ensemble of two: V2 sees the face with its
    neck (crop 2.7), V1SE its surroundings too (crop 4.0). Their authors add the soft-maxed outputs; the
    mean is that sum on a scale of 0 to 1.
    """

    def __init__(self, members: Sequence[tuple[AnySession, ModelSpec]]) -> None:
        """Raise ``ModelError`` where a file and its descriptor disagree, or there is none."""
        if not members:
            raise ModelError("expected one liveness network at least")
        for session, spec in members:
            if spec.task != "liveness" or spec.crop_scale is None:
                raise ModelError("a liveness network's descriptor needs that task and a crop_scale")
            check_size(session, spec.input)
        self._members = tuple(members)

    def score(self, image: Image, face: Face) -> float:
        """Return how likely ``face`` in ``image`` (H, W, 3) uint8 BGR is alive, 0..1.

        Raises ``ValueError`` for another kind of array or a face outside the picture, ``ModelError`` if a
        network misbehaves.
        """
        check_image(image)
        scores = [_alive(session, spec, image, face.box) for session, spec in self._members]
        return math.fsum(scores) / len(scores)


def surroundings(image: Image, box: Box, scale: float, size: tuple[int, int]) -> Image:
    """Return what lies within ``scale`` times ``box`` about its centre, as (height, width, 3) of ``size``.

    As the networks' authors cut it: where the picture ends, the crop becomes smaller and moves inwards.
    Raises ``ValueError`` where nothing of it lies in the picture.
    """
    height, width = image.shape[:2]
    if not (box.width >= 1 and box.height >= 1):  # written so that NaN fails
        raise ValueError(f"expected a face of one pixel at least, got {box.width} x {box.height}")
    fits = min((height - 1) / box.height, (width - 1) / box.width, scale)
    (x, y), (wide, tall) = box.centre, (box.width * fits, box.height * fits)
    left = min(max(x - wide / 2, 0.0), width - 1 - wide)
    top = min(max(y - tall / 2, 0.0), height - 1 - tall)
    crop = image[int(top) : int(top + tall) + 1, int(left) : int(left + wide) + 1]
    return np.asarray(cv2.resize(crop, size), np.uint8)


def _alive(session: AnySession, spec: ModelSpec, image: Image, box: Box) -> float:
    crop = surroundings(image, box, spec.crop_scale or 1.0, spec.input)
    outputs = feed(session, [crop], spec)
    if len(outputs) != 1 or outputs[0].shape != (1, _CLASSES):
        raise ModelError(f"expected one output (1, {_CLASSES}), got {[out.shape for out in outputs]}")
    return _softmax(outputs[0][0])


def _softmax(logits: FloatArray) -> float:
    # Of three numbers: NumPy takes ten times as long.
    numbers = logits.tolist()
    if not all(map(math.isfinite, numbers)):
        raise ModelError("the liveness network gave a value that is not finite")
    most = max(numbers)
    weights = [math.exp(number - most) for number in numbers]
    return weights[_LIVE] / math.fsum(weights)
