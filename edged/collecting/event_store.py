"""Events into the database: each once, however often it is heard, and all of a batch or nothing.

An event is known by its id. One that comes again with another content is not swallowed as a copy: the first
stays, the second is set aside and said aloud.
"""

import json
import logging
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import msgspec

from edged.collecting.incoming import Heard, Unfit, read
from edged.collecting.links import Link, UnstorableError
from edged.fleet.connection import Arrived
from edged.fleet.messages import timestamp

logger = logging.getLogger(__name__)

# Of one door: whoever may write there could otherwise fill the disk.
MOST_REJECTED = 1000
_RETRY_PAGE = 200
_INSERT_REJECTED = (
    "INSERT INTO rejected (digest, root, topic, payload, whole, reason, detail, times, first_at, last_at)"
    " VALUES (%s, %s, %s, %s, %s, %s, %s, 1, %s, %s) ON CONFLICT (digest) DO UPDATE"
    " SET times = rejected.times + 1, last_at = excluded.last_at"
)


@dataclass(slots=True)
class Stored:
    """What a transaction did. ``acked``: ids by the topic root of the door that may forget them.

    ``doubled``: how many of those that were stored claim a number that another event has.
    """

    stored: int = 0
    doubled: int = 0
    duplicates: int = 0
    rejected: list[Unfit] = field(default_factory=list)
    overflowed: int = 0
    acked: dict[str, list[str]] = field(default_factory=dict)

    def ack(self, one: Heard | Unfit, event_id: str) -> None:
        """Note that the door need not keep the event."""
        ids = self.acked.setdefault(one.root, [])
        if event_id not in ids:
            ids.append(event_id)


