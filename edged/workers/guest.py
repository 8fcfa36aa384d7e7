"""Whoever else has something retained over the publisher's connection."""

from collections.abc import Mapping
from typing import Protocol


class Guest(Protocol):
    """Called on the publisher's thread, and must not block it."""

    def statuses(self) -> Mapping[str, bytes]:
        """Return what is to be retained, by topic; asked at every turn with a connection."""

    def kept(self, topic: str) -> None:
        """Hear that the broker has taken what was last to be retained on ``topic``."""
