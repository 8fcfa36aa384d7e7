"""Why a picture is searched for faces, or not."""

from enum import StrEnum


class Glance(StrEnum):
    """What speaks for a search, the strongest first.

    ``FACE`` and ``DUE`` are owed: a face in view is judged by every picture that is taken, and a door looks
    for people now and then whatever its gate says. ``MOTION`` and ``LINGER`` (something moved a moment ago)
    find people sooner than that. ``STILL`` is no reason.
    """

    FACE = "face"
    DUE = "due"
    MOTION = "motion"
    LINGER = "linger"
    STILL = "still"

    @property
    def owed(self) -> bool:
        """Whether nothing may put it off."""
        return self in (Glance.FACE, Glance.DUE)