class EventStore:
    """For one thread, as ``link`` is. Methods raise ``StoreError``; nothing of a failed call was stored."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._streams: set[tuple[str, str, str]] = set()

    def store(self, batch: Sequence[Heard | Unfit], now: float) -> Stored:
        """Commit ``batch``, at Unix time ``now``, and return what became of it."""
        try:
            return self._store(batch, now)
        except (UnstorableError, RecursionError):  # the latter: nested deeper than it could be written
            if len(batch) == 1:
                return self._unstorable(batch[0], now)
        # One of them fails as it is: alone, it cannot take the others along.
        whole = Stored()
        for one in batch:
            part = self.store([one], now)
            whole.stored += part.stored
            whole.doubled += part.doubled
            whole.duplicates += part.duplicates
            whole.rejected += part.rejected
            whole.overflowed += part.overflowed
            for root, ids in part.acked.items():
                whole.acked.setdefault(root, []).extend(ids)
        return whole

    def retry_rejected(self, prefix: str, now: float) -> int:
        """Store what was set aside and can be read by now, as after an upgrade; return how many events."""
        after, found = "", 0
        while True:
            rows = self._link.execute(
                "SELECT digest, topic, payload FROM rejected WHERE whole AND reason = 'malformed'"
                " AND digest > %s ORDER BY digest LIMIT %s",
                (after, _RETRY_PAGE),
            )
            for digest, topic, payload in rows:
                one = read(Arrived(topic, bytes(payload), len(payload), retain=False), prefix)
                if isinstance(one, Heard):
                    found += self._retry(one, digest, now)
            if len(rows) < _RETRY_PAGE:
                return found
            after = rows[-1][0]

    def _retry(self, one: Heard, digest: str, now: float) -> int:
        result = Stored()
        try:
            with self._link.transaction():
                self._link.execute("DELETE FROM rejected WHERE digest = %s", (digest,))
                self._write([one], result, now)
        except UnstorableError:
            return 0
        return result.stored

    def _store(self, batch: Sequence[Heard | Unfit], now: float) -> Stored:
        result = Stored()
        with self._link.transaction():
            streams = self._write(batch, result, now)
        self._streams |= streams
        return result

    def _write(self, batch: Sequence[Heard | Unfit], result: Stored, now: float) -> set[tuple[str, str, str]]:
        streams = {(one.site, one.door, one.message.epoch) for one in batch if isinstance(one, Heard)}
        for stream in sorted(streams - self._streams):
            self._link.execute(
                "INSERT INTO streams (site, door, epoch, seen_to) VALUES (%s, %s, %s, 0)"
                " ON CONFLICT DO NOTHING",
                stream,
            )
        self._insert([one for one in batch if isinstance(one, Heard)], result, now)
        self._set_aside([one for one in batch if isinstance(one, Unfit)], result, now)
        return streams

    def _insert(self, heard: Sequence[Heard], result: Stored, now: float) -> None:
        """Insert what is new and compare what is not; the order of ids keeps two from a deadlock."""
        first: dict[str, Heard] = {}
        for one in heard:
            first.setdefault(one.message.id, one)
        if not first:
            return
        rows = [_record(first[event_id]) for event_id in sorted(first)]
        values = (timestamp(now), msgspec.json.encode(rows).decode())
        new = {row[0] for row in self._link.execute(self._link.insert_events, values)}
        result.doubled += self._doubled(sorted(new))
        known = self._known([event_id for event_id in first if event_id not in new])
        for one in heard:
            event_id = one.message.id
            stands = known[event_id] if event_id in known else _content(_record(first[event_id]))
            if _content(_record(one)) != stands:
                conflict = Unfit(
                    one.topic,
                    one.payload,
                    True,
                    "conflict",
                    "its id is another event's",
                    event_id,
                    one.handle,
                )
                self._set_aside([conflict], result, now)
                continue
            result.ack(one, event_id)
            if event_id in new:
                new.discard(event_id)
                result.stored += 1
            else:
                result.duplicates += 1

    def _doubled(self, event_ids: Sequence[str]) -> int:
        """Return how many of these new events claim a number of their door that was taken.

        Two collectors that store both at one moment see neither; ``Gaps.doubled`` reads them all.
        """
        if not event_ids:
            return 0
        marks = ", ".join(["%s"] * len(event_ids))
        rows = self._link.execute(
            "SELECT site, door, epoch, seq, (SELECT count(*) FROM events AS every"  # noqa: S608 - marks
            " WHERE every.site = mine.site AND every.door = mine.door AND every.epoch = mine.epoch"
            f" AND every.seq = mine.seq) FROM events AS mine WHERE event_id IN ({marks})",
            event_ids,
        )
        claims = Counter(tuple(row[:4]) for row in rows)
        taken = {tuple(row[:4]): int(row[4]) for row in rows}
        return sum(min(count, taken[number] - 1) for number, count in claims.items())

    def _known(self, event_ids: Sequence[str]) -> dict[str, tuple[Any, ...]]:
        """Return the contents of the events of these ids."""
        if not event_ids:
            return {}
        marks = ", ".join(["%s"] * len(event_ids))
        rows = self._link.execute(
            "SELECT event_id, site, door, epoch, seq, kind, person_id, occurred_at, CAST(body AS text)"  # noqa: S608 - marks
            f" FROM events WHERE event_id IN ({marks})",
            event_ids,
        )
        return {
            row[0]: (*row[1:7], round(self._link.seconds(row[7]) * 1000), _loaded(row[8])) for row in rows
        }

    def _set_aside(self, found: Iterable[Unfit], result: Stored, now: float) -> None:
        moment = timestamp(now)
        for one in sorted(found, key=lambda one: one.digest):
            ((known, of_door),) = self._link.execute(
                "SELECT coalesce(sum(CASE WHEN digest = %s THEN 1 ELSE 0 END), 0), count(*) FROM rejected"
                " WHERE root = %s",
                (one.digest, one.root),
            )
            if not known and of_door >= MOST_REJECTED:
                result.overflowed += 1
                continue
            facts = (
                one.digest,
                one.root,
                one.topic,
                one.payload,
                one.whole,
                one.reason,
                one.detail,
                moment,
                moment,
            )
            self._link.execute(_INSERT_REJECTED, facts)
            result.rejected.append(one)
            # It is kept here, byte for byte. What is retained was not said by the door now.
            if one.whole and one.reason != "retained" and one.event_id is not None:
                result.ack(one, one.event_id)

    def _unstorable(self, one: Heard | Unfit, now: float) -> Stored:
        if isinstance(one, Unfit):  # nothing of it can be kept: the door keeps it
            logger.warning("message not set aside topic=%r reason=%s", one.topic[:100], one.reason)
            return Stored(overflowed=1)
        detail = "the database does not take it"
        return self.store(
            [Unfit(one.topic, one.payload, True, "unstorable", detail, one.message.id, one.handle)], now
        )


def _record(one: Heard) -> dict[str, Any]:
    """Return the columns; a name, where the door sent one, is not kept: the desk knows who an id is."""
    message = one.message
    return {
        "event_id": message.id,
        "site": one.site,
        "door": one.door,
        "epoch": message.epoch,
        "seq": message.seq,
        "boot_id": message.boot_id,
        "occurred_at": message.ts,
        "mono_ms": message.mono_ms,
        "time_synced": message.time_synced,
        "kind": message.kind.value,
        "person_id": message.person_id,
        "body": message.body,
    }


def _content(record: dict[str, Any]) -> tuple[Any, ...]:
    """Return what makes two messages of one id the same event."""
    facts = tuple(record[name] for name in ("site", "door", "epoch", "seq", "kind", "person_id"))
    moment = datetime.fromisoformat(record["occurred_at"]).astimezone(UTC)
    return (*facts, round(moment.timestamp() * 1000), _loaded(msgspec.json.encode(record["body"])))


def _loaded(body: str | bytes) -> Any:
    return json.loads(body)
