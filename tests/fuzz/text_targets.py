"""Configuration, messages and small files: JSON, YAML and lines of text."""

import itertools
from collections.abc import Iterator
from datetime import UTC
from pathlib import Path

import msgspec

from edged.config.arming import switched
from edged.config.loading import load, load_lock, parse, parse_door, read_text
from edged.domain.factor_text import normal, shortcoming
from edged.domain.second_factor import FactorKind
from edged.doorway import messages as door
from edged.doorway import spool_lines
from edged.enrolment.moments import parse_moment
from edged.enrolment.names import clean_name, name_keys
from edged.errors import (
    ConfigError,
    DoorwayError,
    EnrolmentError,
    FleetError,
    StoreError,
)
from edged.fleet import acks, factor_messages, messages
from edged.fleet.connection import LARGEST_ARRIVAL, Arrived
from edged.storage import quarantine, remains
from edged.storage.site_calibration import SiteCalibration, SitePoint, read_site, write_site
from tests.fuzz.target import Target, attempt, put

ULID = "01KJQ0000000000000000000AB"
_EVENT = (
    b'{"v":1,"id":"01KJQ0000000000000000000AB","epoch":"e1","seq":1,"boot_id":"b1",'
    b'"ts":"2026-03-02T12:00:00.000Z","mono_ms":5,"time_synced":true,"kind":"access","historical":false,'
    b'"person_id":"p-1","decision":"granted","score":0.5}'
)
_STATE = b'{"v":1,"lock":"locked","camera":"up","armed":true,"time_synced":true,"asks":null}'
_BIRTH = (
    b'{"v":1,"boot_id":"b1","version":"1.0","models":{"detector":"starter"},"gallery_version":3,'
    b'"config_digest":"abc","liveness":"off"}'
)
_HEALTH = (
    b'{"v":1,"boot_id":"b1","ts":"2026-03-02T12:00:00.000Z","uptime_seconds":1.5,"outbox_rows":0,'
    b'"facts":{"age_ms":3}}'
)
_HAPPENED = door.Happened(
    event=ULID, what="forced", alarm=True, ts=1.0, at=1.0, boot_id="b", time_synced=True, count=2
)


def _config(data: bytes, folder: Path) -> None:
    path = put(folder / "config.yaml", data)
    attempt(load_lock, path)
    text = read_text(path)
    attempt(_parse_door, text, folder)
    switched(text, armed=True)
    load(path, {})


def _parse_door(text: str, folder: Path) -> None:
    parse_door(text, base=folder)


