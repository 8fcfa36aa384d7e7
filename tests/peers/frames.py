"""The frames that everybody gets: visitors of a drawn corridor, one after the other."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edged.evaluation.protocols import images_below
from edged.evaluation.scene import Visit, write_scene

# A visit of a second and two thirds at 15 frames a second.
FRAMES_A_VISIT = 25


@dataclass(frozen=True, slots=True)
class Scene:
    """``frames`` are files of 640 x 480 pixels; ``enrolled`` the photographs of every other visitor."""

    frames: tuple[Path, ...]
    enrolled: tuple[Path, ...]


def make_scene(photographs: Sequence[Path], folder: Path, count: int, seed: int) -> Scene:
    """Draw ``count`` frames with one visitor each, 25 to a visit, below ``folder``.

    A visitor is the photograph of one person, cut out where its background allows, before a corridor; it
    grows from 0.6 to 0.95 of the frame's height, sways, and each frame has a grain of its own. The same
    ``seed`` and photographs give the same pixels.
    """
    visits = -(-count // FRAMES_A_VISIT)
    chance = np.random.default_rng(seed)
    chosen = [photographs[at] for at in chance.permutation(len(photographs))[:visits]]
    callers = [chosen[at % len(chosen)] for at in range(visits)]
    for old in folder.glob("*.jpg"):
        old.unlink()
    write_scene(
        [Visit([path]) for path in callers], folder,
        frames_a_visit=FRAMES_A_VISIT, gap_frames=0, seed=seed,
    )  # fmt: skip
    return Scene(tuple(images_below(folder)[:count]), tuple(callers[::2]))
