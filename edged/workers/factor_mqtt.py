"""Second factors over MQTT: requests go out sealed, sealed answers come in.

The broker, and whoever may write to the topic, is trusted with nothing (``fleet.factor_seal``). Dropped and
counted is what is retained or a repetition, what cannot be opened, and what names no request that is awaited.
Every request is said again once a second until it ends: whoever begins to listen hears of it, and a message
that the broker lost is no loss. Without a broker nobody hears anything here; the socket needs none.
"""

import logging
import queue
from collections.abc import Callable

from edged.domain.factor_desk import AnswerResult
from edged.domain.factor_guard import NonsenseGuard
from edged.domain.second_factor import FactorSource
from edged.errors import FleetError
from edged.fleet.connection import Arrived
from edged.fleet.factor_messages import AnswerGiven, Asked, Ended, FromDoor, Result, heard_from_keypad
from edged.fleet.factor_seal import SEALED_BYTES, FactorSeal, ForgedError, NotSealedError, Speaker, nonce_of
from edged.metrics import Metrics
from edged.workers.second_factor import FactorClerk, FactorNews
from edged.workers.worker import Worker

logger = logging.getLogger(__name__)

# Eight requests and their answers, many times over; more is somebody who does not stop.
_MAX_WAITING = 64
_TURN_SECONDS = 0.25
_AGAIN_SECONDS = 1.0
# Later a keypad shows something else already.
_NEWS_SECONDS = 10.0

Publish = Callable[[bytes, float], None]


class FactorMqttWorker(Worker):
    """``publish`` takes a message, and how many seconds it may wait for a connection; it must not block."""

    def __init__(
        self,
        clerk: FactorClerk,
        seal: FactorSeal,
        guard: NonsenseGuard,
        publish: Publish,
        *,
        metrics: Metrics,
        now: Callable[[], float],
    ) -> None:
        super().__init__("second-factor-mqtt")
        self._clerk = clerk
        self._seal = seal
        self._guard = guard
        self._publish = publish
        self._metrics = metrics
        self._now = now
        self._inbox: queue.Queue[Arrived | FactorNews] = queue.Queue(_MAX_WAITING)
        self._again_at = float("-inf")
        # Of each request that is awaited, the answers that were weighed: a wrong one counts once.
        self._weighed: dict[str, set[bytes]] = {}

    def tell(self, news: FactorNews) -> None:
        """Say that somebody is asked, or not any more; from any thread, never blocks."""
        self._put(news)

    def heard(self, message: Arrived) -> None:
        """Take a message of the keypads' topic; from any thread, never blocks."""
        if message.retain:
            self._count("retained")
        elif message.dup:
            self._count("duplicate")
        elif message.size != SEALED_BYTES:
            self._put(Arrived(message.topic, b"", message.size, retain=False))  # counted there, not kept
        else:
            self._put(message)

    def run(self) -> None:
        """Serve until told to stop."""
        while not self.stopping.is_set():
            self.beat()
            try:
                item = self._inbox.get(timeout=_TURN_SECONDS)
            except queue.Empty:
                pass
            else:
                self._serve(item)
            self._say_again()

    def _put(self, item: Arrived | FactorNews) -> None:
        try:
            self._inbox.put_nowait(item)
        except queue.Full:
            self._count("too_many")

    def _serve(self, item: Arrived | FactorNews) -> None:
        if isinstance(item, FactorNews):
            self._say_news(item)
        elif self._guard.shut(self._now()):
            self._count("shut")
        else:
            self._open(item)

    def _open(self, message: Arrived) -> None:
        try:
            said = heard_from_keypad(self._seal.opened(message.payload, Speaker.KEYPAD))
        except ForgedError:
            self._nonsense("forged")
        except (NotSealedError, FleetError):
            self._nonsense("malformed")
        else:
            if isinstance(said, AnswerGiven):
                self._weigh(said, nonce_of(message.payload))
            # Who watches is told of everything already.

    def _weigh(self, answer: AnswerGiven, nonce: bytes) -> None:
        request_id = answer.request_id
        awaited = {news.request.request_id for news in self._clerk.pending()}
        self._weighed = {one: nonces for one, nonces in self._weighed.items() if one in awaited}
        if nonce in self._weighed.get(request_id, ()):
            self._count("duplicate")
            return
        if request_id in awaited:
            self._weighed.setdefault(request_id, set()).add(nonce)
        result = self._clerk.answer(request_id, answer.kind, answer.secret, FactorSource.MQTT)
        if result is AnswerResult.UNKNOWN:
            self._count("unknown")
        self._say(Result(request_id=request_id, result=result), _NEWS_SECONDS)

    def _nonsense(self, cause: str) -> None:
        self._count(cause)
        logger.warning("a message over mqtt that is no answer cause=%s", cause)  # the guard keeps them few
        if self._guard.count(self._now()):
            logger.warning("too many messages that are no answers: none is taken over mqtt for a while")

    def _say_again(self) -> None:
        now = self._now()
        if now < self._again_at:
            return
        self._again_at = now + _AGAIN_SECONDS
        for news in self._clerk.pending():
            self._say_news(news)

    def _say_news(self, news: FactorNews) -> None:
        request = news.request
        if news.outcome is not None:
            self._say(Ended(request_id=request.request_id, outcome=news.outcome), _NEWS_SECONDS)
            return
        left = request.deadline - self._now()
        if left > 0:
            asked = Asked(
                request_id=request.request_id, cause=request.cause, kinds=news.kinds, seconds=round(left, 3)
            )
            # A broker that comes back later must not pass on a request that has ended: it is said again.
            self._say(asked, _AGAIN_SECONDS)

    def _say(self, message: FromDoor, seconds: float) -> None:
        self._publish(self._seal.seal(message, Speaker.DOOR), seconds)

    def _count(self, cause: str) -> None:
        self._metrics.factor_messages.labels(cause).inc()
        logger.debug("a message about a second factor was not heeded cause=%s", cause)
