"""Whether the machine kept up with a show: a door that sees too little lets nobody in, and rightly so."""

from dataclasses import dataclass
from typing import Any

from edged.domain.types import Reason
from edged.metrics import Metrics

# The replay leaves time for three pictures a visit at a quarter of its rate; at half of it nobody is missed.
_ENOUGH = 0.5


@dataclass(frozen=True, slots=True)
class Pace:
    """Of the pictures that ``came`` some were ``seen``, some too old when their turn came (``stale``).

    ``late`` visits were denied for that.
    """

    came: int
    seen: int
    stale: int
    late: int

    @classmethod
    def of(cls, metrics: Metrics) -> "Pace":
        """Return what a daemon counted."""

        def read(name: str, **labels: str) -> int:
            return int(metrics.registry.get_sample_value(name, labels) or 0)

        frames = {
            kind: read("edged_frames_total", result=kind)
            for kind in ("captured", "processed", "idle", "stale")
        }
        late = read("edged_decisions_total", decision="denied", reason=Reason.STALE.value)
        late += read("edged_lock_refusals_total", reason="stale")
        return cls(frames["captured"], frames["processed"] + frames["idle"], frames["stale"], late)

    @property
    def too_slow(self) -> bool:
        """Whether people may have been missed for want of time alone."""
        return self.late > 0 or self.seen < _ENOUGH * self.came

    @property
    def words(self) -> str:
        """Say it to whoever ran the show."""
        return (
            f"this machine was too slow for the show, or too busy: of {self.came} pictures {self.seen} were "
            f"looked at and {self.stale} were too old by then, and what is too old opens no door. End other "
            "programs and try again"
        )

    def as_json(self) -> dict[str, Any]:
        """JSON values."""
        return {"came": self.came, "seen": self.seen, "stale": self.stale, "too_slow": self.too_slow}
