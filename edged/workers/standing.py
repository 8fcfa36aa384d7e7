"""What a door says of itself: what runs there, in which state it is, and how it fares."""

import threading
from collections.abc import Callable

from edged import __version__
from edged.config import Config, digest
from edged.devices.clock import Clock
from edged.domain.challenge import Prompt
from edged.domain.picture import CameraState
from edged.domain.types import EventKind
from edged.fleet.messages import BirthMessage, CameraWord, Fact, GestureWord, LockWord, StateMessage
from edged.workers.door import DoorChange
from edged.workers.door_words import DoorWords
from edged.workers.event_log import EventLog
from edged.workers.gallery_sync import GalleryState
from edged.workers.publisher import PublisherWorker


class Standing:
    """Keeps the door's latest words and hands them to ``publisher`` once there is one.

    ``models`` maps a task to the pack that does it. Called from several threads.
    """

    def __init__(
        self,
        config: Config,
        *,
        boot_id: str,
        models: dict[str, str],
        gallery: Callable[[], GalleryState],
        log: EventLog,
        clock: Clock,
    ) -> None:
        self.config = config
        self.models = models
        self.camera: CameraWord = "unknown"
        self.lock: LockWord = "locked"
        self.asks: GestureWord | None = None
        self.publisher: PublisherWorker | None = None
        self.locked_down = False
        self.door = DoorWords("locked")
        self._boot_id = boot_id
        self._gallery = gallery
        self._log = log
        self._clock = clock
        self._telling = threading.Lock()

    @property
    def armed(self) -> bool:
        """Whether a person could be let in by the configuration and the stated risk."""
        return self.config.decision.armed and self._gallery().threshold.cosine is not None

    def birth(self) -> BirthMessage:
        """Say what runs at the door."""
        return BirthMessage(
            boot_id=self._boot_id,
            version=__version__,
            models=self.models,
            gallery_version=self._gallery().snapshot.version,
            config_digest=digest(self.config),
            liveness=self.config.liveness.mode,
        )

    def state(self) -> StateMessage:
        """Say in which state the door is."""
        return StateMessage(
            lock=self.lock,
            camera=self.camera,
            armed=self.armed,
            time_synced=self._clock.synced(),
            asks=self.asks,
            locked_down=self.locked_down,
            door=self.door.door,
            tampered=self.door.tampered,
            emergency=self.door.emergency,
        )

    def facts(self, frames: int) -> dict[str, Fact]:
        """Return the vital signs; ``frames`` were taken so far."""
        return {
            "camera": self.camera,
            "lock": self.lock,
            "frames": frames,
            "people": len(self._gallery().snapshot.people),
            "unwritten_events": self._log.unwritten,
        }

    def name_of(self, person_id: str) -> str | None:
        """Return the name of an enrolled person."""
        person = self._gallery().snapshot.person(person_id)
        return None if person is None else person.name

    def tell(self, *, anew: bool = False) -> None:
        """Publish the state; with ``anew`` the birth as well, since other things run now."""
        with self._telling:  # or of two threads the one that looked first might speak last
            if self.publisher is None:
                return
            if anew:
                self.publisher.set_birth(self.birth())
            self.publisher.set_state(self.state())

    def door_changed(self, change: DoorChange) -> None:
        """Take over what the lock line did."""
        if change.state != "refused":
            self.lock = "fault" if change.state == "failed" else change.state
        self.tell()

    def door_told(self, words: DoorWords) -> None:
        """Take over what a door process says of itself."""
        self.lock, self.door = words.lock, words
        self.tell()

    def door_alarm(self, what: str) -> None:
        """Record what is wrong with a door process, which cannot tell it by itself."""
        self._log.record(self._log.event(EventKind.ALARM, {"type": what}))

    def lockdown_changed(self, locked_down: bool) -> None:
        """Take over whether a command keeps everybody out."""
        self.locked_down = locked_down
        self.tell()

    def prompted(self, prompt: Prompt | None) -> None:
        """Take over what whoever stands there is asked to do."""
        self.asks = None if prompt is None else prompt.gesture.value
        self.tell()

    def camera_changed(self, state: CameraState) -> CameraWord:
        """Take over the camera's state; return the one before."""
        before, self.camera = self.camera, state.value
        self.tell()
        return before
