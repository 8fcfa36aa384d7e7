"""Which MQTT version the next connection asks for.

With ``auto`` MQTT 5 is asked first. A broker may refuse it by code, close the connection, or say
nothing at all (amqtt 0.12 takes the properties for the client id and waits for more). Closing and
silence are also what a bad network does, so they count only when they happen twice after TCP and TLS
had worked; and every new cycle asks for MQTT 5 again, so a wrong conclusion lasts one connection.
"""

import logging
from typing import Literal

logger = logging.getLogger(__name__)

Version = Literal["5", "3.1.1"]

# One closed connection in a row is what a restarting broker does.
_MUTE_LIMIT = 2


class Negotiation:
    """Told how each attempt went; ``version`` is what the next one asks for."""

    def __init__(self, setting: Literal["auto", "5", "3.1.1"]) -> None:
        self._auto = setting == "auto"
        self._mutes = 0
        self.version: Version = "3.1.1" if setting == "3.1.1" else "5"

    def accepted(self) -> None:
        """Note that the broker accepted ``version``; the cycle after this connection starts with MQTT 5."""
        if self.version == "5":
            self._mutes = 0
        if self._auto:
            self.version = "5"

    def refused(self) -> bool:
        """Note that the broker refused ``version`` by name; True where another is worth trying at once."""
        if not self._auto:
            return False
        self.version = "3.1.1" if self.version == "5" else "5"
        return self.version == "3.1.1"

    def mute(self) -> None:
        """Note a connection that ended, or timed out, before the broker said a word."""
        if not self._auto:
            return
        if self.version == "3.1.1":
            self.version = "5"
            return
        self._mutes = min(self._mutes + 1, _MUTE_LIMIT)
        if self._mutes == _MUTE_LIMIT:
            self.version = "3.1.1"
            logger.info("mqtt broker is silent to version 5, asking for 3.1.1")

    def failed(self) -> None:
        """Note an attempt that says nothing about versions: no network, no TLS, no rights."""
        if self._auto:
            self.version = "5"