def _config_seeds(_folder: Path) -> Iterator[bytes]:
    root = Path(__file__).parents[2]
    whole = (root / "config.yaml").read_text()
    parse(whole, base=root)
    # A section at a time: a whole configuration takes PyYAML longer than a hundred small ones.
    bare = [line for line in whole.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    for start, line in enumerate(bare):
        if not line.startswith(" "):
            body = itertools.takewhile(lambda one: one.startswith(" "), bare[start + 1 :])
            yield "\n".join((line, *body)).encode()
    yield (
        b"site: hq\ndoor_id: main\ncamera: {source: {type: url, url: 'rtsp://cam/1', username: u}}\n"
        b"door: {lock: {driver: gpiod, chip: /dev/gpiochip0, line: 17, active_low: true}}\n"
    )
    yield b"a: {b: [1, 0x1f, 1.5e3, .inf, 'x', \"\\u00e9\\x41\"]}\n? [k]\n: v\n--- |\n  text\n"


def _mqtt(data: bytes, _folder: Path) -> None:
    for parse_one in (
        messages.parse_event, messages.parse_state, messages.parse_birth, messages.parse_health,
        messages.parse_availability,
    ):  # fmt: skip
        attempt(parse_one, data)


def _acks(data: bytes, _folder: Path) -> None:
    taken = acks.parse_ack(Arrived("t", data[:LARGEST_ARRIVAL], len(data), retain=False))
    assert len(taken.ids) <= acks.MOST_IDS


def _second_factor(data: bytes, _folder: Path) -> None:
    for line in data.split(b"\n"):
        attempt(factor_messages.heard_from_door, line)
        message = factor_messages.heard_from_keypad(line)
        if isinstance(message, factor_messages.AnswerGiven):
            for kind in FactorKind:
                shortcoming(kind, normal(kind, message.secret))


def _second_factor_seeds(_folder: Path) -> Iterator[bytes]:
    yield b'{"type":"watch","v":1}\n{"type":"answer","v":1,"request_id":"r_1","kind":"pin","secret":"4711"}'
    yield b'{"type":"answer","request_id":"r","kind":"badge","secret":"\\u00df:AB-01"}'
    yield b'{"type":"asked","request_id":"r","cause":"always","kinds":["pin"],"seconds":12.5}'
    yield b'{"type":"ended","request_id":"r","outcome":"confirmed"}'
    yield b'{"type":"result","request_id":"r","result":"wrong"}'


def _door_messages(data: bytes, _folder: Path) -> None:
    attempt(door.from_reader, data)
    attempt(door.from_door, data)
    door.happened(data)


def _door_seeds(_folder: Path) -> Iterator[bytes]:
    for message in (
        door.Hello(reader="in"), door.Unlock(request=ULID, cause="face", granted_at=5.5), door.Beat(),
        door.Secure(), door.Taken(event=ULID), door.Show(look="looking"), door.Reset(),
        door.Welcome(version="1", boot_id="b", lock="fake"), door.Status(condition="locked", released=False),
        door.Answer(request=ULID, result="refused", reason="old", at=3.0), _HAPPENED,
    ):  # fmt: skip
        yield door.encode(message)


def _spool(data: bytes, folder: Path) -> None:
    """Lines that begin with ``=`` get the right checksum, which no search would find."""
    parts = data.split(b"\n")
    lines = [spool_lines._line(part[1:]) if part.startswith(b"=") else part + b"\n" for part in parts]
    content = b"".join(lines)
    left = spool_lines.Left(most=3)
    left.read(put(folder / "events", content))
    assert len(left.waiting) <= 3
    assert left.lost >= 0
    # A line that is too long is read, and counted, piece by piece.
    assert left.damaged <= len(lines) + len(content) // spool_lines._MAX_LINE


def _spool_seeds(_folder: Path) -> Iterator[bytes]:
    line = spool_lines._line
    yield b"=" + door.encode(_HAPPENED) + b"\n=taken " + ULID.encode() + b"\n=lost 3\n"
    yield line(door.encode(_HAPPENED)) + b"torn"
    yield line(b"begun " + door.encode(_HAPPENED)) + line(b"ended") + line(b"lost 12")


def _site(data: bytes, folder: Path) -> None:
    """As a whole file, and as a measurement with the right digest around it."""
    path = folder / "site.json"
    attempt(read_site, put(path, data))
    try:
        measured = msgspec.json.decode(data, type=SiteCalibration)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return
    write_site(path, measured)
    found = read_site(path)
    assert found is not None
    for point in found.points:
        assert point.fmr >= 0


def _site_seeds(folder: Path) -> Iterator[bytes]:
    point = SitePoint(bound=0.01, threshold=0.4, comparisons=1000, errors=3, fnmr=0.1)
    measured = SiteCalibration(
        space="s", weights={"detector": "ab"}, measured_at="2026-01-01", people=3, photographs=9, cohort=100,
        genuine=12, points=(point,),
    )  # fmt: skip
    yield msgspec.json.encode(measured)
    path = folder / "seed.json"
    write_site(path, measured)
    yield path.read_bytes()


def _notes(data: bytes, folder: Path) -> None:
    """The files beside a journal: what to put back, and what was wrong with a damaged one."""
    journal = folder / "journal.db"
    put(quarantine.request_path(journal), data)
    attempt(quarantine.asked, journal)
    put(remains.epoch_path(journal), data)
    remains.noted_epoch(journal)
    aside = folder / "journal.db.damaged-x"
    aside.mkdir(exist_ok=True)
    put(aside / "facts.json", data)
    remains.load(aside)


def _words(data: bytes, folder: Path) -> None:
    """What people write into cells and options: names and dates."""
    text = data.decode("utf-8", "surrogateescape")
    name_keys(text)
    attempt(clean_name, text)
    moment = parse_moment(text, UTC, end=True)
    moment.timestamp()
    parse_moment(text, None, end=False).timestamp()


def _word_seeds(_folder: Path) -> Iterator[bytes]:
    yield "Zoë O'Hara".encode()
    yield b"2026-12-31T18:00+02:00"
    yield b"2026-W01"


TARGETS = (
    Target("config", _config, _config_seeds, (ConfigError,), 4096),
    Target("mqtt", _mqtt, lambda _: (_EVENT, _STATE, _BIRTH, _HEALTH, b"online"), (FleetError,)),
    Target("acks", _acks, lambda _: (acks.ack_payload([ULID, ULID]),), (FleetError,), 20_000),
    Target("second-factor", _second_factor, _second_factor_seeds, (FleetError,)),
    Target("door-messages", _door_messages, _door_seeds, (DoorwayError,)),
    Target("door-spool", _spool, _spool_seeds, (StoreError,)),
    Target("site-calibration", _site, _site_seeds, (StoreError,)),
    Target(
        "journal-notes", _notes,
        lambda _: (b"null", b"[1, 2, 3]", b'{"reason":"r","epoch":"e","damaged_id":"d","recovered_id":"r"}'),
        (StoreError,),
    ),
    Target("words", _words, _word_seeds, (EnrolmentError,), 512),
)  # fmt: skip
