"""Where a door speaks and listens: ``<prefix>/<site>/<door>/...``.

A segment that holds a wildcard, a slash or a control character could publish on another door's
behalf or be refused by the broker with a disconnect, so it is refused here first.
"""

import re
from dataclasses import dataclass

from edged.errors import FleetError

# MQTT 5.0, 4.7.3: a topic name is at most 65,535 bytes of UTF-8.
_MAX_TOPIC_BYTES = 65_535
_SEGMENT = re.compile(r"[^+#/\x00-\x1f\x7f-\x9f\ud800-\udfff]+")


@dataclass(frozen=True, slots=True)
class Topics:
    """The topics of one door. ``prefix`` may have several segments, ``site`` and ``door`` one each.

    Raises ``FleetError`` on a segment that cannot stand in a topic name.
    """

    prefix: str
    site: str
    door: str

    def __post_init__(self) -> None:
        for segment in self.prefix.split("/"):
            _check(segment, "topic prefix")
        _check(self.site, "site")
        _check(self.door, "door")
        # "$" starts the broker's own topics, which a wildcard subscription does not match.
        if self.prefix.startswith("$"):
            raise FleetError(f"topic prefix {self.prefix[:60]!r}: must not start with '$'")
        if len(self.root.encode()) > _MAX_TOPIC_BYTES - 256:
            raise FleetError(f"topic of {len(self.root.encode())} bytes: too long for MQTT")

    @property
    def root(self) -> str:
        """The part all topics of this door share, without a slash at its end."""
        return f"{self.prefix}/{self.site}/{self.door}"

    @property
    def availability(self) -> str:
        """``online``, ``offline`` (the last will) or ``stopped``; retained."""
        return f"{self.root}/availability"

    @property
    def birth(self) -> str:
        """What runs here; retained, renewed at every connection."""
        return f"{self.root}/birth"

    @property
    def state(self) -> str:
        """How the door is now; retained, no person data."""
        return f"{self.root}/state"

    @property
    def health(self) -> str:
        """Vital signs twice a minute; QoS 0, not retained."""
        return f"{self.root}/health"

    @property
    def ack(self) -> str:
        """Where a collector says which events it has stored; never retained."""
        return f"{self.root}/events/ack"

    @property
    def factor_door(self) -> str:
        """Where the door says whom it asks for a second factor; sealed, never retained."""
        return f"{self.root}/second_factor/door"

    @property
    def factor_keypad(self) -> str:
        """Where keypads answer; sealed, never retained."""
        return f"{self.root}/second_factor/keypad"

    @property
    def command_hello(self) -> str:
        """Where somebody asks for a nonce, before a command; never retained."""
        return f"{self.root}/command/hello"

    @property
    def command_nonce(self) -> str:
        """Where the door gives one; never retained."""
        return f"{self.root}/command/nonce"

    @property
    def command_run(self) -> str:
        """Where signed commands come; never retained."""
        return f"{self.root}/command/run"

    @property
    def command_reply(self) -> str:
        """What became of a command, signed by the door; never retained."""
        return f"{self.root}/command/reply"

    @property
    def command_lock(self) -> str:
        """Where Home Assistant's plain orders come, if the site wants any; never retained."""
        return f"{self.root}/command/lock"

    @property
    def gallery_receipt(self) -> str:
        """Which gallery is in force here, signed by the door; retained."""
        return f"{self.root}/gallery/receipt"

    @property
    def replay(self) -> str:
        """Where a collector asks for events of the journal again; never retained."""
        return f"{self.root}/events/replay"

    @property
    def replayed(self) -> str:
        """How a request on ``replay`` ended; not retained."""
        return f"{self.root}/events/replayed"

    def event(self, kind: str) -> str:
        """Return the topic of events of one kind. Raises ``FleetError`` on an impossible kind."""
        _check(kind, "event kind")
        return f"{self.root}/event/{kind}"


def _check(segment: str, what: str) -> None:
    if _SEGMENT.fullmatch(segment) is None:
        raise FleetError(
            f"{what} {segment[:60]!r}: expected one or more characters, none of '+', '#', '/' or a control"
        )
