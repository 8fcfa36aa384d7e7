"""The gate before detection: whether anything changed since detection last ran.

Compared are small grey pictures, pixel by pixel, after what the light did to all of them is taken out. What
a pixel may change by is learnt: the noise of a sensor, a lamp that flickers, a screen. All of it fails
towards detection: what is new, not understood or merely doubtful is searched, and so is every picture that
comes ``force_detection_ms`` after the last search.
"""

import math

import cv2
import numpy as np

from edged.config.sections import MotionConfig
from edged.domain.cadence import LINGER_SECONDS
from edged.domain.glance import Glance
from edged.domain.types import FloatArray, Image
from edged.vision.tensors import check_image

_WIDTH = 160
# Grey levels that a pixel of the small picture may differ by: a floor, and what its own differences have
# been of late on average, so many times. Normal noise of sigma s differs by 1.13 s on average between two
# pictures, and by 3.2 times its own sigma (4.5 s) in one pixel of 800; the floor is what makes that none.
_FLOOR = 4.0
_TIMES = 4.0
# Until the noise is known: twenty grey levels, which is above the noise of any sensor in any light.
_START = 4.0
# A lamp is learnt within some seconds. Somebody who passes covers a pixel for less than that.
_LEARN_SECONDS = 4.0
# A gate that may not trust a quarter of the picture sees nobody come; it says so by staying open.
_UNSURE_LEVELS = 64.0
_UNSURE_SHARE = 0.25
# A lamp in a dark corridor changes more than that, and is looked at.
_GAIN = (0.5, 2.0)
# Less than noise makes of it.
_SAME_LIGHT = 0.01
_WHITE = 250
_PUNCTUAL_SECONDS = 0.01


class MotionGate:
    """Compares small grey pictures with the one that detection last saw.

    The reference moves only when detection runs, so slow movement adds up until it counts.
    Whatever is in doubt is motion: no reference yet, another resolution, a clock that went back.
    """

    def __init__(self, config: MotionConfig) -> None:
        self._config = config
        self._reference: Image | None = None
        self._usual: FloatArray | None = None
        self._newest: Image | None = None
        self._looked_at: float | None = None
        self._searched_at: float | None = None
        self._moved_at: float | None = None

    def look(self, image: Image, now: float) -> Glance:
        """Say what speaks for searching ``image`` (H, W, 3) uint8 that came at monotonic second ``now``."""
        small = self._newest = _small(image)
        passed = 0.0 if self._looked_at is None else min(max(0.0, now - self._looked_at), 1.0)
        self._looked_at = now
        moved = self._moved(small, passed)
        if moved:
            self._moved_at = now
        if self._due(now, passed):
            return Glance.DUE
        if moved:
            return Glance.MOTION
        return Glance.LINGER if self.restless(now) else Glance.STILL

    @property
    def idle_fps(self) -> float:
        """How many pictures a second are looked at while nothing moves."""
        return self._config.idle_fps

    def restless(self, now: float) -> bool:
        """Whether something moved within the last second before monotonic second ``now``."""
        return self._moved_at is not None and 0 <= now - self._moved_at <= LINGER_SECONDS

    def searched(self, now: float) -> None:
        """Take down that the picture last looked at was searched."""
        self._reference, self._searched_at = self._newest, now

    def occupied(self, now: float) -> None:
        """Take down that somebody is in view: every picture is searched, and nothing learnt from it."""
        self._reference, self._moved_at, self._searched_at = None, now, now

    def _due(self, now: float, pause: float) -> bool:
        """Whether the next look, after a ``pause`` like the last one, comes too late for the next search."""
        if self._searched_at is None or now < self._searched_at:
            return True
        return now + pause - self._searched_at > self._config.force_detection_ms / 1000 + _PUNCTUAL_SECONDS

    def _moved(self, small: Image, passed: float) -> bool:
        reference = self._reference
        if reference is None or reference.shape != small.shape:
            return True
        difference = _difference(small, reference)
        limit = self._limit(small.shape)
        cv2.accumulateWeighted(difference, self._usual, 1 - math.exp(-passed / _LEARN_SECONDS))
        if limit is None:
            return True
        pixels = cv2.countNonZero(cv2.compare(difference, limit, cv2.CMP_GT))
        return pixels >= max(1.0, self._config.changed_ratio * small.size)

    def _limit(self, shape: tuple[int, ...]) -> Image | None:
        """Return what each pixel may differ by; None where too many of them may differ by anything."""
        if self._usual is None or self._usual.shape != shape:
            self._usual = np.full(shape, _START, np.float32)
        limit: Image = cv2.convertScaleAbs(self._usual, alpha=_TIMES, beta=_FLOOR)
        unsure = cv2.countNonZero(cv2.compare(limit, _UNSURE_LEVELS, cv2.CMP_GT))
        return None if unsure > _UNSURE_SHARE * limit.size else limit


def _difference(small: Image, reference: Image) -> Image:
    """Return the grey levels by which the pictures differ once the light's change is taken out.

    Light, and the camera's exposure, multiply all grey levels but those that are white already. What most
    of the picture was multiplied by is the light: nobody covers most of it unseen.
    """
    plain: Image = cv2.absdiff(small, reference)
    gain = _gain(small, reference)
    if abs(gain - 1) < _SAME_LIGHT or not _GAIN[0] <= gain <= _GAIN[1]:
        return plain
    levelled = np.asarray(cv2.absdiff(cv2.convertScaleAbs(small, alpha=gain), reference), np.uint8)
    np.minimum(plain, levelled, out=levelled, where=small >= _WHITE)
    return levelled


def _gain(small: Image, reference: Image) -> float:
    """Return the median of what the grey levels have to be multiplied by, over every 16th pixel."""
    before, now = (one[::4, ::4].astype(np.float32) + 1 for one in (reference, small))
    return float(np.median(before / now))


def _small(image: Image) -> Image:
    """Return a grey picture 160 pixels wide, same proportions, lightly smoothed."""
    check_image(image)
    height = max(1, round(image.shape[0] * _WIDTH / image.shape[1]))
    reduced = cv2.resize(image, (_WIDTH, height), interpolation=cv2.INTER_AREA)
    grey: Image = cv2.blur(cv2.cvtColor(reduced, cv2.COLOR_BGR2GRAY), (3, 3))
    return grey
