"""Waiting for the broker, where somebody sits before the screen and wants to know why not."""

import time

from edged.errors import FleetError
from edged.fleet.broker import BrokerClient, Connected, Disconnected

# Two silent MQTT 5 attempts and one of 3.1.1, as `edged mqtt check` allows.
_CONNECT_SECONDS = 20.0
_TURN_SECONDS = 0.2


def await_broker(client: BrokerClient) -> None:
    """Return once ``client`` is connected. Raises ``FleetError`` where the broker refuses or is silent."""
    deadline = time.monotonic() + _CONNECT_SECONDS
    while not client.connected:
        for happening in client.poll(_TURN_SECONDS):
            if isinstance(happening, Disconnected) and happening.cause != "mute":
                raise FleetError(f"the broker: {happening.text}")
            if isinstance(happening, Connected):
                return
        if time.monotonic() >= deadline:
            raise FleetError("the broker did not answer")
