"""Whether a calibration carries the stated risk for everybody who is enrolled."""

from collections.abc import Sequence

from edged.domain.calibration import MeasuredPoint, most_people
from edged.domain.risk import Risk


def overfull(points: Sequence[MeasuredPoint], people: int, risk: Risk) -> str | None:
    """Say that ``people`` are more than ``points`` carry at ``risk``, None where they carry them.

    Measuring at the site is no way out: a table that ends at 1e-6 takes 3 million comparisons to deepen,
    and 67 people with three photographs each make 13,000.
    """
    most = most_people(points, risk)
    if people <= most:
        return None
    return (
        f"{people:,} people are enrolled, and the calibration carries the stated risk for {most:,}: the door "
        "lets nobody in. A looser security level, fewer people, second_factor.ask with risk (up to ten times "
        "as many) or a pack with a deeper table changes that"
    )
