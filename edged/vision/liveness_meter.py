"""All that tells a living face from one that is presented.

Each cue gives evidence in log-odds; ``domain.liveness`` adds it up. The weights are those of a logistic
regression on 240 live photographs, 72 drawn visits and 400 drawn attacks of LFW, rounded, and hold for
such pictures. They were fitted on people of ``edged eval liveness --half even``; the figures are of the odd
half. At a door they are a beginning: ``edged liveness test`` tells what they are worth there.
"""

import math
from collections.abc import Collection, Mapping

import numpy as np

from edged.config.sections import LivenessConfig, ModelsConfig
from edged.domain.liveness import Cue
from edged.domain.types import Box, Face, Image
from edged.errors import ModelError
from edged.vision.liveness import LivenessEnsemble
from edged.vision.liveness_border import border_support
from edged.vision.liveness_parallax import ParallaxWatch
from edged.vision.liveness_screen import screen_peak
from edged.vision.opening import open_liveness

# A network's log-odds count by so much, and no further than its being 98 % sure: what speaks for life
# must not outweigh a border that is plain to see.
_MODEL_WEIGHT, _MODEL_BIAS, _MODEL_MOST, _MODEL_LEAST = 0.6, 0.4, 4.0, -9.0
# Live photographs: support 0.46 in the median, 0.68 at 97 %; attacks whose edges are in view 0.8 to 1.
_BORDER_WEIGHT, _BORDER_FROM = 17.0, 0.5
# Live photographs: peaks of 3.9 in the median, 5.5 at 97 %; screens near the camera 12 and more.
_SCREEN_WEIGHT, _SCREEN_FROM = 14.0, 5.0
# Not fitted: photographs do not move. Of twelve drawn visits that sway, what is beside the face stays behind
# by 0.98 or more; of twelve attacks that do by 0.37 to 1.0, since it is the holder's surroundings in part.
_PARALLAX_WEIGHT, _PARALLAX_BELOW = 8.0, 0.8

_NOBODY = Face(Box(80, 80, 80, 80), np.zeros((5, 2), np.float32), 0.0)


class FaceLiveness:
    """Measures the configured cues of a face. Not for several threads at once.

    ``ensemble`` None leaves the networks out.
    """

    def __init__(
        self,
        ensemble: LivenessEnsemble | None,
        cues: Collection[Cue],
        *,
        pack_name: str | None = None,
        restrictions: Mapping[str, str] | None = None,
    ) -> None:
        self.pack_name = pack_name
        self.restrictions = dict(restrictions or {})
        self._ensemble = ensemble
        self._cues = frozenset(cues)
        self._parallax = ParallaxWatch()

    @classmethod
    def load(cls, models: ModelsConfig, liveness: LivenessConfig) -> "FaceLiveness | None":
        """Open what is configured; None where liveness is off. Raises ``ModelError`` as ``open`` does."""
        return None if liveness.mode == "off" else cls.open(models, liveness)

    @classmethod
    def open(cls, models: ModelsConfig, liveness: LivenessConfig) -> "FaceLiveness":
        """Open the configured pack and cues, whatever the mode is.

        Raises ``ModelError`` naming the command that mends it, or where there is nothing to measure.
        """
        cues = [Cue(name) for name in liveness.cues]
        if liveness.pack is None and not cues:
            raise ModelError("liveness.pack is not set and liveness.cues is empty: nothing to measure")
        if liveness.pack is None:
            meter = cls(None, cues)
        else:
            pack, ensemble, _ = open_liveness(models, liveness.pack)
            restrictions = {} if pack.commercial else {pack.name: pack.licence}
            meter = cls(ensemble, cues, pack_name=pack.name, restrictions=restrictions)
        # So that what is broken fails at the start, and the first visitor does not wait for cold code.
        meter.measure(0, 0.0, np.full((240, 240, 3), 128, np.uint8), _NOBODY)
        meter.forget(0)
        return meter

    def apart(self) -> dict[Cue, "FaceLiveness"]:
        """Return one meter for each cue, to be timed alone; the networks are shared."""
        meters = {} if self._ensemble is None else {Cue.MODEL: FaceLiveness(self._ensemble, ())}
        return meters | {cue: FaceLiveness(None, (cue,)) for cue in Cue if cue in self._cues}

    def measure(self, track_id: int, at: float, image: Image, face: Face) -> dict[Cue, float]:
        """Return each cue's evidence for life, in log-odds, of ``face`` in ``image`` (H, W, 3) uint8 BGR.

        Parallax is left out until the frames of the track give evidence. Raises ``ModelError`` or
        ``ValueError`` where something cannot be measured.
        """
        found: dict[Cue, float] = {}
        if self._ensemble is not None:
            found[Cue.MODEL] = _of_model(self._ensemble.score(image, face))
        if Cue.BORDER in self._cues:
            found[Cue.BORDER] = -_BORDER_WEIGHT * max(0.0, border_support(image, face.box) - _BORDER_FROM)
        if Cue.SCREEN in self._cues:
            found[Cue.SCREEN] = -_SCREEN_WEIGHT * max(
                0.0, math.log(screen_peak(image, face.box) / _SCREEN_FROM)
            )
        if Cue.PARALLAX in self._cues:
            left_behind = self._parallax.update(track_id, at, image, face)
            if left_behind is not None:
                found[Cue.PARALLAX] = -_PARALLAX_WEIGHT * max(0.0, _PARALLAX_BELOW - left_behind)
        return found

    def forget(self, track_id: int) -> None:
        """Drop what is remembered of a track."""
        self._parallax.forget(track_id)


def _of_model(score: float) -> float:
    """Return the evidence of the networks' ``score`` 0..1. Raises ``ModelError`` for anything else."""
    if not 0 <= score <= 1:
        raise ModelError(f"expected a liveness score from 0 to 1, got {score}")
    if score in (0.0, 1.0):
        odds = _MODEL_LEAST if score == 0 else _MODEL_MOST
    else:
        odds = math.log(score / (1 - score))
    return _MODEL_WEIGHT * min(_MODEL_MOST, max(_MODEL_LEAST, odds)) + _MODEL_BIAS
