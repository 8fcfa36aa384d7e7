"""The tables, for SQLite and PostgreSQL alike, and how older ones become newer ones.

``events`` is for everybody to read. ``streams`` has one row a journal of a door: what is missing up to
``seen_to`` stands in ``missing``, so that nobody has to read it all again. ``gone`` holds numbers that the
door's journal has no more, ``asked`` when a door was last asked for missing ones, ``rejected`` what cannot be
an event, byte for byte, ``lease`` who of several collectors asks. A number may stand in ``events`` twice,
under two ids: that is said, not hidden.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Types:
    """How a database calls a moment, a JSON value and bytes."""

    moment: str
    json: str
    bytes: str


# One entry a version, applied in order, each in one transaction; never change one that was released.
MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        "CREATE TABLE events (event_id text PRIMARY KEY, site text NOT NULL, door text NOT NULL,"
        " epoch text NOT NULL, seq bigint NOT NULL, boot_id text NOT NULL, occurred_at {moment} NOT NULL,"
        " mono_ms bigint NOT NULL, time_synced boolean NOT NULL, kind text NOT NULL, person_id text,"
        " body {json} NOT NULL, received_at {moment} NOT NULL)",
        "CREATE INDEX events_stream ON events (site, door, epoch, seq)",
        "CREATE INDEX events_time ON events (kind, occurred_at)",
        "CREATE TABLE streams (site text NOT NULL, door text NOT NULL, epoch text NOT NULL,"
        " seen_to bigint NOT NULL, PRIMARY KEY (site, door, epoch))",
        "CREATE TABLE missing (site text NOT NULL, door text NOT NULL, epoch text NOT NULL,"
        " from_seq bigint NOT NULL, to_seq bigint NOT NULL, PRIMARY KEY (site, door, epoch, from_seq))",
        "CREATE TABLE gone (site text NOT NULL, door text NOT NULL, epoch text NOT NULL,"
        " from_seq bigint NOT NULL,"
        " to_seq bigint NOT NULL, reason text NOT NULL, noted_at {moment} NOT NULL,"
        " PRIMARY KEY (site, door, epoch, from_seq, to_seq))",
        "CREATE TABLE asked (site text NOT NULL, door text NOT NULL, epoch text NOT NULL,"
        " from_seq bigint NOT NULL,"
        " times bigint NOT NULL, asked_at double precision NOT NULL, answer text NOT NULL,"
        " PRIMARY KEY (site, door, epoch, from_seq))",
        "CREATE TABLE rejected (digest text PRIMARY KEY, root text NOT NULL, topic text NOT NULL,"
        " payload {bytes} NOT NULL,"
        " whole boolean NOT NULL, reason text NOT NULL, detail text NOT NULL, times bigint NOT NULL,"
        " first_at {moment} NOT NULL, last_at {moment} NOT NULL)",
        "CREATE INDEX rejected_root ON rejected (root)",
        "CREATE TABLE lease (name text PRIMARY KEY, holder text NOT NULL, until double precision NOT NULL)",
    ),
)
VERSION = len(MIGRATIONS)


def statements(version: int, types: Types) -> list[str]:
    """Return what makes ``VERSION`` of ``version``."""
    return [
        text.format(moment=types.moment, json=types.json, bytes=types.bytes)
        for migration in MIGRATIONS[version:]
        for text in migration
    ]
