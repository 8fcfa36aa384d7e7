"""Keeps the gallery in memory equal to the people on disk.

The store is polled for its generation, which costs one row, and for being the same file. A new gallery
is built aside and swapped in by one assignment, so no frame ever meets a half-built or empty one. A load
that fails keeps the old gallery and is counted.
"""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from edged.domain.calibration import MeasuredPoint, Threshold, threshold_for
from edged.domain.gallery import GallerySnapshot, build_snapshot, with_bars
from edged.domain.lookalikes import lookalike_rule
from edged.domain.people import Person, Template, Veto
from edged.errors import StoreCorruptError, StoreError
from edged.metrics import Metrics
from edged.workers.worker import Worker

logger = logging.getLogger(__name__)

# A poll may be an hour away; the heartbeat and a change of the stated risk cannot wait for it.
_TURN_SECONDS = 0.25


class People(Protocol):
    """What the gallery is made of; ``storage.people.PeopleStore`` is the real one."""

    def generation(self) -> int:
        """Return a number that grows with every change."""

    def identity(self) -> tuple[int, ...] | None:
        """Return what differs once the store is another one, whatever its generation."""

    def people(self) -> list[Person]:
        """Return everybody."""

    def templates(self, space: str | None = None) -> list[Template]:
        """Return the templates of one embedding space."""

    def vetoes(self, space: str | None = None) -> list[Veto]:
        """Return the vetoes of one embedding space."""


@dataclass(frozen=True, slots=True)
class GalleryState:
    """A snapshot with the threshold that its size and the stated risk ask for.

    Its bars are those of ``min_margin``.
    """

    snapshot: GallerySnapshot
    threshold: Threshold
    calibration: tuple[MeasuredPoint, ...] = ()
    min_margin: float = 0.0


class GallerySyncWorker(Worker):
    """Owns ``current``; ``target_fpir`` and ``min_margin`` may be changed while it runs."""

    def __init__(
        self,
        people: People,
        *,
        space: str,
        dimension: int,
        calibration: Sequence[MeasuredPoint],
        target_fpir: float,
        min_margin: float,
        poll_seconds: float,
        metrics: Metrics,
        on_change: Callable[[GalleryState], None] = lambda _state: None,
    ) -> None:
        super().__init__("gallery")
        self.target_fpir = target_fpir
        self.min_margin = min_margin
        self.poll_seconds = poll_seconds
        self.on_change = on_change
        self._people = people
        self._space = space
        self._dimension = dimension
        self._calibration = tuple(calibration)
        self._metrics = metrics
        self._identity: tuple[int, ...] | None = None
        self._current = self._load()
        self._failing = False

    @property
    def current(self) -> GalleryState:
        """The gallery in force; read it once a frame."""
        return self._current

    def run(self) -> None:
        """Poll until told to stop."""
        polled_at = time.monotonic()
        while not self.stopping.wait(min(self.poll_seconds, _TURN_SECONDS)):
            self.beat()
            if time.monotonic() - polled_at < self.poll_seconds and self._same_risk():
                continue
            polled_at = time.monotonic()
            try:
                self._refresh()
            except StoreError as exc:
                self._failed(exc)
            else:
                self._failing = False

    def _same_risk(self) -> bool:
        current = (self._current.threshold.target_fpir, self._current.min_margin)
        return current == (self.target_fpir, self.min_margin)

    def _refresh(self) -> None:
        same_people = (
            self._people.generation() == self._current.snapshot.version
            and self._people.identity() == self._identity
        )
        if same_people and self._same_risk():
            return
        self._current = self._load()
        logger.info(
            "gallery loaded generation=%d people=%d templates=%d raised_bars=%d",
            self._current.snapshot.version,
            len(self._current.snapshot.people),
            self._current.snapshot.templates,
            len(self._current.snapshot.bars),
        )
        self.on_change(self._current)

    def _load(self) -> GalleryState:
        """Read generation and identity first: a change during the reading is then seen at the next poll.

        Raises ``StoreError``.
        """
        identity, version = self._people.identity(), self._people.generation()
        target_fpir, min_margin = self.target_fpir, self.min_margin
        people, templates = self._people.people(), self._people.templates(self._space)
        vetoes = self._people.vetoes(self._space)
        try:
            snapshot = build_snapshot(self._space, self._dimension, version, people, templates, vetoes=vetoes)
        except ValueError as exc:
            raise StoreCorruptError(f"the gallery cannot be used: {exc}") from exc
        self._identity = identity
        threshold = threshold_for(self._calibration, len(snapshot.people), target_fpir)
        rule = lookalike_rule(
            self._calibration, threshold=threshold.cosine, min_margin=min_margin, target_fpir=target_fpir
        )
        self._metrics.gallery_people.set(len(snapshot.people))
        self._metrics.gallery_templates.set(snapshot.templates)
        self._metrics.gallery_version.set(version)
        self._metrics.threshold.set(float("nan") if threshold.cosine is None else threshold.cosine)
        return GalleryState(with_bars(snapshot, rule), threshold, self._calibration, min_margin)

    def _failed(self, exc: Exception) -> None:
        self._metrics.gallery_failures.inc()
        level = logging.DEBUG if self._failing else logging.WARNING
        logger.log(level, "gallery not loaded, the old one stays error=%s", exc)
        self._failing = True
