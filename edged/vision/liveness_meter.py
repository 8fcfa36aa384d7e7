"""All that tells a living face from one that is presented, on one scale.

Each cue is put on a scale of 0 to 1 with 0.5 at its own limit, so that the smallest of them is below 0.5
if and only if one of them would refuse. The limits let 97 % of live photographs pass together, see
``edged eval liveness``; they were chosen on people other than those that the figures are of.
"""

from collections.abc import Collection, Mapping

from edged.config.sections import LivenessConfig, ModelsConfig
from edged.domain.liveness import Cue
from edged.domain.types import Face, Image
from edged.vision.liveness import LivenessEnsemble
from edged.vision.liveness_border import border_support
from edged.vision.liveness_parallax import ParallaxWatch
from edged.vision.liveness_screen import screen_peak
from edged.vision.opening import open_liveness

# Of 400 live photographs of LFW 0.3 % show more of a rectangle; of attacks whose edges are in view, 97 %.
BORDER_LIMIT = 0.83
# The strongest stripe of those photographs is 8.0 times its like; screens near the camera give 14.
SCREEN_LIMIT = 8.5
# A picture that is moved carries what is beside the face along: 0.0 to 0.2 of it stays behind, measured
# on drawn visits; before a background that stands still it is 0.8 to 1.
PARALLAX_LIMIT = 0.35


class FaceLiveness:
    """Measures the configured cues of a face. Not for several threads at once.

    ``ensemble`` None leaves the networks out. ``model_limit`` is the networks' score at which they refuse.
    """

    def __init__(
        self,
        ensemble: LivenessEnsemble | None,
        cues: Collection[Cue],
        *,
        model_limit: float,
        pack_name: str | None = None,
        restrictions: Mapping[str, str] | None = None,
    ) -> None:
        self.pack_name = pack_name
        self.restrictions = dict(restrictions or {})
        self._ensemble = ensemble
        self._cues = frozenset(cues)
        self._model_limit = model_limit
        self._parallax = ParallaxWatch()

    @classmethod
    def load(cls, models: ModelsConfig, liveness: LivenessConfig) -> "FaceLiveness | None":
        """Open what is configured; None where liveness is off.

        Raises ``ModelError`` naming the command that mends it.
        """
        if liveness.mode == "off":
            return None
        cues = [Cue(name) for name in liveness.cues]
        if liveness.pack is None:
            return cls(None, cues, model_limit=liveness.model_limit)
        pack, ensemble, _ = open_liveness(models, liveness.pack)
        return cls(
            ensemble,
            cues,
            model_limit=liveness.model_limit,
            pack_name=pack.name,
            restrictions={} if pack.commercial else {pack.name: pack.licence},
        )

    def measure(self, track_id: int, at: float, image: Image, face: Face) -> dict[Cue, float]:
        """Score each cue 0..1, 0.5 at its own limit, of ``face`` in ``image`` (H, W, 3) uint8 BGR.

        Parallax is left out until the frames of the track give evidence. Raises ``ModelError`` or
        ``ValueError`` where something cannot be measured.
        """
        scores: dict[Cue, float] = {}
        if self._ensemble is not None:
            scores[Cue.MODEL] = scaled(self._ensemble.score(image, face), self._model_limit)
        if Cue.BORDER in self._cues:
            scores[Cue.BORDER] = scaled(1 - border_support(image, face.box), 1 - BORDER_LIMIT)
        if Cue.SCREEN in self._cues:
            scores[Cue.SCREEN] = SCREEN_LIMIT / (SCREEN_LIMIT + screen_peak(image, face.box))
        if Cue.PARALLAX in self._cues:
            left_behind = self._parallax.update(track_id, at, image, face)
            if left_behind is not None:
                scores[Cue.PARALLAX] = scaled(left_behind, PARALLAX_LIMIT)
        return scores

    def forget(self, track_id: int) -> None:
        """Drop what is remembered of a track."""
        self._parallax.forget(track_id)


def scaled(value: float, limit: float) -> float:
    """Put ``value`` 0..1 on a scale that has ``limit`` (above 0, below 1) at 0.5, straight on either side."""
    if value < limit:
        return 0.5 * value / limit
    return 0.5 + 0.5 * (value - limit) / (1 - limit)
