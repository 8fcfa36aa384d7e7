"""Which pictures of a live camera are old although they have just come.

While a network or a driver stalls, pictures pile up in buffers, and afterwards they come in a burst: each
looks new and shows what was there seconds ago. A read that had to wait gave a picture of now; one that
returned at once gave one from a buffer. So after a stall pictures are passed over until a read has waited
again. Where decoding is slower than the camera every read takes the same time and this tells nothing.
"""

from collections import deque
from statistics import median

_REMEMBERED = 15
_KNOWN_FROM = 5
# A live read waits about a frame time; a buffered one takes the decoding alone.
_WAITED_SHARE = 1 / 3
# A camera that stalls for several times its own rhythm; one that is slow by nature does so always.
_STALL_FACTOR = 3.0
# More than buffers hold; after it the rhythm itself must have changed.
_DRAIN_SECONDS = 2.0


class Backlog:
    """Told how long each read waited. A wait above ``stall_seconds`` may have filled the buffers."""

    def __init__(self, stall_seconds: float) -> None:
        self._stall_seconds = stall_seconds
        self._waits: deque[float] = deque(maxlen=_REMEMBERED)
        self._draining_until: float | None = None

    def is_old(self, waited: float, now: float) -> bool:
        """Whether the picture that came at monotonic ``now``, after ``waited`` seconds, is from a buffer."""
        usual = median(self._waits) if len(self._waits) >= _KNOWN_FROM else None
        if usual is not None and waited > max(self._stall_seconds, _STALL_FACTOR * usual):
            self._draining_until = now + _DRAIN_SECONDS
            return True
        if self._draining_until is not None and usual is not None:
            if waited < _WAITED_SHARE * usual and now < self._draining_until:
                return True
            self._draining_until = None
        self._waits.append(waited)
        return False
