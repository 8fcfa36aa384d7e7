"""The wires of a door beside its lock: what it hears, what it shows. All of them may be left out.

They are lines of GPIO chips, claimed through libgpiod whatever drives the lock: one library, direction and
pull in one request, on every board.
"""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

_Bounce = Annotated[int, Meta(ge=0, le=2000)]
_Seconds = Annotated[float, Meta(gt=0, le=86_400)]


class LineConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A line of a GPIO chip; ``active`` is the level at which it means what it is called."""

    chip: str
    line: str | Annotated[int, Meta(ge=0)]
    active: Literal["high", "low"]


class InputConfig(LineConfig, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A switch. Its level counts once it has stood still for ``debounce_ms``."""

    pull: Literal["up", "down", "none"] = "none"
    # Switches of the usual kinds bounce for 1 to 20 ms (Ganssle, A Guide to Debouncing).
    debounce_ms: _Bounce = 30


class ExitConfig(InputConfig, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The button within (request to exit)."""

    unlocks: bool = True


class ContactConfig(InputConfig, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The contact in the frame; active means that the door is open."""

    warn_after_seconds: _Seconds = 20.0
    alarm_after_seconds: _Seconds = 30.0


class InputsConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the door process hears by wire, whether or not anything watches the camera."""

    exit: ExitConfig | None = None
    contact: ContactConfig | None = None
    fire: InputConfig | None = None
    tamper: InputConfig | None = None
    reset: InputConfig | None = None


class SignalsConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the door process shows by wire."""

    looking: LineConfig | None = None
    granted: LineConfig | None = None
    denied: LineConfig | None = None
    fault: LineConfig | None = None
    buzzer: LineConfig | None = None


def wired_lines(inputs: InputsConfig, signals: SignalsConfig) -> dict[str, LineConfig]:
    """Return every line that is configured, by the dotted path of its section."""
    return {
        f"{path}.{name}": line
        for path, section in (("door.inputs", inputs), ("door.signals", signals))
        for name in section.__struct_fields__
        if isinstance(line := getattr(section, name), LineConfig)
    }


_LINE = {
    "chip": "GPIO chip: path or label, such as pinctrl-bcm2711.",
    "line": "Name of the line on the chip, or its offset.",
    "active": "Level at which the line means what it is called.",
}
_INPUT = _LINE | {
    "pull": "The board's own resistor; none where one is soldered on.",
    "debounce_ms": "The level counts once it has stood still for so long.",
}
LINE_DESCRIPTIONS: dict[str, dict[str, str]] = {
    "LineConfig": _LINE,
    "InputConfig": _INPUT,
    "ExitConfig": _INPUT
    | {"unlocks": "Whether it unlocks the door; false where a handle within opens it, and no alarm is due."},
    "ContactConfig": _INPUT
    | {
        "active": "Level at which the door is open.",
        "warn_after_seconds": "Open for so long, the buzzer sounds and a warning is recorded.",
        "alarm_after_seconds": "Open for so long, an alarm is recorded.",
    },
    "InputsConfig": {
        "exit": "The button within: request to exit.",
        "contact": "The contact in the frame: whether the door is open.",
        "fire": "The fire alarm system: releases the door until it is reset by hand.",
        "tamper": "A switch that tells when the case is opened.",
        "reset": "A key switch that ends an emergency, once the fire alarm is quiet.",
    },
    "SignalsConfig": {
        "looking": "Lit while a face is looked at.",
        "granted": "Lit while the door is unlocked.",
        "denied": "Lit for a moment after a denial.",
        "fault": "Lit while nobody can be let in.",
        "buzzer": "Sounds after a denial, and while the door is held or forced open.",
    },
}
