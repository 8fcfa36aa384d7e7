"""Keeps the gallery in memory equal to the people on disk, and the threshold equal to the stated risk.

The store is polled for its generation, which costs one row, and for being the same file; so is the
site's calibration. A new gallery is built aside and swapped in by one assignment, so no frame ever
meets a half-built or empty one. A load that fails keeps the old gallery and is counted; one that fails for
longer than ``max_unread_seconds`` leaves no threshold, since whoever was removed would still be let in. Nor
does a calibration that cannot be used, or a gallery that is damaged at the start: nobody is let in then.
"""

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from edged.devices.memory import release_freed_memory
from edged.domain.bars import BarsOnDemand
from edged.domain.calibration import MeasuredPoint, Threshold, no_threshold, threshold_for
from edged.domain.codes import Products, blocked_products
from edged.domain.count import counted
from edged.domain.gallery import GallerySnapshot, build_snapshot, with_bars
from edged.domain.gallery_reading import Readable, read_gallery
from edged.domain.lookalikes import Bar, lookalike_rule
from edged.domain.people import Template
from edged.domain.risk import Risk, Traffic, false_accepts_a_year
from edged.errors import StoreCorruptError, StoreError
from edged.metrics import Metrics
from edged.workers.rereading import Rereading
from edged.workers.worker import Worker

logger = logging.getLogger(__name__)

# A poll may be an hour away; the heartbeat and a change of the stated risk cannot wait for it.
_TURN_SECONDS = 0.25
# Expected false accepts are a figure of weeks: an hour changes nothing about them.
_TRAFFIC_SECONDS = 3600.0
# A command that writes holds the store for moments; after a minute somebody has to look: whoever was
# removed since is still let in.
_UNREAD_SECONDS = 60.0

# 2 kB each: of fewer too little is kept after a change to be worth going through the whole heap.
_MANY_TEMPLATES = 50_000


class People(Readable, Protocol):
    """What the gallery is made of; ``storage.people.PeopleStore`` is the real one."""

    def generation(self) -> int:
        """Return a number that grows with every change."""

    def identity(self) -> tuple[int, ...] | None:
        """Return what differs once the store is another one, whatever its generation."""

    def templates_of(self, person_ids: Sequence[str], space: str) -> list[Template]:
        """Return the templates of some people, each one's in the order ``read_templates`` has; any thread."""


