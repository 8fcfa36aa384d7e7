"""A burst after a stall, as a real reader thread sees it."""

import time
from collections import deque

import numpy as np

from edged.domain.types import Image
from edged.errors import CameraError
from edged.workers.reader import FrameReader


class Stalling:
    """A live camera of 10 fps that stalls for a second and then hands out what piled up."""

    live = True

    def __init__(self) -> None:
        self.number = 0
        self._due: deque[float] = deque()

    def open(self) -> None:
        start = time.monotonic()
        steady = [start + 0.1 * count for count in range(36)]
        stalled = (steady[12], steady[24])
        self._due = deque(stalled[1] if stalled[0] <= due < stalled[1] else due for due in steady)

    def grab(self) -> None:
        if not self._due:
            raise CameraError("over")
        time.sleep(max(0.0, self._due.popleft() - time.monotonic()))
        self.number += 1

    def read(self) -> Image:
        self.grab()
        return self.retrieve()

    def retrieve(self) -> Image:
        return np.full((2, 2, 3), self.number, np.uint8)

    def close(self) -> None:
        pass


def test_what_piled_up_during_a_stall_is_never_handed_on() -> None:
    reader = FrameReader(Stalling(), stall_seconds=0.6)
    taken, counted = [], 0
    try:
        while True:
            arrival = reader.take(30)
            assert arrival is not None
            taken.append(int(arrival.image[0, 0, 0]))
            counted += 1 + arrival.missed
    except CameraError:
        assert reader.finish()
    assert not set(taken) & set(range(13, 25))
    assert min(taken) < 13
    assert taken[-1] == counted == 36
