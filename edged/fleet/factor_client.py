"""The keypad's end of the second factor over MQTT: lines out, lines in, as over the local socket."""

import logging
import secrets
import time
from collections import deque
from types import TracebackType
from typing import Self

import msgspec

from edged.config.sections import MqttConfig
from edged.errors import FleetError
from edged.fleet.broker import BrokerClient, Connected, Disconnected
from edged.fleet.connection import Answer, Arrived
from edged.fleet.factor_messages import FromKeypad, heard_from_keypad
from edged.fleet.factor_seal import FactorSeal, Speaker
from edged.fleet.topics import Topics
from edged.fleet.trial import TRIAL_SECONDS

logger = logging.getLogger(__name__)

# MQTT 5.0, 3.4.2.1: the broker took it, and nobody listens; and from where on it did not take it.
_NOBODY, _FAILURE = 0x10, 0x80


class MqttKeypad:
    """A connection to the door of ``topics`` by way of its broker; ``key`` is the one that the door has.

    Raises ``FleetError`` where the broker cannot be reached, ``ConfigError`` on files that cannot be used.
    """

    def __init__(self, config: MqttConfig, topics: Topics, key: bytes) -> None:
        # A client id of its own: with the door's it would throw the door out.
        own = msgspec.structs.replace(config, client_id=None)
        name = f"edged-keypad-{topics.site}-{topics.door}-{secrets.token_hex(4)}"
        self._client = BrokerClient(own, client_id=name, will=None)
        self._topics = topics
        self._seal = FactorSeal(key, topics)
        self._lines: deque[bytes] = deque()
        self._client.subscribe(topics.factor_door)
        self._refused: str | None = None
        self._trouble = "no connection in time"
        until = time.monotonic() + TRIAL_SECONDS
        while not self._client.connected:
            if time.monotonic() >= until:
                self.close()
                raise FleetError(f"the broker cannot be reached: {self._trouble}")
            self._listen(0.1)

    def send(self, line: bytes) -> None:
        """Send one line. Raises ``FleetError``."""
        message: FromKeypad = heard_from_keypad(line)
        payload = self._seal.seal(message, Speaker.KEYPAD)
        if self._client.publish(self._topics.factor_keypad, payload) is None:
            raise FleetError(f"the broker is not connected: {self._trouble}")

    def line(self, timeout: float | None) -> bytes | None:
        """Return the door's next line, None where none came within ``timeout`` seconds; reconnects meanwhile.

        Raises ``FleetError`` where the broker did not pass on what was sent.
        """
        until = None if timeout is None else time.monotonic() + timeout
        while not self._lines:
            left = 1.0 if until is None else min(1.0, until - time.monotonic())
            if left <= 0:
                return None
            self._listen(left)
            if self._refused is not None:
                raise FleetError(self._refused)
        return self._lines.popleft()

    def close(self) -> None:
        """Leave the broker."""
        self._client.close(goodbye=True)

    def _listen(self, timeout: float) -> None:
        for happening in self._client.poll(timeout):
            match happening:
                case Connected():
                    pass
                case Disconnected():
                    self._trouble = f"{happening.cause}: {happening.text}"
                    logger.warning("broker connection over cause=%s", happening.cause)
                case Answer(code=code) if code == _NOBODY:
                    self._refused = "nobody listens: does the door run with second_factor.mqtt_key_file?"
                case Answer(code=code, text=text) if code >= _FAILURE:
                    self._refused = f"the broker refuses answers: {text}"
                case Arrived():
                    self._take(happening)

    def _take(self, message: Arrived) -> None:
        if message.retain:
            return
        try:
            self._lines.append(self._seal.opened(message.payload, Speaker.DOOR))
        except FleetError as exc:
            logger.warning("not from the door, or the keys differ: %s", exc)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
