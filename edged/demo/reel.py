"""The replay of a demo: its frames on disk, and to which visit each of them belongs.

Frames may be passed over on a busy machine and all look alike to a counter, so a frame is known by its
pixels: every one has a grain of its own.
"""

import hashlib
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from edged.demo.stage import Appearance
from edged.devices.camera_file import read_picture
from edged.domain.types import Image
from edged.evaluation.scene import Visit, write_scene

FPS = 10.0
# Before and after each visit: together longer than the second after which a track ends.
_GAP_FRAMES = 7
# Two seconds on the way: enough for three pictures and a decision at a quarter of this rate.
_VISIT_FRAMES = 22
# Every so many rows and columns; the grain of 3,000 pixels is never the same twice.
_STRIDE = 10


@dataclass(frozen=True, slots=True)
class Reel:
    """``visits`` maps the digest of each frame to the number of its visit, from 0."""

    visits: Mapping[bytes, int]

    @property
    def seconds(self) -> float:
        """How long the replay takes."""
        return len(self.visits) / FPS

    def visit_of(self, image: Image) -> int | None:
        """Return the visit that a frame of the replay belongs to; None for any other picture."""
        return self.visits.get(frame_digest(image))


def record(
    appearances: Sequence[Appearance],
    folder: Path,
    *,
    track: Callable[[Sequence[Appearance]], Iterable[Appearance]] = iter,
) -> Reel:
    """Write the frames of all visits into ``folder``, in place of what it held; return what they are.

    ``track`` may draw the progress of whatever it is given.

    Raises ``EnrolmentError`` for a photograph that does not decode.
    """
    shutil.rmtree(folder, ignore_errors=True)
    visits: dict[bytes, int] = {}
    for number, appearance in enumerate(track(appearances)):
        part = folder / f"part-{number:02d}"
        visit = Visit(appearance.photos, appearance.printed)
        write_scene([visit], part, frames_a_visit=_VISIT_FRAMES, gap_frames=_GAP_FRAMES, seed=number + 1)
        for path in sorted(part.iterdir()):
            image = read_picture(path)
            if image is not None:
                visits[frame_digest(image)] = number
            path.rename(folder / f"{number:02d}-{path.name}")
        part.rmdir()
    return Reel(visits)


def frame_digest(image: Image) -> bytes:
    """Return what tells a frame of the replay from all others."""
    return hashlib.blake2b(image[::_STRIDE, ::_STRIDE].tobytes(), digest_size=16).digest()
