"""What a door costs while nobody is there, and how soon it looks for who comes.

The gate is asked about drawn clips. What the whole program takes is measured from outside: the CPU time that
the kernel books on its process.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from edged.domain.types import Frame
from edged.evaluation.idle_clips import FPS, Clip
from edged.evaluation.live_door import running, write_door, write_video

# Models are loaded and the gate has learnt the noise by then.
_SETTLE_SECONDS = 6.0


@dataclass(frozen=True, slots=True)
class Watched:
    """Of ``frames`` so many were ``looked`` at and ``searched``.

    ``waited`` is the number of frames from somebody's entry to the first search, None where nobody enters
    or nobody was searched for after it, which is ``missed``. ``look_ms`` is the median CPU time of a look.
    """

    clip: str
    frames: int
    looked: int
    searched: int
    waited: int | None
    missed: bool
    look_ms: float


@dataclass(frozen=True, slots=True)
class IdleShare:
    """``share`` of one core that a door takes over ``seconds`` of a clip, and its pictures a second."""

    clip: str
    codec: str
    seconds: float
    share: float
    captured: float
    looked: float
    searched: float


def watch(clip: Clip, wanted: Callable[[float], bool], worth: Callable[[Frame], bool]) -> Watched:
    """Show ``clip``; ``wanted`` is asked of each frame's time, ``worth`` of each frame that is wanted."""
    searched = frames = 0
    waited, spent = None, []
    for number, image in enumerate(clip.frames()):
        frames, at = number + 1, 100.0 + number / FPS
        if not wanted(at):
            continue
        began = time.thread_time()
        wanted_search = worth(Frame(number, at, image))
        spent.append(time.thread_time() - began)
        if wanted_search:
            searched += 1
            if clip.entry is not None and waited is None and number >= clip.entry:
                waited = number - clip.entry
    missed = clip.entry is not None and waited is None
    look_ms = round(1000 * median(spent), 3) if spent else 0.0
    return Watched(clip.name, frames, len(spent), searched, waited, missed, look_ms)


def idle_share(
    clip: Clip,
    folder: Path,
    *,
    codec: str = "mpeg4",
    seconds: float = 30.0,
    sections: Mapping[str, Any] | None = None,
) -> IdleShare:
    """Run a door before ``clip``, again and again, for so long; ``sections`` add to its configuration.

    Raises ``EvaluationError``.
    """
    source = write_video(clip.frames(), folder, codec, fps=FPS)
    write_door(folder, {**source, "loop": True}, sections or {})
    with running(folder) as door:
        time.sleep(_SETTLE_SECONDS)
        began, spent, figures = time.monotonic(), door.cpu_seconds(), door.figures()
        time.sleep(seconds)
        passed, spent = time.monotonic() - began, door.cpu_seconds() - spent
        after = door.figures()

    def rate(fate: str) -> float:
        name = f'edged_frames_total{{result="{fate}"}}'
        return (after.get(name, 0.0) - figures.get(name, 0.0)) / passed

    captured = rate("captured")
    return IdleShare(
        clip.name,
        codec,
        round(passed, 1),
        round(spent / passed, 4),
        round(captured, 2),
        round(captured - rate("skipped"), 2),
        round(rate("processed"), 2),
    )
