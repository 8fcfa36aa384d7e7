"""The second factor as one part of the daemon: the clerk and the socket, built where it is enabled."""

from collections.abc import Callable

from edged.config.factor import factor_limits
from edged.config.sections import SecondFactorConfig
from edged.devices.clock import Clock
from edged.devices.peers import PeerRule
from edged.domain.second_factor import FactorKind
from edged.domain.types import Decision
from edged.metrics import Metrics
from edged.workers.factor_socket import FactorSocketWorker
from edged.workers.gallery_sync import GalleryState
from edged.workers.recognition import RecognitionSettings
from edged.workers.second_factor import FactorClerk, Secrets
from edged.workers.supervisor import Supervisor


class FactorPart:
    """Stands before ``act``, which takes a decision that is final. Where nobody is asked it passes all on.

    ``decide``, ``settle`` and ``close`` belong to the recognition thread. Raises ``DeviceError`` where the
    socket cannot be made, since nobody could ever answer then.
    """

    def __init__(
        self,
        config: SecondFactorConfig,
        people: Secrets,
        act: Callable[[Decision, GalleryState], bool],
        settings: Callable[[], RecognitionSettings],
        tools: tuple[Metrics, Clock],
    ) -> None:
        self._act = act
        self._parts: tuple[FactorClerk, FactorSocketWorker] | None = None
        if not config.enabled:
            return
        metrics, clock = tools
        clerk = FactorClerk(
            people,
            limits=factor_limits(config),
            accept=frozenset(map(FactorKind, config.accept)),
            settings=settings,
            act=act,
            metrics=metrics,
            clock=clock,
        )
        rule = PeerRule.named(config.socket_users, config.socket_group)
        socket = FactorSocketWorker(config.socket_path, rule, clerk, metrics, clock.monotonic)
        clerk.on_news = socket.tell
        self._parts = clerk, socket

    def add_to(self, supervisor: Supervisor) -> None:
        """Serve from the start on; add it after whoever decides, so that it stops first."""
        if self._parts is not None:
            supervisor.add(self._parts[1])

    def decide(self, decision: Decision, state: GalleryState) -> bool:
        """See ``FactorClerk.decide``."""
        return self._act(decision, state) if self._parts is None else self._parts[0].decide(decision, state)

    def settle(self, state: GalleryState) -> None:
        """See ``FactorClerk.settle``."""
        if self._parts is not None:
            self._parts[0].settle(state)

    def close(self, state: GalleryState) -> None:
        """Deny whoever is still asked, once nobody can answer any more."""
        if self._parts is not None:
            self._parts[0].close(state)

    def close_socket(self) -> None:
        """Give the socket back, where the daemon was never started."""
        if self._parts is not None:
            self._parts[1].close()
