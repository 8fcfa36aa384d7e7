"""A door that shows itself to Home Assistant."""

from typing import Annotated

import msgspec
from msgspec import Meta


class HomeAssistantConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whether the door announces itself to Home Assistant over the broker, and whether that may unlock it.

    A plain unlock is no signed command: whoever may write its topic opens the door. Off unless asked for.
    """

    enabled: bool = False
    discovery_prefix: Annotated[str, Meta(pattern=r"^[^+#$\x00/][^+#\x00]*$")] = "homeassistant"
    name: Annotated[str, Meta(min_length=1, max_length=100)] | None = None
    area: Annotated[str, Meta(min_length=1, max_length=100)] | None = None
    plain_unlock: bool = False
    # Longer than the default pulse: an automation that has run wild does not hold the door open.
    plain_unlock_seconds: Annotated[float, Meta(ge=1, le=3600)] = 5.0
    # Visitors of a busy hour; each is somebody who pressed a button.
    plain_unlocks_per_hour: Annotated[int, Meta(ge=1, le=360)] = 30


HOME_ASSISTANT_DESCRIPTIONS: dict[str, dict[str, str]] = {
    "HomeAssistantConfig": {
        "enabled": "Announce this door to Home Assistant, as a device with its states.",
        "discovery_prefix": "First level of Home Assistant's own topics.",
        "name": "What Home Assistant calls the door; without it, site and door.",
        "area": "The area that Home Assistant suggests for it.",
        "plain_unlock": "Unlock at a plain UNLOCK on the door's topic command/lock, which nobody signs.",
        "plain_unlock_seconds": "At most one plain unlock within so long.",
        "plain_unlocks_per_hour": "At most so many plain unlocks within an hour.",
    },
}
