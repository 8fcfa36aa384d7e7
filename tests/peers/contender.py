"""Who takes part: which code, in which environment, with which files."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

# How two vectors are compared: by cosine, or as dlib's documentation has it by distance.
Measure = Literal["cosine", "distance"]


@dataclass(frozen=True, slots=True)
class Contender:
    """``module`` has ``open_peer(options)``; ``python`` runs it. ``needs`` are files that must be there.

    ``aim`` is how many times edged's CPU time this one is expected to take at least, None for no expectation.
    ``sequence`` marks one that knows the frame before: it is not asked about single photographs.
    ``own`` marks edged itself.
    """

    name: str
    module: str
    python: str
    options: dict[str, Any]
    needs: tuple[Path, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)
    measure: Measure = "cosine"
    aim: float | None = None
    sequence: bool = False
    own: bool = False

    def lacking(self) -> str | None:
        """Say what keeps it from taking part, None for nothing that is known."""
        if not Path(self.python).exists():
            return "its environment is not installed: make bench-peers"
        missing = [path.name for path in self.needs if not path.exists()]
        return f"no {', '.join(missing)} on this machine" if missing else None
