"""A door that gets its people from a fleet."""

from pathlib import Path
from typing import Literal

import msgspec


class FleetConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whether the fleet's publisher says who may enter; see ``edged fleet``.

    Everything that was received lies in ``directory``, sealed under ``gallery.key_file``.
    """

    enabled: bool = False
    directory: Path = Path("var/fleet")
    on_lapsed: Literal["deny", "keep"] = "deny"


FLEET_DESCRIPTIONS: dict[str, dict[str, str]] = {
    "FleetConfig": {
        "enabled": "Take the people from the fleet that this door joined, in place of those enrolled here.",
        "directory": "Where the door's keys and the received gallery lie, sealed.",
        "on_lapsed": "What holds once a gallery is past its last day and no newer one came: nobody enters, "
        "or it serves on, with an alarm.",
    },
}
