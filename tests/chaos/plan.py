"""How often each fault is made, and until when: in proportion to the minutes that a run may take."""

import random
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from tests.chaos.row import Row

FULL_MINUTES = 20.0
# A run that is slower than it was meant to be leaves faults out rather than last for an hour.
_OVERTIME = 1.2


@dataclass
class Plan:
    """``minutes`` is about how long a run may last; ``told`` hears of every fault made and of every row.

    ``wanted`` are words of which one has to stand in the name of a fault; none of them: all faults.
    """

    minutes: float
    seed: int = 1
    wanted: tuple[str, ...] = ()
    step: Callable[[str, int, int], None] = lambda _fault, _done, _times: None
    told: Callable[[Row], None] = lambda _row: None
    began_at: float = field(default_factory=time.monotonic)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def times(self, full: int) -> int:
        """Return how often a fault is made of which a run of twenty minutes makes ``full``; at least once."""
        return max(1, round(full * self.minutes / FULL_MINUTES))

    def chance(self, salt: str) -> random.Random:
        """Return moments that are the same in every run with this seed."""
        return random.Random(f"{self.seed}-{salt}")

    def wants(self, fault: str) -> bool:
        """Whether the row of this fault is asked for."""
        return not self.wanted or any(word in fault for word in self.wanted)

    def some(self, faults: Iterable[str]) -> bool:
        """Whether any of them is asked for."""
        return any(self.wants(fault) for fault in faults)

    @property
    def over(self) -> bool:
        """Whether the time is up."""
        return time.monotonic() - self.began_at > 60 * self.minutes * _OVERTIME

    def rounds(self, fault: str, full: int) -> Iterator[int]:
        """Number the faults to make: the first in any case, the others while there is time."""
        times = self.times(full)
        for number in range(times):
            if number and self.over:
                return
            with self._lock:
                self.step(fault, number, times)
            yield number

    def done(self, row: Row) -> Row:
        """Tell of a row that is finished, and return it."""
        with self._lock:
            self.told(row)
        return row
