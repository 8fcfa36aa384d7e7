"""Whether a camera shows the present, and anything at all.

A camera that hangs often repeats its last pictures, and so does whoever feeds it a recording of one.
The noise of a sensor makes two real pictures differ, so a repeated one is no new evidence.
"""

from collections import deque
from dataclasses import dataclass
from enum import StrEnum

# A driver that stalled may go round its ring of buffers; Video4Linux uses 2 to 8.
_REMEMBERED = 8
# Grey levels 0..255 on a coarse grid, which averages the noise away. Of 1,500 portraits the plainest
# spans 73 levels and the darkest reaches 105; a flat surface with noise of sigma 15 spans 6.
_BLACK_BELOW = 20.0
_WHITE_ABOVE = 240.0
_FLAT_BELOW = 12.0


class CameraState(StrEnum):
    """What the camera is doing, for people and machines."""

    UP = "up"
    DOWN = "down"
    FROZEN = "frozen"
    BLIND = "blind"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class PictureFacts:
    """One picture in numbers.

    ``digest`` is equal for equal pictures; ``dark`` and ``bright`` are the 5th and 95th percentile of
    its grey levels 0..255 on a coarse grid.
    """

    digest: bytes
    dark: float
    bright: float

    @property
    def blind(self) -> bool:
        """Whether it is black, white or without structure: nobody could be seen on it."""
        return self.bright < _BLACK_BELOW or self.dark > _WHITE_ABOVE or self.bright - self.dark < _FLAT_BELOW


@dataclass(frozen=True, slots=True)
class Verdict:
    """``state`` of the camera after a picture; ``fresh`` is False for a repeated one."""

    state: CameraState
    fresh: bool


class PictureWatch:
    """Judges the pictures of one camera in their order.

    A source that is not ``live`` may repeat itself. ``frozen_after`` repeated pictures in a row make
    the camera frozen, ``blind_after`` without content make it blind; one good picture ends either. Pictures
    that were ``passed`` without a look count like those before and after where both are alike: how long it
    takes does not hang on how often somebody looks.
    """

    def __init__(self, *, live: bool, frozen_after: int, blind_after: int) -> None:
        self._live = live
        self._frozen_after = frozen_after
        self._blind_after = blind_after
        self._recent: deque[bytes] = deque(maxlen=_REMEMBERED)
        self._repeated = 0
        self._blind = 0

    def step(self, facts: PictureFacts, *, passed: int = 0) -> Verdict:
        """Judge the next picture. Blind wins over frozen: a covered lens may show the same black."""
        fresh = not self._live or facts.digest not in self._recent
        self._recent.append(facts.digest)
        self._repeated = 0 if fresh else _longer(self._repeated, passed)
        self._blind = _longer(self._blind, passed) if facts.blind else 0
        if self._blind >= self._blind_after:
            return Verdict(CameraState.BLIND, fresh)
        if self._repeated >= self._frozen_after:
            return Verdict(CameraState.FROZEN, fresh)
        return Verdict(CameraState.UP, fresh)


def _longer(row: int, passed: int) -> int:
    """Return the length of a row of pictures with the next one; those between two of a kind are of it too."""
    return row + 1 + passed if row else 1
