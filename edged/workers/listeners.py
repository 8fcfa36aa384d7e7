"""Who else is told what a daemon does; a console at a desk."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from edged.domain.challenge import Prompt
from edged.workers.door import DoorChange
from edged.workers.effects import Told
from edged.workers.gallery_sync import GalleryState
from edged.workers.recognition import Sight


@dataclass(frozen=True, slots=True)
class Listeners:
    """Each is called on the thread that it happens on; ``on_ready`` is given the daemon."""

    on_seen: Callable[[Sight], None] = lambda _sight: None
    on_told: Callable[[Told, GalleryState], None] = lambda _told, _state: None
    on_door: Callable[[DoorChange], None] = lambda _change: None
    on_prompt: Callable[[Prompt | None], None] = lambda _prompt: None
    on_camera: Callable[[str], None] = lambda _state: None
    on_ready: Callable[[Any], None] = lambda _daemon: None
