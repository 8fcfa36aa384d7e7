"""The second factor as one part of the daemon: the clerk and the socket, built where it is enabled."""

from collections.abc import Callable
from dataclasses import dataclass

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


@dataclass(frozen=True, slots=True)
class FactorPart:
    """Who keeps the requests, and who serves the keypads."""

    clerk: FactorClerk
    socket: FactorSocketWorker


def factor_part(
    config: SecondFactorConfig,
    people: Secrets,
    *,
    settings: Callable[[], RecognitionSettings],
    act: Callable[[Decision, GalleryState], bool],
    metrics: Metrics,
    clock: Clock,
) -> FactorPart | None:
    """Build both, None where nobody is asked. Raises ``DeviceError`` where nobody could ever answer."""
    if not config.enabled:
        return None
    accept = frozenset(map(FactorKind, config.accept))
    clerk = FactorClerk(
        people,
        limits=factor_limits(config),
        accept=accept,
        settings=settings,
        act=act,
        metrics=metrics,
        clock=clock,
    )
    rule = PeerRule.named(config.socket_users, config.socket_group)
    socket = FactorSocketWorker(config.socket_path, rule, clerk, metrics, clock.monotonic)
    clerk.on_news = socket.tell
    return FactorPart(clerk, socket)