class Calibration(Protocol):
    """The table in force; ``storage.site_calibration.DoorCalibration`` is the real one."""

    def identity(self) -> tuple[int, ...] | None:
        """Return what differs once the table is another one."""

    def points(self) -> Sequence[MeasuredPoint]:
        """Return the table. Raises ``StoreError`` where it cannot be known."""


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
    """Owns ``current``; ``risk`` and ``min_margin`` may be changed while it runs.

    ``max_unread_seconds`` None lets the gallery in memory serve for ever. ``traffic`` is asked about once an
    hour how many visits there are; None where that cannot be told. ``products`` multiplies the codes of a
    large gallery. ``denied`` says without a disk who is refused by now, for until the people are read.
    """

    # Thousands of people are opened, compared and rated in one turn, and a large journal is counted in one.
    stall_seconds = 10.0

    def __init__(
        self,
        people: People,
        *,
        space: str,
        dimension: int,
        calibration: Calibration,
        risk: Risk,
        min_margin: float,
        poll_seconds: float,
        max_unread_seconds: float | None = None,
        metrics: Metrics,
        on_change: Callable[[GalleryState], None] = lambda _state: None,
        traffic: Callable[[], Traffic | None] = lambda: None,
        products: Products = blocked_products,
        denied: Callable[[], frozenset[str]] = frozenset,
    ) -> None:
        super().__init__("gallery")
        self.risk = risk
        self.min_margin = min_margin
        self.poll_seconds = poll_seconds
        self.max_unread_seconds = max_unread_seconds
        self.on_change = on_change
        self._people = people
        self._space = space
        self._dimension = dimension
        self._calibration = calibration
        self._traffic = traffic
        self._products = products
        self._denied = denied
        self._rereading = Rereading(people, space)
        self._metrics = metrics
        self._identity: tuple[int, ...] | None = None
        self._measured: tuple[int, ...] | None = None
        self._before: GallerySnapshot | None = None
        self._hurried = threading.Event()
        self._again = False
        self._failing = self._lapsed = self._unread_told = False
        self._unread_since: float | None = None
        self._current = self._first()
        release_freed_memory()

    @property
    def current(self) -> GalleryState:
        """The gallery in force; read it once a frame."""
        return self._current

    @property
    def failing(self) -> bool:
        """Whether the people on disk cannot be read, so that what is in force may be out of date."""
        return self._failing

    @property
    def summary(self) -> str:
        """How many people can be recognised, how many cannot, and whether that is still so; no name."""
        snapshot = self._current.snapshot
        words = [f"{counted(len(snapshot.people), 'person', 'people')}, generation {snapshot.version}"]
        words += [snapshot.gap] if snapshot.gap else []
        words += ["changes since cannot be read"] if self.failing else []
        return "; ".join(words)

    def hurry(self) -> None:
        """Look at the people at the next turn, not at the next poll; from any thread."""
        self._hurried.set()

    def again(self) -> None:
        """Read the people anew at the next poll although nothing has changed; from any thread."""
        self._again = True

    def run(self) -> None:
        """Poll until told to stop."""
        polled_at = time.monotonic()
        expected_at = float("-inf")
        while not self.stopping.wait(min(self.poll_seconds, _TURN_SECONDS)):
            self.beat()
            if time.monotonic() - expected_at >= _TRAFFIC_SECONDS:
                expected_at = time.monotonic()
                self._expect()
            due = time.monotonic() - polled_at >= self.poll_seconds or self._hurried.is_set()
            if not due and self._same_risk():
                continue
            self._hurried.clear()
            polled_at = time.monotonic()
            try:
                self._refresh()
            except StoreError as exc:
                self._failed(exc)
            else:
                self._read_again()

    def _same_risk(self) -> bool:
        current = (self._current.threshold.risk, self._current.min_margin)
        return current == (self.risk, self.min_margin)

    def _refresh(self) -> None:
        same_people = (
            self._people.generation() == self._current.snapshot.version
            and self._people.identity() == self._identity
            and self._calibration.identity() == self._measured
        )
        if same_people and self._same_risk() and not self._lapsed and not self._again:
            return
        self._shut_out()  # a large gallery takes a while to read
        self._current = self._load()
        if self._current.snapshot.templates >= _MANY_TEMPLATES:
            release_freed_memory()
        self._expect()
        logger.info(
            "gallery loaded generation=%d people=%d templates=%d raised_bars=%s",
            self._current.snapshot.version,
            len(self._current.snapshot.people),
            self._current.snapshot.templates,
            _count(self._current.snapshot.bars),
        )
        self._again = False  # before whoever may ask for it
        self.on_change(self._current)

    def _first(self) -> GalleryState:
        """Load the gallery. With a damaged one nobody is let in until it is mended or replaced."""
        try:
            return self._load()
        except StoreCorruptError as exc:
            logger.error("gallery damaged, nobody is let in error=%s", exc)  # noqa: TRY400 - the text says it all
            self._metrics.gallery_failures.inc()
            self._metrics.threshold.set(float("nan"))
            self._failing = self._lapsed = True
            nobody = build_snapshot(self._space, self._dimension, 0, [], [])
            return GalleryState(nobody, no_threshold(0, self.risk, str(exc)))

    def _load(self) -> GalleryState:
        """Read generation and identity first: a change during the reading is then seen at the next poll.

        Raises ``StoreError``.
        """
        identity, version = self._people.identity(), self._people.generation()
        try:
            snapshot = self._read(version)
        except ValueError as exc:
            raise StoreCorruptError(f"the gallery cannot be used: {exc}") from exc
        self._identity = identity
        if (gap := snapshot.gap) is not None:
            logger.warning("%s", gap)
        self._metrics.gallery_people.set(len(snapshot.people))
        self._metrics.gallery_templates.set(snapshot.templates)
        self._metrics.gallery_version.set(version)
        return self._rated(snapshot)

    def _read(self, version: int) -> GallerySnapshot:
        """Return the people on disk. Raises ``StoreError``; ``ValueError`` where they cannot be right."""
        return read_gallery(
            self._people,
            self._space,
            self._dimension,
            version,
            reread=self._rereading,
            previous=self._before,
            products=self._products,
        )

    def _rated(self, snapshot: GallerySnapshot) -> GalleryState:
        """Return the gallery with the threshold and the bars of the risk that is stated now.

        Where the table cannot carry the risk for a single person there is no rule for bars; whoever matches
        is asked for a second factor then, twins too.
        """
        risk, min_margin = self.risk, self.min_margin
        threshold, points = self._threshold(len(snapshot.people), risk)
        rule = lookalike_rule(points, threshold=threshold.cosine, min_margin=min_margin, risk=risk)
        self._metrics.threshold.set(float("nan") if threshold.cosine is None else threshold.cosine)
        barred = with_bars(snapshot, rule, over_budget=threshold.second_factor, previous=self._before)
        self._before = barred
        return GalleryState(barred, threshold, points, min_margin)

    def _threshold(self, people: int, risk: Risk) -> tuple[Threshold, tuple[MeasuredPoint, ...]]:
        self._measured = self._calibration.identity()
        try:
            points = tuple(self._calibration.points())
        except StoreError as exc:
            return no_threshold(people, risk, str(exc)), ()
        return threshold_for(points, people, risk), points

    def _expect(self) -> None:
        """Say how often a year the door would open for a stranger."""
        traffic, fpir = self._traffic(), self._current.threshold.fpir
        visits = expected = float("nan")
        if traffic is not None:
            visits = traffic.visits_a_day
            expected = expected if fpir is None else false_accepts_a_year(fpir, traffic)
        self._metrics.visits_a_day.set(visits)
        self._metrics.expected_false_accepts.set(expected)

    def _failed(self, exc: Exception) -> None:
        self._metrics.gallery_failures.inc()
        level = logging.DEBUG if self._failing else logging.WARNING
        logger.log(level, "gallery not loaded, the old one stays error=%s", exc)
        self._failing = True
        self._tell_unread(time.monotonic())
        self._shut_out()
        if self._out_of_date(time.monotonic()):
            self._lapse()
        # A stricter risk must not wait until people can be read again.
        elif not self._lapsed and not self._same_risk():
            self._current = self._rated(self._current.snapshot)
            self.on_change(self._current)

    def _shut_out(self) -> None:
        """Disable who is denied in the gallery that stays."""
        snapshot = self._current.snapshot.without(self._denied())
        if snapshot is not self._current.snapshot:
            self._current = replace(self._current, snapshot=snapshot)
            self.on_change(self._current)

    def _tell_unread(self, now: float) -> None:
        self._unread_since = now if self._unread_since is None else self._unread_since
        unread = now - self._unread_since
        self._metrics.gallery_unread.set(unread)
        if unread >= _UNREAD_SECONDS and not self._unread_told:
            self._unread_told = True
            logger.error("gallery unread for %.0f seconds: who was removed since is still let in", unread)

    def _out_of_date(self, now: float) -> bool:
        """Whether the gallery in force has just become too old to rely on."""
        limit = self.max_unread_seconds
        if self._lapsed or limit is None or self._unread_since is None:
            return False
        return now - self._unread_since >= limit

    def _lapse(self) -> None:
        self._lapsed = True
        people, limit = len(self._current.snapshot.people), self.max_unread_seconds
        reason = f"the people on disk cannot be read for {limit:g} seconds (gallery.max_unread_seconds)"
        self._current = replace(self._current, threshold=no_threshold(people, self.risk, reason))
        self._metrics.threshold.set(float("nan"))
        self.on_change(self._current)

    def _read_again(self) -> None:
        if self._unread_told:
            logger.warning("gallery is read again")
        self._failing, self._unread_since, self._unread_told, self._lapsed = False, None, False, False
        self._metrics.gallery_unread.set(0)


def _count(bars: Mapping[str, Bar]) -> str:
    return "on demand" if isinstance(bars, BarsOnDemand) else str(len(bars))
