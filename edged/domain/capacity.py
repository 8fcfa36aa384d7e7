"""Whether a calibration carries the stated risk for everybody who is enrolled."""

from collections.abc import Sequence

from edged.domain.calibration import MeasuredPoint, most_people
from edged.domain.risk import Risk


def overfull(points: Sequence[MeasuredPoint], people: int, risk: Risk) -> str | None:
    """Say that ``people`` are more than ``points`` carry at ``risk``, None where they carry them."""
    most = most_people(points, risk)
    if people <= most:
        return None
    return (
        f"{people:,} people are enrolled, and the calibration carries the stated risk for {most:,}: the door "
        "lets nobody in; a looser security level, `edged calibrate` or a pack with a deeper table lets it"
    )
