"""The gate before detection: whether anything changed since detection last ran."""

import cv2
import numpy as np

from edged.config.sections import MotionConfig
from edged.domain.types import Image
from edged.vision.tensors import check_image

_WIDTH = 160
# Grey levels a pixel of the small picture must change by. Each averages at least nine camera pixels, so
# the difference of two pictures with noise of sigma 8 has a sigma below 4.
_CHANGED_BY = 20
# After a change detection runs on for this long: somebody who stops before the door stands still.
_HOLD_SECONDS = 1.0


class MotionGate:
    """Compares small grey pictures with the one that detection last saw.

    The reference moves only when detection runs, so slow movement adds up until it counts.
    Whatever is in doubt means True: no reference yet, another resolution, a clock that went back.
    """

    def __init__(self, config: MotionConfig) -> None:
        self._config = config
        self._reference: Image | None = None
        self._detected_at = 0.0
        self._moved_at: float | None = None

    def changed(self, image: Image, now: float) -> bool:
        """Tell whether detection should run on ``image`` (H, W, 3) uint8 at monotonic second ``now``."""
        if not self._config.enabled:
            return True
        small = _small(image)
        if self._moved(small):
            self._moved_at = now
        if not self._due(now):
            return False
        self._reference, self._detected_at = small, now
        return True

    def _moved(self, small: Image) -> bool:
        if self._reference is None or self._reference.shape != small.shape:
            return True
        difference = cv2.absdiff(self._reference, small)
        pixels = int(np.count_nonzero(difference > _CHANGED_BY))
        return pixels >= max(1.0, self._config.changed_ratio * small.size)

    def _due(self, now: float) -> bool:
        held = self._moved_at is not None and 0 <= now - self._moved_at <= _HOLD_SECONDS
        quiet = 0 <= now - self._detected_at < self._config.force_detection_ms / 1000
        return held or not quiet


def _small(image: Image) -> Image:
    """Return a grey picture 160 pixels wide, same proportions, lightly smoothed."""
    check_image(image)
    height = max(1, round(image.shape[0] * _WIDTH / image.shape[1]))
    reduced = cv2.resize(image, (_WIDTH, height), interpolation=cv2.INTER_AREA)
    grey: Image = cv2.blur(cv2.cvtColor(reduced, cv2.COLOR_BGR2GRAY), (3, 3))
    return grey
