"""What a board may be put to before it does less."""

from typing import Annotated

import msgspec
from msgspec import Meta


class GovernorConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When fewer pictures are searched: on a board that is hot, slowed down or late."""

    enabled: bool = True
    # A Raspberry Pi slows down from 80 degrees on, and further at 85; a Jetson some ten degrees later.
    warm_celsius: Annotated[float, Meta(gt=0, le=125)] = 75.0
    hot_celsius: Annotated[float, Meta(gt=0, le=125)] = 82.0
    # Beyond this the next picture is as good as always there before the last one is done.
    busy_share: Annotated[float, Meta(gt=0, le=1)] = 0.85


GOVERNOR_DESCRIPTIONS: dict[str, dict[str, str]] = {
    "GovernorConfig": {
        "enabled": "Search fewer pictures while the board is hot, slowed down or late.",
        "warm_celsius": "From here on it does less, step by step.",
        "hot_celsius": "From here on it does the least at once.",
        "busy_share": "Share of the time that recognition may work, and of the pictures that may be late, "
        "before it does less.",
    },
}
