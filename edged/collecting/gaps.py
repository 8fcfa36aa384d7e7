"""Numbers that are missing: a door counts its events from 1 without a gap, so what is not there is known.

A gap that just opened may close by itself, since kinds of events wait for each other at no door. What came
last cannot be missed before something comes after it.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from edged.collecting.links import Link
from edged.fleet.messages import timestamp

# The numbers of one stretch that are not there, each with the arrival of the event after it.
_BOUNDS = (
    "SELECT previous + 1, seq - 1, received_at FROM (SELECT seq, received_at,"
    " lag(seq, 1, %s) OVER (ORDER BY seq) AS previous FROM events"
    " WHERE site = %s AND door = %s AND epoch = %s AND seq >= %s AND seq <= %s) AS numbered"
    " WHERE seq > previous + 1 ORDER BY 1"
)
_STREAM = "site = %s AND door = %s AND epoch = %s"
_NEWEST = 2**53

Stream = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Gap:
    """The numbers ``from_seq`` to ``to_seq`` of a door's journal are missing.

    ``since``: Unix seconds at which the event after them came; ``asked_at``, 0: never, ``times`` and
    ``answer`` of the last request for them.
    """

    site: str
    door: str
    epoch: str
    from_seq: int
    to_seq: int
    since: float
    asked_at: float = 0.0
    times: int = 0
    answer: str = ""

    @property
    def missing(self) -> int:
        """How many numbers."""
        return self.to_seq - self.from_seq + 1


@dataclass(frozen=True, slots=True)
class Span:
    """Numbers, both ends included."""

    first: int
    last: int


def without(span: Span, taken: Iterable[Span]) -> list[Span]:
    """Return what is left of ``span``."""
    left = [span]
    for away in taken:
        parts = []
        for one in left:
            if away.last < one.first or away.first > one.last:
                parts.append(one)
                continue
            parts.append(Span(one.first, away.first - 1))
            parts.append(Span(away.last + 1, one.last))
        left = [one for one in parts if one.first <= one.last]
    return left


class Gaps:
    """For one thread, as ``link`` is. Methods raise ``StoreError``."""

    def __init__(self, link: Link) -> None:
        self._link = link

    def open(self, site: str | None = None, door: str | None = None) -> list[Gap]:
        """Return what is missing, by door and number; of one site or door where it is named."""
        found = []
        for stream_site, stream_door, epoch, seen_to in self._streams():
            if site in (None, stream_site) and door in (None, stream_door):
                found += self._of((stream_site, stream_door, epoch), seen_to)
        return found

    def advance(self) -> None:
        """Note what is missing, so that the rest need not be read again."""
        noted = {
            (str(site), str(door), str(epoch))
            for site, door, epoch in self._link.execute("SELECT DISTINCT site, door, epoch FROM missing")
        }
        for site, door, epoch, seen_to in self._streams():
            stream = (site, door, epoch)
            if stream in noted or self._newest(stream) > seen_to:
                self._advance(stream)

    def _advance(self, stream: Stream) -> None:
        with self._link.transaction():
            # One at a time: another's older view must not hide what was found since.
            self._link.execute(f"UPDATE streams SET seen_to = seen_to WHERE {_STREAM}", stream)  # noqa: S608
            ((seen_to,),) = self._link.execute(f"SELECT seen_to FROM streams WHERE {_STREAM}", stream)  # noqa: S608
            # First: what arrives meanwhile is seen the next time.
            newest = max(int(seen_to), self._newest(stream))
            gaps = self._of(stream, int(seen_to), newest)
            self._link.execute(f"DELETE FROM missing WHERE {_STREAM}", stream)  # noqa: S608
            for gap in gaps:
                self._link.execute(
                    "INSERT INTO missing (site, door, epoch, from_seq, to_seq) VALUES (%s, %s, %s, %s, %s)",
                    (*stream, gap.from_seq, gap.to_seq),
                )
            self._link.execute(f"UPDATE streams SET seen_to = %s WHERE {_STREAM}", (newest, *stream))  # noqa: S608

    def answered(self, gap: Gap, answer: str, now: float) -> None:
        """Note that the door was asked for the numbers of ``gap``, and what it said."""
        self._link.execute(
            "INSERT INTO asked (site, door, epoch, from_seq, times, asked_at, answer)"
            " VALUES (%s, %s, %s, %s, 1, %s, %s) ON CONFLICT (site, door, epoch, from_seq) DO UPDATE"
            " SET times = asked.times + 1, asked_at = excluded.asked_at, answer = excluded.answer",
            (gap.site, gap.door, gap.epoch, gap.from_seq, now, answer[:300]),
        )

    def gone(self, gap: Gap, last: int, reason: str, now: float) -> None:
        """Note that the door has the numbers of ``gap`` up to ``last`` no more: nobody waits for them."""
        if last >= gap.from_seq:
            self._link.execute(
                "INSERT INTO gone (site, door, epoch, from_seq, to_seq, reason, noted_at)"
                " VALUES (%s, %s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING",
                (
                    gap.site, gap.door, gap.epoch, gap.from_seq, min(last, gap.to_seq), reason[:300],
                    timestamp(now),
                ),
            )  # fmt: skip

    def given_up(self) -> list[tuple[str, str, str, int, int, str]]:
        """Return site, door, epoch, first and last number and reason of what no door has any more."""
        rows = self._link.execute(
            "SELECT site, door, epoch, from_seq, to_seq, reason FROM gone ORDER BY 1, 2, 3, 4"
        )
        return [(str(a), str(b), str(c), int(d), int(e), str(f)) for a, b, c, d, e, f in rows]

    def doubled(self, site: str | None = None, door: str | None = None) -> list[tuple[str, str, str, int]]:
        """Return the numbers that two events have, of one site or door where it is named.

        A journal that was put back from a backup counts anew; or one of the two is no event of the door.
        """
        named = [(column, name) for column, name in (("site", site), ("door", door)) if name is not None]
        where = " AND ".join(["seq > 0", *(f"{column} = %s" for column, _ in named)])
        rows = self._link.execute(
            f"SELECT site, door, epoch, seq FROM events WHERE {where}"  # noqa: S608 - column names
            " GROUP BY site, door, epoch, seq HAVING count(*) > 1 ORDER BY 1, 2, 3, 4 LIMIT 1000",
            [name for _, name in named],
        )
        return [(str(a), str(b), str(c), int(d)) for a, b, c, d in rows]

    def rejected(self) -> list[tuple[str, str, int, int]]:
        """Return by topic and reason how many messages were no events, and how often they came."""
        rows = self._link.execute(
            "SELECT topic, reason, count(*), sum(times) FROM rejected GROUP BY topic, reason ORDER BY 1, 2"
        )
        return [(topic, reason, int(messages), int(times)) for topic, reason, messages, times in rows]

    def lease(self, holder: str, now: float, seconds: float) -> bool:
        """Whether ``holder`` is the one collector that asks doors, from now on for ``seconds``."""
        rows = self._link.execute(
            "INSERT INTO lease (name, holder, until) VALUES ('refill', %s, %s) ON CONFLICT (name) DO UPDATE"
            " SET holder = excluded.holder, until = excluded.until"
            " WHERE lease.holder = excluded.holder OR lease.until < %s RETURNING holder",
            (holder, now + seconds, now),
        )
        return bool(rows)

    def _of(self, stream: Stream, seen_to: int, newest: int = _NEWEST) -> list[Gap]:
        noted = self._link.execute(
            f"SELECT from_seq, to_seq FROM missing WHERE {_STREAM} ORDER BY 1",  # noqa: S608
            stream,
        )
        # Up to the event after each, which is there.
        spans = [Span(int(first), int(last) + 1) for first, last in noted] + [Span(seen_to + 1, newest)]
        taken = self._taken(stream)
        asked = {
            int(row[0]): row[1:]
            for row in self._link.execute(
                f"SELECT from_seq, asked_at, times, answer FROM asked WHERE {_STREAM}",  # noqa: S608
                stream,
            )
        }
        found = []
        for span in spans:
            values = (span.first - 1, *stream, span.first, span.last)
            for first, last, since in self._link.execute(_BOUNDS, values):
                for left in without(Span(int(first), int(last)), taken):
                    at, times, answer = asked.get(left.first, (0.0, 0, ""))
                    seconds = self._link.seconds(since)
                    found.append(
                        Gap(*stream, left.first, left.last, seconds, float(at), int(times), str(answer))
                    )
        return found

    def _taken(self, stream: Stream) -> list[Span]:
        rows = self._link.execute(f"SELECT from_seq, to_seq FROM gone WHERE {_STREAM}", stream)  # noqa: S608
        return [Span(int(first), int(last)) for first, last in rows]

    def _newest(self, stream: Stream) -> int:
        ((newest,),) = self._link.execute(
            f"SELECT coalesce(max(seq), 0) FROM events WHERE {_STREAM}",  # noqa: S608
            stream,
        )
        return int(newest)

    def _streams(self) -> list[tuple[str, str, str, int]]:
        rows = self._link.execute("SELECT site, door, epoch, seen_to FROM streams ORDER BY 1, 2, 3")
        return [(str(a), str(b), str(c), int(d)) for a, b, c, d in rows]
