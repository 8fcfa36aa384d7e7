"""Asks a door over MQTT for events of its journal, stretch by stretch, as a collector's operator would.

It has a client id of its own, so that it throws neither the door nor a collector out. The events go to
whoever hears the door's topics; what comes back here is only how each stretch ended.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import msgspec
from ulid import ULID

from edged.config.sections import MqttConfig
from edged.errors import FleetError
from edged.fleet.arrivals import UnheededError
from edged.fleet.broker import BrokerClient, Disconnected
from edged.fleet.connection import Answer, Arrived
from edged.fleet.replay import ReplayRequest, ReplayResult, parse_replayed, replay_payload
from edged.fleet.topics import Topics
from edged.fleet.trial import TRIAL_SECONDS, connect

# Five seconds of a door's rate: a bar that moves, and little to repeat after an interruption.
STRETCH = 500
_NOBODY, _FAILURE = 0x10, 0x80
_AGAIN_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Wanted:
    """The events ``from_seq`` to ``to_seq``, None: to the newest; of ``epoch``, None: whatever it is."""

    from_seq: int = 1
    to_seq: int | None = None
    epoch: str | None = None


class ReplayAsking:
    """``patience_seconds`` is how long to wait for a word of the door about one stretch."""

    def __init__(
        self,
        config: MqttConfig,
        topics: Topics,
        client_id: str,
        *,
        patience_seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        name = f"{config.client_id or client_id}-replay"
        self._client = BrokerClient(
            msgspec.structs.replace(config, client_id=name), client_id=name, will=None
        )
        self._topics = topics
        self._patience = patience_seconds
        self._clock = clock
        self._client.subscribe(topics.replayed)

    def results(self, wanted: Wanted) -> Iterator[ReplayResult]:
        """Yield how each stretch ended; the last one is not ``done``, or has nothing left to go on with.

        Raises ``FleetError`` where the broker or the door cannot be reached, ``ConfigError`` on unusable
        files.
        """
        try:
            terms, trouble = connect(self._client, self._clock() + TRIAL_SECONDS, self._clock)
            if terms is None:
                raise FleetError(f"no connection to the broker: {trouble}")
            yield from self._stretches(wanted)
        finally:
            self._client.close(goodbye=True)

    def _stretches(self, wanted: Wanted) -> Iterator[ReplayResult]:
        start, epoch = wanted.from_seq, wanted.epoch
        while True:
            end = start + STRETCH - 1 if wanted.to_seq is None else min(start + STRETCH - 1, wanted.to_seq)
            result = self._answer(
                ReplayRequest(v=1, request=str(ULID()), from_seq=start, to_seq=end, epoch=epoch)
            )
            if result.result == "done":
                last = result.newest_seq if wanted.to_seq is None else min(wanted.to_seq, result.newest_seq)
                following = result.next_seq or end + 1
                # Nothing but numbers that are gone: do not ask for them stretch by stretch.
                skipped = max(0, min(result.oldest_seq, last + 1) - following)
                following += skipped
                result = msgspec.structs.replace(
                    result, gone=result.gone + skipped, next_seq=following if following <= last else None
                )
            yield result
            if result.result != "done" or result.next_seq is None:
                return
            start, epoch = result.next_seq, result.epoch

    def _answer(self, request: ReplayRequest) -> ReplayResult:
        """Ask until it is answered; again where the door is busy. Raises ``FleetError``."""
        deadline = self._clock() + self._patience
        while True:
            result = self._asked_once(request, deadline)
            if result.result != "busy" or self._clock() + _AGAIN_SECONDS >= deadline:
                return result
            again_at = self._clock() + _AGAIN_SECONDS
            while self._clock() < again_at:
                self._client.poll(0.1)

    def _asked_once(self, request: ReplayRequest, deadline: float) -> ReplayResult:
        handle = self._client.publish(self._topics.replay, replay_payload(request))
        while handle is not None and self._clock() < deadline:
            for happening in self._client.poll(0.1):
                if isinstance(happening, Disconnected):
                    raise FleetError(f"the connection to the broker was lost: {happening.text}")
                if isinstance(happening, Answer) and happening.handle == handle:
                    self._judge(happening)
                elif isinstance(happening, Arrived):
                    result = self._result(happening)
                    if result is not None and result.request == request.request:
                        return result
        if handle is None:
            raise FleetError("the connection to the broker was lost")
        raise FleetError(f"the door did not answer within {self._patience:g} s")

    def _judge(self, answer: Answer) -> None:
        topic = self._topics.replay
        if answer.code == _NOBODY:
            raise FleetError(f"nobody hears {topic}: the door is away, or mqtt.replay is off there")
        if answer.code >= _FAILURE:
            raise FleetError(f"the broker refuses a message on {topic}: {answer.text}")

    @staticmethod
    def _result(message: Arrived) -> ReplayResult | None:
        try:
            return parse_replayed(message)
        except UnheededError:
            return None
