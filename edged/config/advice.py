"""What is allowed, and seldom what somebody means who puts a door into service."""

from collections.abc import Iterator

from edged.config.door_lines import wired_lines
from edged.config.sections import Config, DoorConfig, FakeLockConfig, GpiodLockConfig

# As ``edged.devices.folder_gpio`` has it, which stands above this.
_FOLDER = "folder:"


def advice(config: Config) -> list[str]:
    """Return one ``path: text`` for each thing to know."""
    return [*unreal(config.door), *_of_fire(config.door)]


def unreal(door: DoorConfig) -> Iterator[str]:
    """Yield what is no hardware."""
    lock = door.lock
    if isinstance(lock, FakeLockConfig):
        yield "door.lock.driver: fake: no real door is driven"
    elif isinstance(lock, GpiodLockConfig) and lock.chip.startswith(_FOLDER):
        yield f"door.lock.chip: {lock.chip} is files: no real door is driven"
    for path, wired in wired_lines(door.inputs, door.signals).items():
        if wired.chip.startswith(_FOLDER):
            yield f"{path}.chip: {wired.chip} is files: no real wire is read or driven"


def _of_fire(door: DoorConfig) -> Iterator[str]:
    if door.inputs.fire is None or door.socket is not None:
        return
    yield (
        "door.inputs.fire: without door.socket it is heard while edged run runs, and no longer; "
        "a fire input needs a door process of its own"
    )
    if door.inputs.reset is None:
        yield (
            "door.inputs.reset: missing: without door.socket only `edged door reset` on this machine ends an "
            "emergency"
        )
